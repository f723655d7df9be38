"""How much of a shopper's past is worth keeping: an LSTM that sees 7, 30 or 90 days of it, or all, 7 days ahead.

Asks: how many days of history does a forecast need, and do plain counts need as many?
Expect: all of it ahead of every shorter past; 7 days cost 0.13 of NDCG@10, 30 days 0.03, 90 days 0.02. The lead on
decayed counts is 0.04 with 7 days, 0.06 with 30 and 90, 0.08 with all. On new categories 30 days tell as much as all.
Takes: about three minutes on two cores.
Run: python -m lab.run experiments/history_length.py
"""

from lab import Experiment, Training, register
from lab.baselines import DecayedPersonal, Logistic
from lab.data.sources import SyntheticShop
from lab.models import LSTM
from lab.targets import Interest

register(
    Experiment(
        name="history_length",
        source=SyntheticShop(users=2_000, days=180),
        target=Interest(),
        horizons=(7,),  # days
        features={"full": ("category", "behaviour", "time", "price", "habit", "popularity", "together")},
        models=(LSTM(width=64),),
        seeds=3,
        training=Training(steps=200),
        baselines=(DecayedPersonal(), Logistic()),
        # The longer a query's own history, the fewer fit a row: batches of about 180 queries each. Of "all" one pass
        # answers a whole history's queries, and they fit 8 rows again.
        variants={
            "7 days": {"timeline.history_days": 7, "training.batch": 8},
            "30 days": {"timeline.history_days": 30, "training.batch": 24},
            "90 days": {"timeline.history_days": 90, "training.batch": 48},
            "all": {"training.batch": 8},
        },
    )
)
