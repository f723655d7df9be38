"""How much data is needed: an LSTM that learns from 3, 10, 30 or 100 % of the shoppers, on ids or all features.

Asks: from how many users on does a learned model lead the counts, and do features stand in for data?
Expect: on all features ahead of decayed counts from 3 % (59 users) on, and from 10 % of a logistic regression that had
the same users; on ids alone behind both at any size, so that features at 3 % do more than all of the users without
them. From 30 % to all little is gained, most of it on new categories.
Takes: about three minutes on two cores.
Run: python -m lab.run experiments/training_size.py
"""

from lab import Experiment, Training, register
from lab.baselines import DecayedPersonal, Logistic
from lab.data.sources import SyntheticShop
from lab.models import LSTM
from lab.targets import Interest

register(
    Experiment(
        name="training_size",
        source=SyntheticShop(users=2_000, days=180),
        target=Interest(),
        horizons=(7,),  # days
        features={
            "ids": ("category", "behaviour"),
            "full": ("category", "behaviour", "time", "price", "habit", "popularity", "together"),
        },
        models=(LSTM(width=64),),
        seeds=3,
        training=Training(steps=200, batch=16),
        baselines=(DecayedPersonal(), Logistic()),
        variants={
            "3 %": {"training.share": 0.03},
            "10 %": {"training.share": 0.1},
            "30 %": {"training.share": 0.3},
            "100 %": {},
        },
    )
)
