"""Which categories US households buy from next: recurrent networks and a Transformer on Open e-commerce 1.0.

Asks: does a learned model see more of what households will want in 7 and in 30 days than their own decayed
counts do, over all categories and over those they have never bought from?
Expect: ahead of the counts by about .010 NDCG@10 at both horizons, and above recent popularity by a quarter (7
days) and two fifths (30 days) on categories new to the household.
Takes: about an hour on two cores. Needs: the data set (python -m lab.data open-ecommerce --download).
Run: python -m lab.run experiments/open_ecommerce.py --source.path data/open_ecommerce
"""

from lab import Experiment, Timeline, Training, register
from lab.data.sources import OpenEcommerce
from lab.models import GRU, LSTM, Transformer
from lab.targets import Interest

register(
    Experiment(
        name="open_ecommerce",
        source=OpenEcommerce(),
        target=Interest(),
        horizons=(7, 30),  # days
        features={"full": ("category", "behaviour", "time", "price", "habit", "popularity", "together")},
        models=(LSTM(width=64), GRU(width=64), Transformer(width=64, layers=2)),
        seeds=5,
        timeline=Timeline(folds=3),  # test cutoffs at the ends of May, June and July 2022
        training=Training(steps=200, batch=16),
    )
)
