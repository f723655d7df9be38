"""What a shopper takes next: a GRU and a Transformer on the embedded shop, every item ranked after every event.

Asks: does a model that reads the order of a history name the next item better than the last one, or than what followed
it for others?
Expect: not in so short a training: two in five come back to an item they had, which no model says better than that it
was the last; the Transformer on ids alone comes within .01. Of items new to a user, more features tell almost twice as
much.
Takes: about five minutes on two cores.
Run: python -m lab.run experiments/next_item.py
"""

from lab import Experiment, Timeline, Training, register
from lab.data.sources import SyntheticShop
from lab.models import GRU, Transformer
from lab.targets import NextItem

register(
    Experiment(
        name="next_item",
        source=SyntheticShop(users=1_000, days=180),
        target=NextItem(objective="sampled"),
        horizons=(14,),  # days after the cutoff in which every event is asked
        timeline=Timeline(min_events=1),
        features={"ids": ("item",), "full": ("item", "category", "behaviour", "time", "price")},
        models=(GRU(width=64), Transformer(width=64, layers=2)),
        seeds=3,
        training=Training(steps=600, batch=16, prior_precision=0, weight_decay=0.01),
    )
)
