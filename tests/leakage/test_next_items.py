"""What a next item is predicted from, and what a baseline counts for it, hangs on nothing behind the query.

Most events share their time with others: what comes next at the same time is as much the future as what comes later.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from lab.baselines.markov import count_transitions
from lab.baselines.past_events import past, popularity
from lab.data.fold.limits import Limits
from lab.data.fold.queries import FoldView, Queries
from lab.data.fold.view import build_view, truncate_view
from lab.data.rows.batch import leaves
from lab.data.schema import Behaviour
from lab.data.timeline import DAY, Fold, Timeline, folds
from lab.dataset.dataset import Dataset, build_dataset
from lab.experiment.registry import shipped
from lab.features import FeatureGroup, Item
from lab.targets import NextItem
from tests.small_logs import small_histories

USERS, VALID, TEST, HORIZON = range(4), 12, 16, 4
KINDS = (Behaviour("view"), Behaviour("purchase"), Behaviour("cancellation", -1))
TIMELINE = Timeline(min_events=1)
SOON = 1e-6 / 86_400
"""A microsecond, in days: events that are moved apart there would be moved over a cutoff."""
Event = tuple[Any, ...]

# Whatever else happens, one user gives every split a query and a label, and every item is known at the valid cutoff.
ANCHOR_DAYS = (0, 1, 2, 3, 4, 11, 13, 17, 19)
ANCHORS: list[Event] = [
    (9, item, "abc"[i % 3], day, "purchase", 2.0 + i, 1.0)
    for i, (item, day) in enumerate(zip("vwxyzvwxy", ANCHOR_DAYS, strict=True))
]


def along() -> list[FeatureGroup]:
    """Every group that next items may have: those along the steps."""
    return [group() for _, group in sorted(shipped("feature group").items()) if group.side == "step"]


def days(low: float, high: float) -> st.SearchStrategy[float]:
    whole = [float(day) for day in range(int(low), int(high) + 1)]
    soon = [cutoff + SOON for cutoff in (VALID, TEST) if low <= cutoff + SOON <= high]
    return st.sampled_from([day for day in (*whole, *soon, low, low + 0.5) if low <= day <= high])


def events(low: float = 0, high: float = TEST + HORIZON - 1, most: int = 40) -> st.SearchStrategy[list[Event]]:
    """Events with a category, a behaviour, a price and a quantity, most of them at a time that others have too."""
    return st.lists(
        st.tuples(
            st.sampled_from(list(USERS)), st.sampled_from("vwxyz"), st.sampled_from("abc"), days(low, high),
            st.sampled_from([kind.name for kind in KINDS]), st.sampled_from([1.0, 2.0, 5.0]), st.just(1.0),
        ),
        min_size=min(most, 6),
        max_size=most,
    )  # fmt: skip


def view_of(log: Sequence[Event], limits: Limits = Limits()) -> FoldView:  # noqa: B008  # frozen
    histories = small_histories(log, behaviours=KINDS, users=[*USERS, 9], categories="abc")
    fold = Fold(0, 0, VALID * DAY, TEST * DAY, (HORIZON * DAY,), DAY)
    target = NextItem()
    return build_view(target.arrange(histories, TIMELINE), fold, target.categories, limits=limits)[0]


def lay_out(view: FoldView, row_length: int = 8) -> Dataset:
    return build_dataset(view, TIMELINE, NextItem(), along(), row_length, row_length // 4)


@dataclass(frozen=True)
class Place:
    """A query, by what does not move: its user and how many of the user's events it knows."""

    split: str
    user: int
    known: int


def places(data: Dataset) -> list[Place]:
    found = []
    for name in ("valid", "test"):
        queries = data.splits[name].queries
        known = data.view.known_events(queries)
        found += [Place(name, int(u), int(k)) for u, k in zip(queries.user, known, strict=True) if u in USERS]
    return found


def seen_at(data: Dataset, place: Place) -> list[np.ndarray]:
    """All that a causal model reads up to the query: the steps of its segment, in every column."""
    split = data.splits[place.split]
    known = data.view.known_events(split.queries)
    (query,) = np.flatnonzero((split.queries.user == place.user) & (known == place.known))
    ((row, slot),) = np.argwhere(split.slot == query)
    rows, stop = split.rows, split.rows.query.position[row, slot] + 1
    begin = np.flatnonzero(rows.start[row, :stop])[-1]
    return [np.asarray(leaf[row, begin:stop]) for leaf in (rows.tick, rows.time, *leaves(rows.columns))]


