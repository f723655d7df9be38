"""What a limit leaves out reaches nothing: no past older than `history_days`, no user outside of the share.

Events that may not be seen are given to other users. What everybody did stays the same to the event, so that a
difference can only come from whose past it is.
"""

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings

from lab.baselines import LabelledQueries, default_baselines
from lab.data.fold.limits import Limits
from lab.data.log.histories import Histories
from lab.data.timeline import microseconds
from lab.dataset.dataset import Dataset
from tests.leakage.futures import FEW, SEEDS
from tests.leakage.test_inputs import asked_of, assert_same_inputs, same, without_labels
from tests.whole_path import GROUPS, START, TEST, VALID, Event, fold_of, prepared, shop_events, with_another_future

ALONE = tuple(group for group in GROUPS if group != "together")
"""Groups whose fitted state does not hang on who did what."""
WEEK = Limits(history_days=7)
SOME = Limits(share=0.5)


def without_cancellations(seed: int, users: int = 10) -> list[Event]:
    """Which of them stay is up to cleaning, and follows from whose purchase was open."""
    return [e | {"behaviour": "look"} if e["behaviour"] == "undo" else e for e in shop_events(seed, users)]


def dealt_anew(events: list[Event], until: float, users: set[str], seed: int) -> list[Event]:
    """The events of some users up to a day, dealt out among them: to each as many as before."""
    chosen = [i for i, e in enumerate(events) if e["user"] in users and int(str(e["time"])) <= _day(until)]
    dealt = np.random.default_rng(seed).permutation(len(chosen))
    changed = list(events)
    for i, other in zip(chosen, dealt, strict=True):
        changed[i] = events[i] | {"user": events[chosen[other]]["user"]}
    return changed


def _day(day: float) -> int:
    return microseconds(START + day)


def everyone(events: list[Event]) -> set[str]:
    return {str(e["user"]) for e in events} - {"anchor"}


FEWER = settings(FEW, max_examples=4)


@FEWER
@given(seed=SEEDS, deal=SEEDS)
def test_nothing_older_than_the_limit_reaches_a_query(caches: Path, seed: int, deal: int) -> None:
    events = without_cancellations(seed)
    for split, cutoff in (("valid", VALID), ("test", TEST)):
        other = dealt_anew(events, cutoff - 7, everyone(events), deal)
        before, after = (fold_of(prepared(log, caches), ALONE, limits=WEEK) for log in (events, other))
        assert len(before.splits[split].queries) > 1
        assert_same_inputs_where_asked(before, after, split)


def assert_same_inputs_where_asked(before: Dataset, after: Dataset, split: str) -> None:
    """Whether a user is asked may hang on the whole past; the inputs of those who are may not."""
    asked = [set(asked_of(data.view.histories, data.splits[split].queries)) for data in (before, after)]
    if asked[0] == asked[1]:
        assert_same_inputs(before, after, (split,))
    for name, own in _events_seen(before, split).items():
        assert name not in asked[1] or _events_seen(after, split)[name] == own


def _events_seen(data: Dataset, split: str) -> dict[tuple[str, int], list[tuple]]:
    """What each query's history is made of."""
    packed, queries = data.splits[split].packed, data.splits[split].queries
    histories = packed.view.histories
    rows = list(zip(histories.time.tolist(), packed.view.candidate.tolist(), histories.item.tolist(), strict=True))
    parts = [rows[a:b] for a, b in pairwise(histories.offsets)]
    return dict(zip(asked_of(data.view.histories, queries), parts, strict=True))


def test_without_the_limit_the_same_deal_is_seen(caches: Path) -> None:
    events = without_cancellations(0)
    other = dealt_anew(events, TEST - 7, everyone(events), 0)
    before, after = (fold_of(prepared(log, caches), ALONE).splits["test"] for log in (events, other))
    assert not same(without_labels(before), without_labels(after))


@FEWER
@given(seed=SEEDS, deal=SEEDS)
def test_a_baseline_sees_no_older_past_either(caches: Path, seed: int, deal: int) -> None:
    events = without_cancellations(seed)
    other = dealt_anew(events, TEST - 7, everyone(events), deal)
    (before, after), whole = (
        [fold_of(prepared(log, caches), ("category",), limits=limits) for log in (events, other)]
        for limits in (WEEK, Limits())
    )
    queries = before.splits["test"].queries
    split = before.splits
    known, chosen_on = (LabelledQueries(split[name].queries, split[name].labels[0]) for name in ("train", "valid"))
    fits = [b.fit(before.view, known, chosen_on, before.view.fold.horizons[0]) for b in default_baselines()]
    for fitted in fits:
        assert np.array_equal(fitted.scores(before.view, queries), fitted.scores(after.view, queries)), fitted
    told = [fits[-1].scores(data.view, queries) for data in whole]
    assert not np.array_equal(told[0], told[1]), "what is dealt anew would be seen without the limit"


