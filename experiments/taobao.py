"""What users of a marketplace look at tomorrow: recurrent networks and a Transformer on nine days of Taobao.

Asks: can a model learn more than decayed counts tell from a week of very full histories?
Expect: no, four training cutoffs are too few: a logistic regression leads and counts are next (docs/interest.md).
Takes: about nine minutes on two cores. Needs: the data set, by hand (python -m lab.data --list says from where).
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