def told_at(view: FoldView, place: Place) -> list[np.ndarray]:
    """What baselines count at the query."""
    event = view.histories.offsets[place.user] + place.known - 1
    query = Queries(np.array([place.user], np.int32), np.asarray(view.histories.time)[[event]])
    own = past(view, query)
    return [own.candidate, own.age, own.sign, *(popularity(view, query, window) for window in (1.0, 3.0, 30.0))]


def up_to(log: Sequence[Event], place: Place) -> tuple[list[Event], float, float]:
    """The log without what lies behind a query, at its time or later; the anchors stay.

    And from which day on others, and its user, may do something else: what the valid cutoff knows is fitted on, and
    who has more events by a split's cutoff is asked after the last of them.
    """
    mine = sorted((event for event in log if event[0] == place.user), key=lambda event: event[3])
    day = mine[place.known - 1][3]
    others = max(day, VALID + SOON)
    own = max(day, {"valid": VALID, "test": TEST}[place.split] + SOON)
    kept = [e for e in log if e[0] == 9 or (e[0] != place.user and e[3] < others)]
    return mine[: place.known] + kept, others, own


@settings(max_examples=40, deadline=None, phases=[Phase.explicit, Phase.reuse, Phase.generate])
@given(log=events(), data=st.data(), limits=st.sampled_from([Limits(), Limits(history_days=3)]))
def test_nothing_behind_a_query_moves_a_bit_of_what_it_sees(
    log: list[Event], data: st.DataObject, limits: Limits
) -> None:
    log = ANCHORS + log
    view = view_of(log, limits)
    before = lay_out(view)
    some = places(before)
    if not some:
        return
    place = data.draw(st.sampled_from(some))
    known, others, own = up_to(log, place)
    later = data.draw(events(min(others, own), TEST + HORIZON - 1, 15))
    later = [event for event in later if event[3] >= (own if event[0] == place.user else others)]
    # One of its own follows in any case, since it must be asked.
    after_view = view_of([*known, (place.user, "v", "a", own, "view", 1.0, 1.0), *later], limits)
    assert after_view.names.tolist() == view.names.tolist()
    after = lay_out(after_view)
    for a, b in zip(seen_at(before, place), seen_at(after, place), strict=True):
        assert a.tobytes() == b.tobytes() and a.shape == b.shape
    for a, b in zip(told_at(view, place), told_at(after_view, place), strict=True):
        assert a.tobytes() == b.tobytes()


def weekday(more: list[str]) -> np.ndarray:
    """The time group's numbers at an event of day 17, where the same user does more on that day."""
    log = [*ANCHORS, *((1, item, "a", day) for day in (14, 15) for item in "vw"), (1, "x", "a", 17.0)]
    data = lay_out(view_of([*log, *((1, item, "b", 17.0) for item in more), (1, "v", "a", 18)]))
    events = data.splits["test"].packed.steps.event
    log = data.view.histories
    mine = (log.user_of_event == 1) & (log.clock == 17 * DAY) & (log.item_names[log.item] == "x")
    (step,) = np.flatnonzero(mine[events])
    return data.splits["test"].packed.step_columns["time"]["numbers"][step]


def test_the_weekday_of_an_event_does_not_tell_whether_more_is_bought_that_day() -> None:
    alone, followed = weekday([]), weekday(["y", "z"])
    assert alone.tobytes() == followed.tobytes()
    # 1970-01-18 was a Sunday.
    np.testing.assert_allclose(alone[5:7], [np.sin(2 * np.pi * 0), np.cos(0)], atol=1e-6)


@pytest.mark.parametrize(
    ("split", "opens", "known", "seen"),
    [("train", 7, 95, 11), ("valid", VALID, 100, 13), ("test", TEST, 100, 13)],
)
def test_later_events_do_not_decide_from_where_a_query_is_read(split: str, opens: int, known: int, seen: int) -> None:
    """In evaluation three quarters of a row lie before the first; in training rows begin with the history."""
    early = [(1, "vwxyz"[k % 5], "a", 1 + k / 20) for k in range(100)]
    lengths = []
    for late in (0, 8, 40):
        log = [*ANCHORS, *early, *((1, "vwxyz"[k % 5], "a", opens + 1 + k / 100) for k in range(late + 1))]
        lengths.append(len(seen_at(lay_out(view_of(log), 16), Place(split, 1, known))[0]))
    # Rows of 16 that repeat 4: the 95th event is read from the 85th on.
    assert lengths == [seen] * 3


