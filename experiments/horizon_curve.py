"""How far ahead: an LSTM and a Transformer at 1, 3, 7, 14 and 30 days, the same users at the same cutoff.

Asks: how fast does what can be known of an interest fade with the distance, and for which rows first?
Expect: ahead of every baseline from 7 days on, by 0.02 to 0.03 of NDCG@10; at 1 and 3 days, where few come back, the
lead cannot be told from chance. The curves of both models alike: level up to 14 days, lower at 30.
Takes: about five minutes on two cores.
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
