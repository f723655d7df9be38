"""What users of a marketplace look at tomorrow: recurrent networks and a Transformer on nine days of Taobao.

Asks: can a model learn more than decayed counts tell from a week of very full histories?
Expect: counts level with the networks, since four training cutoffs are few: docs/interest.md. (Not run as it stands.)
Takes: not timed yet. Needs: the data set, by hand (python -m lab.data --list says from where).
Run: python -m lab.run experiments/taobao.py --source.path data/taobao
"""

from lab import Experiment, Training, register
from lab.data.sources import Taobao
from lab.models import GRU, LSTM, Transformer
from lab.targets import Interest

register(
    Experiment(
        name="taobao",
        source=Taobao(),
        target=Interest(),
        horizons=(1, 2),  # days
        features={"full": ("category", "behaviour", "time", "habit", "popularity", "together")},
        models=(LSTM(width=64), GRU(width=64), Transformer(width=64, layers=2)),
        seeds=5,
        training=Training(steps=200, batch=16),
    )
)