def test_leave_one_out_gives_its_one_query_a_whole_row() -> None:
    last = Timeline(min_events=1, protocol="leave_one_out")
    histories = small_histories([(u, "vwxyz"[(u + k) % 5], "a", k) for u in range(3) for k in range(30)])
    counted = NextItem().arrange(histories, last)
    view, _ = build_view(counted, folds(last, (0.0,), *counted.span)[0], NextItem().categories)
    data = build_dataset(view, last, NextItem(), [Item()], 8, 2)
    for split in ("valid", "test"):
        assert data.splits[split].packed.segments.length.tolist() == [8] * 3


@pytest.mark.parametrize("followers", [0, 2])
def test_a_limit_in_days_goes_by_the_clock(followers: int) -> None:
    """What lies exactly the limit before a query is out of sight, whatever follows the query at its time."""
    log = [*ANCHORS, (1, "w", "a", 13.0), (1, "v", "a", 14.0), (1, "w", "a", 14.0), (1, "y", "b", 15.0),
           (1, "x", "a", 17.0), *((1, item, "b", 17.0) for item in "yz"[:followers]), (1, "v", "a", 18.0)]  # fmt: skip
    view = view_of(log, Limits(history_days=3))
    data, place = lay_out(view), Place("test", 1, 5)
    own = told_at(view, place)
    assert [view.names[c] for c in own[0]] == ["y", "x"] and own[1].tolist() == [2, 0]
    # The two events, and the tick that asks.
    assert [len(column) for column in seen_at(data, place)[:2]] == [3, 3]


def test_what_happens_a_microsecond_after_a_cutoff_is_not_known_by_it() -> None:
    """However many share that time, and are moved apart over the cutoff."""
    closing = TEST + HORIZON
    tied = [(user, "v", "a", day + SOON) for day in (VALID, closing) for user in (1, 2) for _ in range(4)]
    view = view_of([*ANCHORS, (1, "w", "a", 1.0), *tied])
    known = truncate_view(view, VALID * DAY).histories
    assert known.events == sum(day <= VALID for day in ANCHOR_DAYS) + 1
    assert count_transitions(view, VALID * DAY).total.sum() == 5
    assert view.event_counts.within(np.array([VALID * DAY])).sum() == known.events
    target = NextItem()
    for split, asked in (("train", 5), ("valid", 1 + 1 + 3 + 3)):
        _, (labels,) = target.add_labels(view, target.lay_steps(view, TIMELINE, split), split)
        assert len(labels.ids) == asked
    _, (labels,) = target.add_labels(view, target.lay_steps(view, TIMELINE, "test"), "test")
    assert len(labels.ids) == 2  # the anchor's


def test_popularity_is_that_of_the_last_midnight_whatever_else_is_asked() -> None:
    """Neither of the next one, a day of everybody's future, nor of what others do at the query's own time."""
    others = [(2, "w", "a", 13.2), (2, "x", "a", 14.0), (3, "y", "a", 14.4), (3, "z", "a", 15.0), (3, "z", "a", 15.4)]
    mine = [(1, "v", "a", day) for day in (13.9, 14.0, 14.5, 15.0)]
    view = view_of([*ANCHORS, *others, *mine])
    queries = Queries(np.full(4, 1, np.int32), np.array([round(day * DAY) for *_, day in mine], np.int64))
    lately = popularity(view, queries, 1.0) > 0.2
    assert ["".join(sorted(view.names[row])) for row in lately] == ["w", "w", "vwx", "vwx"]


def test_popularity_at_a_query_does_not_hang_on_the_others() -> None:
    rng = np.random.default_rng(0)
    log = [(int(rng.integers(4)), "vwxyz"[rng.integers(5)], "a", float(d)) for d in np.sort(rng.uniform(0, 21, 400))]
    view = view_of(ANCHORS + log)
    for split in ("valid", "test"):
        queries = NextItem().lay_steps(view, TIMELINE, split).queries
        assert len(np.unique(queries.cutoff)) > 64
        for window in (0.5, 1.0, 30.0):
            together = popularity(view, queries, window)
            alone = np.concatenate([popularity(view, queries[q : q + 1], window) for q in range(len(queries))])
            assert together.tobytes() == alone.tobytes()
            assert (together.sum(1) > 0).all()
