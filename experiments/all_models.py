"""Every model side by side: RNN, LSTM, GRU, Transformer and HSTU, with all features, 7 and 30 days ahead.

Asks: does it matter which encoder reads a shopper's past, once the features are the same?
Expect: it does not: all five lead every baseline, logistic first of them, by about .02 NDCG@10 at both horizons (HSTU
at 30 days by .01, which cannot be told from chance), and no interval tells RNN, LSTM, GRU and Transformer apart.
Takes: about six minutes on two cores.
Run: python -m lab.run experiments/all_models.py
"""

from lab import Experiment, Training, register
from lab.data.sources import SyntheticShop
from lab.models import GRU, HSTU, LSTM, RNN, Transformer
from lab.targets import Interest

register(
    Experiment(
        name="all_models",
        source=SyntheticShop(users=2_000, days=180),
        target=Interest(),
        horizons=(7, 30),  # days
        features={"full": ("category", "behaviour", "time", "price", "habit", "popularity", "together")},
        models=(
            RNN(width=64),
            LSTM(width=64),
            GRU(width=64),
            Transformer(width=64, layers=2),
            HSTU(width=64, layers=4),
        ),
        seeds=3,
        training=Training(steps=200, batch=16),
    )
)
