"""LSTM against Transformer on what shoppers will want in 7 and in 30 days.

Asks: does attention over a shopper's past beat a recurrent memory of it, does the answer change with the
horizon, and what do features beyond the ids of what was touched add?
Expect: with all features both lead every baseline over all categories at both horizons; on new ones logistic is as good
at 7 days. No interval over seeds tells the two apart. On ids alone both fall behind counts of what was touched before.
Takes: about six minutes on two cores, the first cell within one.
Run: python -m lab.run experiments/lstm_vs_transformer.py
"""

from lab import Experiment, Training, register
from lab.data.sources import SyntheticShop
from lab.models import LSTM, Transformer
from lab.targets import Interest

register(
    Experiment(
        name="lstm_vs_transformer",
        source=SyntheticShop(users=2_000, days=180),
        target=Interest(),
        horizons=(7, 30),  # days
        features={
            "ids": ("category", "behaviour"),
            "full": ("category", "behaviour", "time", "price", "habit", "popularity", "together"),
        },
        models=(LSTM(width=64), Transformer(width=64, layers=2)),
        seeds=5,
        training=Training(steps=200, batch=16),
    )
)
