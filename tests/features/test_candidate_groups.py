"""Candidate-side groups: decayed counts and recent popularity against plain double loops."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from lab.core.errors import InputError
from lab.data.fold.queries import FoldView
from lab.data.fold.view import truncate_view
from lab.data.rows.steps import lay_steps
from lab.data.schema import Behaviour
from lab.data.timeline import DAY, Timeline
from lab.dataset.dataset import build_dataset
from lab.features.counts import counts_at_queries, decayed_counts
from lab.features.habit import Habit
from lab.features.popularity import Popularity
from lab.models.network import QueryContext
from lab.targets import Interest
from tests.small_logs import small_histories, small_view

KINDS = (Behaviour("view"), Behaviour("purchase"), Behaviour("cancellation", -1))
SCALES = (0.5, 3.0, 90.0)
TIMELINE = Timeline(query_every=2, min_events=1, active_days=None)
ANCHOR = [(9, "i", "a", float(day), "view") for day in range(0, 34, 2)]
EVENTS = st.lists(
    st.tuples(
        st.integers(0, 3),
        st.just("i"),
        st.sampled_from(["a", "b", None]),
        st.floats(0, 32) | st.integers(0, 32).map(float),  # whole days tie with ticks and with begins of windows
        st.sampled_from([kind.name for kind in KINDS]),
    ),
    max_size=40,
)


def view_of(events: list[tuple]) -> FoldView:
    return small_view(small_histories(ANCHOR + events, behaviours=KINDS), 22, 27, (2, 5), 2)


def count_by_hand(view: FoldView, user: int, candidate: int, last: int, moment: int) -> np.ndarray:
    """float64[K, S]: the counts known at a moment of what a user did on a candidate up to the event `last`."""
    log = view.histories
    state, before = np.zeros((len(KINDS), len(SCALES))), None
    for e in range(log.offsets[user], last + 1):
        if view.candidate[e] != candidate:
            continue
        now = int(log.time[e])
        state *= 1 if before is None else np.exp(-(now - before) / DAY / np.array(SCALES))
        # What is cancelled is a purchase, and no count falls below nothing.
        kind = log.behaviours[log.behaviour[e]].name
        state[1 if kind in ("purchase", "cancellation") else 0] += -1 if kind == "cancellation" else 1
        state, before = np.maximum(state, 0), now
    assert before is not None
    return state * np.exp(-(moment - before) / DAY / np.array(SCALES))


@settings(max_examples=60, deadline=None)
@given(events=EVENTS)
def test_decayed_counts_are_those_of_a_double_loop(events: list[tuple]) -> None:
    view = view_of(events)
    log = view.histories
    counts = decayed_counts(view, SCALES)
    assert counts.dtype == np.float32
    for e in range(log.events):
        candidate = int(view.candidate[e])
        wanted = 0 if candidate < 0 else count_by_hand(view, int(log.user_of_event[e]), candidate, e, int(log.time[e]))
        assert np.allclose(counts[e], wanted, rtol=1e-6, atol=1e-7)


@settings(max_examples=5, deadline=None, phases=[Phase.generate])
@given(events=EVENTS)
def test_the_network_decays_counts_to_the_query(events: list[tuple]) -> None:
    data = build_dataset(view_of(events), TIMELINE, Interest(), [Habit(days=SCALES)], 32, 8)
    view = data.view
    log, split = view.histories, data.splits["test"]
    rows, entry = split.rows, split.rows.entry
    at_queries = counts_in_network(data)
    for row, slot in zip(*np.nonzero(rows.query.real), strict=True):
        position, query = rows.query.position[row, slot], split.slot[row, slot]
        user, cutoff = split.queries.user[query], split.queries.cutoff[query]
        for place in np.flatnonzero((entry.first[row] <= position) & (position < entry.stop[row])):
            candidate = int(entry.candidate[row, place])
            last = int(np.searchsorted(log.time[log.offsets[user] : log.offsets[user + 1]], cutoff, "right"))
            wanted = count_by_hand(view, int(user), candidate, int(log.offsets[user]) + last - 1, int(cutoff))
            assert np.allclose(at_queries[row, slot, place], wanted, rtol=1e-4, atol=1e-6)


def counts_in_network(data) -> np.ndarray:
    """float32[R, Q, E, K, S], as the network computes them."""
    rows = data.splits["test"].rows
    time = jnp.take_along_axis(jnp.asarray(rows.time), jnp.asarray(rows.query.position), axis=1)
    entry = jax.tree.map(jnp.asarray, rows.entry)
    # What it looks at and no more.
    context = QueryContext(**dict.fromkeys(QueryContext._fields) | {"time": time, "entry": entry})  # type: ignore[arg-type]
    with jax.numpy_rank_promotion("allow"):
        return np.asarray(counts_at_queries(context, jnp.asarray(rows.entry_columns["habit"]["count"]), SCALES))


@settings(max_examples=40, deadline=None)
@given(events=EVENTS)
def test_popularity_counts_its_windows(events: list[tuple]) -> None:
    view = view_of(events)
    log, group = view.histories, Popularity(days=(2, 7), smoothing=5)
    state = group.fit(truncate_view(view, view.fold.valid_cutoff))
    steps = lay_steps(view, TIMELINE, "test")
    deviation = group.tables(view, steps, state)["deviation"]
    sign = np.array([log.behaviours[b].sign for b in log.behaviour])

    def net(inside: np.ndarray) -> np.ndarray:
        of = [sign[inside & (view.candidate == c)].sum() for c in range(view.candidates)]
        return np.maximum(np.array(of, float), 0)

    share = net(log.time <= view.fold.valid_cutoff) + 1
    share /= share.sum()
    ticks = len(steps.calendar)
    assert deviation.shape[1:] == (view.candidates, 2) and deviation.dtype == np.float32
    assert ticks <= len(deviation) < 2 * ticks and not deviation[ticks:].any()
    for k, tick in enumerate(steps.calendar):
        for p, days in enumerate((2, 7)):
            mixed = net((log.time > tick - days * DAY) & (log.time <= tick)) + 5 * share
            assert np.allclose(deviation[k, :, p], np.log(mixed / mixed.sum() / share), atol=1e-5)


@pytest.mark.parametrize(
    ("group", "settings_"),
    [(Habit, {"days": (0,)}), (Popularity, {"days": (-1,)}), (Popularity, {"smoothing": 0})],
)
def test_wrong_settings_are_named(group: type, settings_: dict) -> None:
    with pytest.raises(InputError, match=rf"groups\.{group.name}\.{next(iter(settings_))}"):  # type: ignore[attr-defined]
        group(**settings_)
