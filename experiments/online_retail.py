"""What customers of a gift-ware shop buy from next: recurrent networks and a Transformer on Online Retail (UCI).

Asks: does a learned model see more than decayed counts where items have no categories, and cluster by their text?
Expect: level with a logistic regression at both horizons, and ahead of decayed counts for customers with few events.
Takes: about six minutes on two cores. Needs: the data set (python -m lab.data online-retail --download).
Run: python -m lab.run experiments/online_retail.py --source.path data/online_retail
"""

from lab import Experiment, Training, register
from lab.data.sources import OnlineRetail
from lab.models import GRU, LSTM, Transformer
from lab.targets import Interest

register(
    Experiment(
        name="online_retail",
        source=OnlineRetail(),
        target=Interest(),
        horizons=(7, 30),  # days
        features={"full": ("category", "behaviour", "time", "price", "habit", "popularity", "together")},
        models=(LSTM(width=64), GRU(width=64), Transformer(width=64, layers=2)),
        seeds=5,
        training=Training(steps=200, batch=16),
    )
)
