"""First touches, and what is seen by an instant, against the plain reading of a log."""

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lab.data.fold.seen_candidates import is_label_seen, seen_candidates
from lab.data.fold.touches import first_touches
from lab.data.schema import Behaviour
from tests.small_logs import small_histories, small_queries, small_view

KINDS = (Behaviour("view"), Behaviour("cancellation", -1))
EVENTS = st.lists(
    st.tuples(
        st.integers(0, 4),
        st.just("i"),
        st.sampled_from(["a", "b", "c", "late", None]),
        st.integers(0, 20),
        st.sampled_from([kind.name for kind in KINDS]),
    ),
    max_size=40,
)


@pytest.mark.parametrize("at_once", [1, 7, 1 << 22])
@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(events=EVENTS)
def test_touches_are_the_earliest_event_that_counts(
    events: list[tuple], at_once: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lab.data.fold.touches.EVENTS_AT_ONCE", at_once)
    log = small_histories([(0, "i", "a", 0), *events], behaviours=(*KINDS, Behaviour("purchase")), users=range(6))
    view = small_view(log, 10, 15)
    expected: dict[tuple[int, int], int] = {}
    for user in range(log.users):
        for event in range(log.offsets[user], log.offsets[user + 1]):
            if view.candidate[event] >= 0 and log.behaviours[log.behaviour[event]].sign > 0:
                expected.setdefault((user, int(view.candidate[event])), int(log.time[event]))
    found = first_touches(log, view.candidate)
    owner = np.repeat(np.arange(log.users), np.diff(found.offsets)).tolist()
    pairs = list(zip(owner, found.candidate.tolist(), strict=True))
    assert dict(zip(pairs, found.time.tolist(), strict=True)) == expected
    assert pairs == sorted(expected)


def test_seen_counts_from_the_instant_of_the_first_touch_on() -> None:
    log = small_histories([("ann", "i", "a", 1), ("ann", "i", "b", 3), ("ann", "i", "a", 5), ("bob", "i", "b", 2)])
    view = small_view(log, 10, 15)
    asked = small_queries([(0, 0.9), (0, 1), (0, 3), (1, 1), (1, 2)])
    seen = seen_candidates(view, asked)
    assert [view.names[row].tolist() for row in seen] == [[], ["a"], ["a", "b"], [], ["b"]]
    for candidate in range(view.candidates):
        label = np.full(len(asked), candidate, np.int32)
        assert is_label_seen(view, asked, label).tolist() == seen[:, candidate].tolist()