def test_a_limit_as_long_as_the_log_leaves_out_nothing(caches: Path) -> None:
    histories = prepared(shop_events(0), caches)
    data = fold_of(histories, ALONE, limits=Limits(history_days=1000))
    for name, split in data.splits.items():
        for (user, cutoff), seen in _events_seen(data, name).items():
            mine = slice(*histories.offsets[row_of(histories, user) :][:2])
            assert [time for time, *_ in seen] == [t for t in histories.time[mine].tolist() if t <= cutoff]
        assert split.queries.user.tolist() == fold_of(histories, ALONE).splits[name].queries.user.tolist()


def row_of(histories: Histories, user: str) -> int:
    return histories.user_names.tolist().index(user)


def drawn_users(histories: Histories, share: float, seed: int = 0, until: float = VALID) -> set[str]:
    """Names of the users that are learned from."""
    mask = Limits(share=share, seed=seed).sample_users(histories, _day(until))
    assert mask is not None
    return set(histories.user_names[mask].tolist())


@FEWER
@given(seed=SEEDS, future=SEEDS)
def test_shares_are_nested_and_drawn_from_what_is_known(caches: Path, seed: int, future: int) -> None:
    events = shop_events(seed, users=40, each=5)
    log, other = (prepared(e, caches) for e in (events, with_another_future(events, VALID, future)))
    shares = [drawn_users(log, share) for share in (0.05, 0.1, 0.3, 0.99)]
    assert all(small < large for small, large in pairwise(shares))
    assert len(shares[1]) == round(0.1 * len(drawn_users(log, 0.9999)))
    assert shares == [drawn_users(other, share) for share in (0.05, 0.1, 0.3, 0.99)]
    assert drawn_users(log, 0.3, seed=1) != shares[2]
    assert Limits().sample_users(log, _day(VALID)) is None


@FEWER
@given(seed=SEEDS, deal=SEEDS)
def test_nothing_of_users_outside_the_share_is_learned(caches: Path, seed: int, deal: int) -> None:
    events = without_cancellations(seed, users=16)
    log = prepared(events, caches)
    outside = everyone(events) - drawn_users(log, SOME.share)
    other = dealt_anew(events, VALID, outside, deal)
    before, after = (fold_of(h, GROUPS, limits=SOME) for h in (log, prepared(other, caches)))
    assert_same_inputs(before, after, ("train", "valid"))
    assert {name for name, _ in asked_of(log, before.splits["train"].queries)} <= drawn_users(log, SOME.share)
    whole = fold_of(log, GROUPS).splits["test"].queries
    assert asked_of(log, before.splits["test"].queries) == asked_of(log, whole)


@FEWER
@given(seed=SEEDS, deal=SEEDS)
def test_a_baseline_learns_nothing_of_users_outside_the_share(caches: Path, seed: int, deal: int) -> None:
    events = without_cancellations(seed, users=16)
    log = prepared(events, caches)
    inside = drawn_users(log, SOME.share)
    other = dealt_anew(events, VALID, everyone(events) - inside, deal)
    told = []
    for histories in (log, prepared(other, caches)):
        data = fold_of(histories, ("category",), limits=SOME)
        train, valid, test = (data.splits[name] for name in ("train", "valid", "test"))
        own = np.array([name in inside for name, _ in asked_of(histories, test.queries)])
        known, chosen_on = (LabelledQueries(split.queries, split.labels[0]) for split in (train, valid))
        fitted = [b.fit(data.view, known, chosen_on, data.view.fold.horizons[0]) for b in default_baselines()]
        told.append([one.log_probabilities(one.scores(data.view, test.queries[np.flatnonzero(own)])) for one in fitted])
    assert same(*told)


def test_shards_hold_the_users_of_the_share_alone(caches: Path) -> None:
    log = prepared(shop_events(0, users=40), caches)
    data = fold_of(log, ("category",), shard_events=150, limits=Limits(history_days=7, share=0.5))
    assert len(data.rest) > 0
    found = set(asked_of(data.view.histories, data.splits["train"].queries))
    for view, rows in zip(data.view.rest, data.rest, strict=True):
        assert view.sample is not None and view.history == microseconds(7)
        found |= set() if rows is None else {(name, 0) for name in rows.view.histories.user_names.tolist()}
    assert {name for name, _ in found} <= drawn_users(log, 0.5)


@pytest.mark.parametrize("limits", [WEEK, SOME])
def test_the_future_is_as_far_as_ever(caches: Path, limits: Limits) -> None:
    events = shop_events(3)
    other = with_another_future(events, TEST, 1)
    before, after = (fold_of(prepared(log, caches), limits=limits) for log in (events, other))
    assert_same_inputs(before, after, ("train", "valid", "test"))
