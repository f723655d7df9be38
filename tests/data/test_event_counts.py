"""Counts up to many instants at once, against a count of each alone."""

from dataclasses import replace

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from lab.data.fold.event_counts import EventCounts
from lab.data.timeline import DAY, microseconds
from tests.small_logs import small_histories, small_view


@settings(max_examples=60, deadline=None)
@given(
    events=st.lists(st.tuples(st.integers(0, 9), st.integers(0, 2), st.sampled_from([1, 1, -1])), max_size=30),
    moments=st.lists(st.integers(-1, 11), min_size=1, max_size=6, unique=True),
    days=st.sampled_from([0.5, 1.0, 3.0, np.inf]),
)
def test_counts_are_those_of_each_moment_alone(events: list, moments: list[int], days: float) -> None:
    events, moments = sorted(events), sorted(moments)
    columns = np.array(events, np.int64).reshape(-1, 3)
    counted = EventCounts(3, columns[:, 0] * DAY, columns[:, 1].astype(np.int32), columns[:, 2].astype(np.int8))
    found = counted.within(np.array(moments) * DAY, days)
    for moment, row in zip(moments, found, strict=True):
        since = -np.inf if np.isinf(days) else moment * DAY - microseconds(days)
        wanted = [sum(s for day, c, s in events if c == one and since < day * DAY <= moment * DAY) for one in range(3)]
        assert row.tolist() == [max(net, 0) for net in wanted]


def test_events_are_counted_of_the_users_that_are_learned_from() -> None:
    log = small_histories([("ann", "i", "a", 1), ("bob", "i", "a", 2), ("bob", "i", "b", 3), ("cy", "i", "b", 4)])
    view = small_view(log, 10, 15)
    some = replace(view, sample=np.array([True, False, True]))
    cutoff = np.array([microseconds(10)])
    assert view.names.tolist() == ["a", "b"]
    assert view.event_counts.within(cutoff).tolist() == [[2, 2]]
    assert some.event_counts.within(cutoff).tolist() == [[1, 1]]
