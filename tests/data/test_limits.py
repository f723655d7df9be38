"""A history for each query, written out by hand."""

import numpy as np

from lab.baselines.markov import count_transitions
from lab.baselines.past_events import past, recent_counts
from lab.data.fold.queries import FoldView
from lab.data.rows.recent_histories import recent_histories
from lab.data.rows.steps import lay_steps
from lab.data.timeline import DAY, Timeline, microseconds
from lab.features.counts import decayed_counts
from tests.small_logs import small_histories, small_queries, small_view

EVENTS = [
    ("ann", "i", "a", 1),
    ("ann", "i", "b", 4),
    ("ann", "i", "a", 6),
    ("ann", "i", "a", 8),
    ("bob", "i", "b", 2),
    ("bob", "i", "b", 9.5),
]


def view(days: float | None = 5, sample: np.ndarray | None = None) -> FoldView:
    seen = small_view(small_histories(EVENTS), valid_day=8, test_day=11, horizons=(2,))
    history = None if days is None else microseconds(days)
    return FoldView(seen.histories, seen.fold, seen.candidate, seen.names, (), history, sample)


def test_each_query_has_the_days_before_it_and_its_own_tick() -> None:
    whole = lay_steps(view(), Timeline(min_events=1, query_every=2), "train")
    assert (whole.queries.cutoff // DAY).tolist() == [2, 4, 6, 2, 4, 6]
    seen, steps = recent_histories(view(), whole)
    assert np.diff(seen.histories.offsets).tolist() == [1, 2, 2, 1, 1, 1]
    # Day 1 lies on the limit of the cutoff at day 6, and is outside.
    assert (steps.time // DAY).tolist() == [1, 2, 1, 4, 4, 4, 6, 6, 2, 2, 2, 4, 2, 6]
    assert steps.event.tolist() == [0, -1, 1, 2, -1, 3, 4, -1, 5, -1, 6, -1, 7, -1]
    assert steps.tick.tolist() == [-1, 0, -1, -1, 1, -1, -1, 2, -1, 0, -1, 1, -1, 2]
    assert steps.queries.user.tolist() == [0, 1, 2, 3, 4, 5]
    assert seen.histories.rows is not None and seen.histories.rows.tolist() == [0, 0, 0, 1, 1, 1]
    # Counts begin anew with each query: the second event on a at day 6 is the first that is seen.
    assert decayed_counts(seen, (1e9,))[:, 0, 0].round(6).tolist() == [1] * 8


def test_a_query_that_sees_nothing_is_asked_all_the_same() -> None:
    whole = lay_steps(view(0.5), Timeline(min_events=1, query_every=2), "test")
    seen, steps = recent_histories(view(0.5), whole)
    assert len(seen.histories.time) == 0 and steps.tick.tolist() == whole.tick[whole.asked].tolist()


def test_a_baseline_counts_the_same_days_and_learns_from_all() -> None:
    queries = small_queries([(0, 8), (1, 8)])
    assert past(view(), queries).counts().tolist() == [[2, 1], [0, 0]]
    assert past(view(None), queries).counts().tolist() == [[3, 1], [0, 1]]
    assert count_transitions(view(), microseconds(8)).counts.toarray().tolist() == [[0, 1], [1, 0]]


def test_of_a_share_alone_is_anything_learned() -> None:
    some = view(None, np.array([False, True]))
    assert recent_counts(some, microseconds(8)).tolist() == [0, 1]
    assert count_transitions(some, microseconds(8)).counts.nnz == 0
    # What is known of a user's own past is not learned.
    assert past(some, small_queries([(0, 8)])).counts().tolist() == [[3, 1]]
    everyone = {split: lay_steps(view(None), Timeline(min_events=1), split) for split in ("train", "valid", "test")}
    asked = {split: lay_steps(some, Timeline(min_events=1), split).user.tolist() for split in everyone}
    assert asked == {"train": [1], "valid": [1], "test": [0, 1]}
    assert everyone["train"].user.tolist() == [0, 1]
