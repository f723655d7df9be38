"""How far ahead: an LSTM and a Transformer at 1, 3, 7, 14 and 30 days, the same users at the same cutoff.

Asks: how fast does what can be known of an interest fade with the distance, and for which rows first?
Expect: the lead over decayed counts at every horizon, the curves of both models alike. (Stated before a first run.)
Takes: not timed yet; 30 trained cells of 200 steps.
Run: python -m lab.run experiments/horizon_curve.py
"""

from lab import Experiment, Timeline, Training, register
from lab.data.sources import SyntheticShop
from lab.models import LSTM, Transformer
from lab.targets import Interest

register(
    Experiment(
        name="horizon_curve",
        source=SyntheticShop(users=2_000, days=180),
        target=Interest(),
        horizons=(1, 3, 7, 14, 30),  # days
        features={"full": ("category", "behaviour", "time", "price", "habit", "popularity", "together")},
        models=(LSTM(width=64), Transformer(width=64, layers=2)),
        seeds=3,
        timeline=Timeline(
            query_every=7
        ),  # the default, a tick for each shortest horizon, would lay seven times as many
        training=Training(steps=200, batch=16),
    )
)
