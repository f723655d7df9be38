"""Steps: who is asked when, and what stands between; held against a loop over users, ticks and events."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lab.data.fold.queries import FoldView
from lab.data.rows.steps import Steps, lay_steps
from lab.data.timeline import Timeline, microseconds
from tests.small_logs import small_histories, small_view

USERS = range(4)
EVENTS = st.lists(
    st.tuples(
        st.sampled_from(USERS), st.just("i"), st.sampled_from("ab"), st.sampled_from([0, 1, 2, 3, 4.5, 6, 9, 11])
    ),
    min_size=1,
    max_size=25,
)
TIMELINES = st.builds(
    Timeline,
    query_every=st.sampled_from([1, 2.5, 4]),
    min_events=st.integers(1, 4),
    active_days=st.sampled_from([None, 1, 3.5]),
)


def lay(events: list[tuple], timeline: Timeline, split: str) -> tuple[FoldView, Steps]:
    log = small_histories(events, users=USERS)
    view = small_view(log, 8, 10, (2,), timeline.query_every)
    return view, lay_steps(view, timeline, split)


def by_hand(view: FoldView, timeline: Timeline, split: str) -> list[tuple[int, list[tuple[int, int, int, bool]]]]:
    """(user, its steps as (time, event, tick, asked)) for each user that is asked at all."""
    log, calendar = view.histories, view.fold.ticks(split).tolist()
    found = []
    for user in range(log.users):
        events = [(int(log.time[e]), e) for e in range(log.offsets[user], log.offsets[user + 1])]
        steps, last = [], None
        for k, moment in enumerate(calendar):
            known = [e for e in events if e[0] <= moment]
            recent = known if timeline.active_days is None else [
                e for e in known if e[0] > moment - microseconds(timeline.active_days)
            ]  # fmt: skip
            if len(known) >= timeline.min_events and recent:
                asked = split == "train" or k == len(calendar) - 1
                steps.append((moment, -1, k, asked))
                last = moment if asked else last
        if last is not None:
            steps = [step for step in steps if step[0] <= last]
            steps += [(moment, e, -1, False) for moment, e in events if moment <= last]
            found.append((user, sorted(steps, key=lambda s: (s[0], s[1] < 0, s[1]))))
    return found


@pytest.mark.parametrize("split", ["train", "valid", "test"])
@settings(max_examples=60, deadline=None)
@given(events=EVENTS, timeline=TIMELINES)
def test_steps_are_those_of_a_plain_loop(split: str, events: list[tuple], timeline: Timeline) -> None:
    view, steps = lay(events, timeline, split)
    expected = by_hand(view, timeline, split)
    assert steps.user.tolist() == [user for user, _ in expected]
    for w, (_, own) in enumerate(expected):
        inside = slice(steps.offsets[w], steps.offsets[w + 1])
        asked = np.isin(np.arange(steps.offsets[w], steps.offsets[w + 1]), steps.asked)
        found = list(zip(*(x.tolist() for x in (steps.time[inside], steps.event[inside], steps.tick[inside], asked)),
                         strict=True))  # fmt: skip
        assert found == own
    assert steps.offsets[-1] == len(steps)
    assert steps.queries.user.tolist() == [user for user, own in expected for step in own if step[3]]
    assert steps.queries.cutoff.tolist() == [step[0] for _, own in expected for step in own if step[3]]


def test_an_event_at_the_cutoff_is_known_and_one_after_it_is_not() -> None:
    events = [(0, "i", "a", 8), (1, "i", "a", 8 + 1e-9), (2, "i", "a", 7)]
    _, steps = lay(events, Timeline(query_every=1, min_events=1, active_days=1), "valid")
    # User 2's event is a whole day old: an active day is (cutoff - 1 day, cutoff].
    assert steps.user.tolist() == [0]
    assert steps.is_event.tolist() == [True, False] and steps.asked.tolist() == [1]


def test_a_calendar_without_ticks_asks_nobody() -> None:
    log = small_histories([(0, "i", "a", 7), (0, "i", "b", 8)])
    assert len(lay_steps(small_view(log, 8, 10, (2,), 5), Timeline(min_events=1), "train").asked) == 0


def test_many_users_are_taken_in_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    events = [(int(u), "i", "a", float(d)) for u, d in zip(rng.integers(0, 4, 60), rng.uniform(0, 10, 60), strict=True)]
    _, whole = lay(events, Timeline(query_every=1), "train")
    monkeypatch.setattr("lab.data.rows.steps._USERS_AT_ONCE", 3)
    _, blocks = lay(events, Timeline(query_every=1), "train")
    for name in ("offsets", "user", "event", "tick", "time", "asked"):
        assert np.array_equal(getattr(whole, name), getattr(blocks, name))
