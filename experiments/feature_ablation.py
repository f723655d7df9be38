"""What each feature group adds to an LSTM: all of them, all but one, and the ids with one more.

Asks: which groups carry the forecast, and which say nothing that the others do not?
Expect: nothing costs as much to leave out, or adds as much to the ids, as habit. (Stated before a first run.)
Takes: about five minutes on two cores: 39 trained cells in one compiled program.
Run: python -m lab.run experiments/feature_ablation.py
"""

from lab import Experiment, Timeline, Training, register
from lab.data.sources import SyntheticShop
from lab.models import LSTM
from lab.targets import Interest

IDS = ("category", "behaviour")
MORE = ("time", "price", "habit", "popularity", "together")
FULL = IDS + MORE

register(
    Experiment(
        name="feature_ablation",
        source=SyntheticShop(users=2_000, days=180),
        target=Interest(),
        horizons=(30,),  # days
        features={
            "full": FULL,
            **{f"without {one}": tuple(group for group in FULL if group != one) for one in FULL},
            **{f"ids, {one}": (*IDS, one) for one in MORE},
        },
        models=(LSTM(width=64),),
        seeds=3,
        timeline=Timeline(query_every=7),  # ticks every 30 days would leave three to train on
        training=Training(steps=200, batch=16),
    )
)
