"""From a table of events to what a model is given, by the way that a run takes: for tests of the whole path.

events = shop_events(seed=0)                 # a table of 60 days, with anchors that give every split a label
end = prepared(events, tmp_path)             # Histories, through cleaning and the cache
data = fold_of(end, groups=("category", "habit"))
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import polars as pl

from lab.data.fold.categories import Categories
from lab.data.fold.limits import Limits
from lab.data.fold.view import build_view
from lab.data.log.cache import prepare_log
from lab.data.log.cleaning import Cleaning
from lab.data.log.histories import Histories
from lab.data.sources import Table
from lab.data.timeline import DAY, SHARD_EVENTS, Timeline, folds, microseconds
from lab.dataset.dataset import Dataset, build_dataset
from lab.experiment.registry import shipped
from lab.features.base import FeatureGroup
from lab.targets import Interest
from lab.targets.base import Target

START = 19_000
"""The log's first day, counted from 1970."""
DAYS, HORIZONS = 60, (5.0, 10.0)
VALID, TEST = DAYS - 20, DAYS - 10
"""The cutoffs' days, counted from START."""
TIMELINE = Timeline(end=str(np.datetime64(START + DAYS, "D")), query_every=5, min_events=2, active_days=30)
BEHAVIOURS = {"look": "view", "buy": "purchase", "undo": "cancellation"}
GROUPS = ("behaviour", "category", "habit", "item", "popularity", "price", "time", "together")

Event = dict[str, object]


def event(user: str, day: float, rng: np.random.Generator, news: str = "") -> Event:
    """One event; with `news`, its item or category may be one that no other event has."""
    item, category = int(rng.integers(12)), int(rng.integers(5))
    return {
        "user": user,
        "item": f"{news}{item}",
        "time": microseconds(START + day),
        "category": None if rng.random() < 0.1 else f"{news if rng.random() < 0.5 else ''}c{category}",
        "behaviour": str(rng.choice(["look", "buy", "buy", "undo"])),
        "price": None if rng.random() < 0.2 else float(np.round(rng.lognormal(2, 1), 2)),
        "quantity": float(rng.integers(1, 4)),
        "text": f"{news}thing {('red', 'blue', 'green')[item % 3]} {('cup', 'box')[item % 2]}",
    }


def shop_events(seed: int, users: int = 10, each: int = 14) -> list[Event]:
    """Events of a few users over DAYS days, in no order; the first of them anchor a label in every window."""
    rng = np.random.default_rng(seed)
    days = [1.0, 3.0, *np.arange(6.0, DAYS, 4.0)]
    anchors = [event("anchor", day, rng) | {"behaviour": "buy", "category": "c0", "price": 5.0} for day in days]
    # Half of the times are whole days, so that ties with ticks and among events are the rule.
    day = rng.uniform(0, DAYS + 3, users * each)
    day = np.where(rng.random(len(day)) < 0.5, np.floor(day), day)
    return anchors + [event(f"u{i % users}", float(d), rng) for i, d in enumerate(day)]


def with_another_future(events: list[Event], cutoff: float, seed: int) -> list[Event]:
    """The events after a day deleted, rewritten or kept, and others invented; the anchors stay."""
    rng = np.random.default_rng(seed)
    limit = microseconds(START + cutoff)
    changed = []
    for old in events:
        later = int(str(old["time"])) > limit and old["user"] != "anchor"
        fate = rng.choice(["delete", "rewrite", "keep"]) if later else "keep"
        if fate == "rewrite":
            changed.append(_later(str(old["user"]), cutoff, rng))
        elif fate == "keep":
            changed.append(old)
    users = [*sorted({str(e["user"]) for e in events}), "aaa new", "u10", "zzz new"]
    return changed + [_later(str(rng.choice(users)), cutoff, rng) for _ in range(int(rng.integers(30)))]


def _later(user: str, cutoff: float, rng: np.random.Generator) -> Event:
    news = str(rng.choice(["", "0new ", "zz "]))
    day = cutoff + rng.choice([1e-9, 1.0, 2.5]) * rng.uniform(0.01, 10)
    return event(user, float(day), rng, news)


def table(events: Sequence[Event]) -> Table:
    """The events as a source."""
    frame = pl.DataFrame(list(events), infer_schema_length=None)
    frame = frame.with_columns(time=pl.from_epoch("time", time_unit="us"))
    return Table(
        frame=frame, category="category", behaviour="behaviour", price="price", quantity="quantity", text="text",
        behaviours=BEHAVIOURS,
    )  # fmt: skip


def prepared(events: Sequence[Event], cache: Path, seed: int = 0) -> Histories:
    """The events, shuffled where no tie can tell, through cleaning and the cache."""
    return prepare_log(table(events), Cleaning(), TIMELINE, HORIZONS, cache, say=print)


def fold_of(
    histories: Histories,
    groups: Sequence[str | FeatureGroup] = GROUPS,
    categories: Categories | None = None,
    row_length: int = 16,
    overlap: int = 4,
    causal: bool = True,
    shard_events: int = SHARD_EVENTS,
    limits: Limits = Limits(),  # noqa: B008  # frozen
    target: Target = Interest(),  # noqa: B008  # frozen
) -> Dataset:
    """The newest fold, made ready."""
    histories = target.arrange(histories, TIMELINE)
    fold = folds(TIMELINE, HORIZONS, int(histories.time.min()), START * DAY)[0]
    view, _ = build_view(histories, fold, categories or target.categories, shard_events, limits)
    known = shipped("feature group")
    made = [known[group]() if isinstance(group, str) else group for group in groups]
    return build_dataset(view, TIMELINE, target, made, row_length, overlap, causal)
