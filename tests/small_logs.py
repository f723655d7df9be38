"""Small logs written out by hand, as the objects the lab works on.

log = small_histories([
    ("ann", "milk", "food", 0),                                  # user, item, category, day
    ("ann", "ball", "toys", 2.5, "view"),                        # ... behaviour
    ("bob", "milk", None, 3, "purchase", 1.5, 2.0, "fresh milk"),  # ... price, quantity, text
])
view = small_view(log, valid_day=10, test_day=17, horizons=(7,))
queries = small_queries([(0, 10), (1, 10)])                      # row number of the user, day of the cutoff
labels = touched_within(view, queries, days=7)
"""

import hashlib
from collections.abc import Collection, Sequence
from typing import Any

import numpy as np

from lab.data.fold.queries import FoldView, Labels, Queries
from lab.data.log.histories import Histories
from lab.data.schema import CANCELLATION, Behaviour
from lab.data.timeline import Fold, microseconds

EVENT_FIELDS = ("user", "item", "category", "day", "behaviour", "price", "quantity", "text")
EVENT_DEFAULTS = (None, None, None, None, "purchase", None, None, None)


def small_histories(
    events: Sequence[tuple[Any, ...]],
    *,
    behaviours: tuple[Behaviour, ...] | None = None,
    users: Collection[Any] | None = None,
    categories: Collection[Any] | None = None,
) -> Histories:
    """The histories of events `(user, item, category, day, behaviour, price, quantity, text)`.

    The last four may be left out (a purchase without price, quantity, text); days may be fractions and are
    counted from 1970. Users are the sorted distinct ones of the events, or `users` in sorted order (so that a
    user without events keeps a row); likewise `categories`. A column that no event fills is None.
    """
    full = [tuple(event) + EVENT_DEFAULTS[len(event) :] for event in events]
    names = sorted(set(users) if users is not None else {event[0] for event in full})
    row = {name: u for u, name in enumerate(names)}
    full = sorted(full, key=lambda event: (row[event[0]], event[3]))  # stable: ties keep the order given
    column = dict(zip(EVENT_FIELDS, zip(*full, strict=True), strict=True)) if full else dict.fromkeys(EVENT_FIELDS, ())

    user = np.array([row[name] for name in column["user"]], np.int64)
    item, item_names = _codes(column["item"], None)
    category, category_names = _codes(column["category"], categories)
    kinds = behaviours or _behaviours(column["behaviour"])
    code = {kind.name: b for b, kind in enumerate(kinds)}
    assert item is not None and item_names is not None
    return Histories(
        offsets=np.concatenate([[0], np.cumsum(np.bincount(user, minlength=len(names)))]).astype(np.int64),
        time=np.array([microseconds(day) for day in column["day"]], np.int64),
        item=item,
        behaviour=np.array([code[name] for name in column["behaviour"]], np.int8),
        category=category,
        price=_floats(column["price"]),
        quantity=_floats(column["quantity"]),
        item_names=item_names,
        category_names=category_names,
        item_text=_texts(item, column["text"], len(item_names)),
        behaviours=kinds,
        fingerprint=hashlib.sha256(repr((full, names, kinds)).encode()).hexdigest(),
        facts={},
    )


def small_view(
    histories: Histories,
    valid_day: float,
    test_day: float,
    horizons: tuple[float, ...] = (7,),
    query_every: float | None = None,
) -> FoldView:
    """One fold of a log with categories; candidates are the categories seen up to the valid cutoff, by name."""
    assert histories.category is not None and histories.category_names is not None
    first = int(histories.time.min()) if histories.events else 0
    fold = Fold(
        index=0,
        first=first,
        valid_cutoff=microseconds(valid_day),
        test_cutoff=microseconds(test_day),
        horizons=tuple(microseconds(days) for days in horizons),
        query_every=microseconds(query_every or min(horizons)),
    )
    known = np.unique(histories.category[(histories.time <= fold.valid_cutoff) & (histories.category >= 0)])
    candidate = np.full(len(histories.category_names) + 1, -1, np.int32)  # the last entry serves category -1
    candidate[known] = np.arange(len(known))
    return FoldView(histories, fold, candidate[histories.category], histories.category_names[known])


def small_queries(asked: Sequence[tuple[int, float]]) -> Queries:
    """Queries from pairs of a user's row number and the cutoff's day."""
    return Queries(
        np.array([user for user, _ in asked], np.int32), np.array([microseconds(day) for _, day in asked], np.int64)
    )


def small_labels(answers: Sequence[dict[int, float] | Collection[int]]) -> Labels:
    """Labels from one dict of candidate to weight, or one collection of candidates, per query."""
    shares = [answer if isinstance(answer, dict) else dict.fromkeys(answer, 1.0) for answer in answers]
    ids = [sorted(share) for share in shares]
    weights = [share[c] / sum(share.values()) for share, own in zip(shares, ids, strict=True) for c in own]
    return Labels(
        offsets=np.cumsum([0, *map(len, ids)], dtype=np.int64),
        ids=np.array([c for own in ids for c in own], np.int32),
        weights=np.array(weights, np.float32),
    )


def touched_within(view: FoldView, queries: Queries, days: float) -> Labels:
    """The set of candidates each query's user touched in (cutoff, cutoff + days], equally weighted. Slow and plain."""
    log = view.histories
    answers = []
    for user, cutoff in zip(queries.user, queries.cutoff, strict=True):
        own = slice(log.offsets[user], log.offsets[user + 1])
        inside = (log.time[own] > cutoff) & (log.time[own] <= cutoff + microseconds(days))
        answers.append({int(c) for c in view.candidate[own][inside] if c >= 0})
    return small_labels(answers)


def _codes(values: Sequence[Any], names: Collection[Any] | None) -> tuple[np.ndarray | None, np.ndarray | None]:
    """Codes into sorted names, -1 for None; (None, None) when nothing is named."""
    known = sorted(set(names) if names is not None else {value for value in values if value is not None})
    if not known and values:
        return None, None
    code = {name: i for i, name in enumerate(known)} | {None: -1}
    return np.array([code[value] for value in values], np.int32), np.array([str(name) for name in known], object)


def _floats(values: Sequence[float | None]) -> np.ndarray | None:
    if all(value is None for value in values):
        return None
    return np.array([np.nan if value is None else value for value in values], np.float32)


def _texts(item: np.ndarray, texts: Sequence[str | None], items: int) -> np.ndarray | None:
    """What each item was called when it first appeared (in the order of the events given)."""
    if all(text is None for text in texts):
        return None
    called = np.full(items, "", object)
    for code, text in reversed(list(zip(item, texts, strict=True))):
        called[code] = text or called[code]
    return called


def _behaviours(named: Sequence[str]) -> tuple[Behaviour, ...]:
    """The behaviours named, sorted, a cancellation counting -1."""
    names = sorted(set(named) | {"purchase"})
    return tuple(Behaviour(name, -1 if name == CANCELLATION else 1) for name in names)
