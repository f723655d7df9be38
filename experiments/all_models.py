"""Every model side by side: RNN, LSTM, GRU, Transformer and HSTU, with all features, 7 and 30 days ahead.

Asks: does it matter which encoder reads a shopper's past, once the features are the same?
Expect: no interval tells the gated ones and the Transformer apart; the plain RNN is not ahead of them. (Stated before a
first run.) HSTU is level with them, too. (Stated after a run of two seeds, 7 days ahead.)
Takes: not timed yet; 30 trained cells of 200 steps, against 40 in lstm_vs_transformer.
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
