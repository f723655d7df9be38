"""Segments, packing, entries and the layout of rows: every step, query and entry at its place, and nothing else."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from lab.data.fold.queries import FoldView
from lab.data.fold.seen_candidates import seen_candidates
from lab.data.rows.batch import EntryArrays, LabelArrays, QueryArrays, Rows
from lab.data.rows.packing import Segments, cut_from_end, cut_from_start, cut_per_query, pack
from lab.data.rows.steps import Steps, lay_steps
from lab.data.schema import Behaviour
from lab.data.timeline import DAY, Timeline
from lab.dataset.dataset import Dataset, Split, build_dataset
from lab.features.category import Category
from lab.features.habit import Habit
from lab.running.plan import _memory_text, _wide
from lab.targets import Interest
from tests.small_logs import small_histories, small_view

KINDS = (Behaviour("view"), Behaviour("purchase"), Behaviour("cancellation", -1))
TIMELINE = Timeline(query_every=2, min_events=2, active_days=None)
# Whatever else happens, this user gives every split a query and a label.
ANCHOR = [(9, "i", "a", float(day)) for day in range(0, 34, 2)]
EVENTS = st.lists(
    st.tuples(
        st.integers(0, 4),
        st.just("i"),
        st.sampled_from(["a", "b", "c", None]),
        st.floats(0, 32).map(lambda day: round(day * 2) / 2),
        st.sampled_from([kind.name for kind in KINDS]),
    ),
    max_size=60,
)
SHAPES = st.sampled_from([(4, 0), (6, 2), (16, 4), (64, 16)])
CAUSAL = st.booleans()


def view_of(events: list[tuple]) -> FoldView:
    return small_view(small_histories(ANCHOR + events, behaviours=KINDS), 22, 27, (2, 5), 2)


def build(events: list[tuple], shape: tuple[int, int], causal: bool = True) -> Dataset:
    return build_dataset(view_of(events), TIMELINE, Interest(), [Category(), Habit()], *shape, causal)


def segments_of(steps: Steps, shape: tuple[int, int], causal: bool) -> Segments:
    return cut_from_end(steps, *shape) if causal else cut_per_query(steps, shape[0])


def steps_of(split: Split, view: FoldView) -> Steps:
    """The steps, with the split's own queries as those that are asked."""
    steps = lay_steps(view, TIMELINE, split.name)
    asked = set(zip(split.queries.user.tolist(), split.queries.cutoff.tolist(), strict=True))
    mine = zip(steps.queries.user.tolist(), steps.queries.cutoff.tolist(), strict=True)
    kept = np.array([query in asked for query in mine])
    return Steps(steps.offsets, steps.user, steps.event, steps.tick, steps.time, steps.asked[kept], steps.calendar)


@settings(max_examples=50, deadline=None)
@given(events=EVENTS, shape=SHAPES, split=st.sampled_from(["train", "valid", "test"]))
def test_every_query_is_in_one_segment_with_the_context_it_was_promised(
    events: list[tuple], shape: tuple[int, int], split: str
) -> None:
    row_length, overlap = shape
    steps = lay_steps(view_of(events), TIMELINE, split)
    segments = cut_from_end(steps, row_length, overlap)
    answered = [q for a, b in zip(segments.query_begin, segments.query_stop, strict=True) for q in range(a, b)]
    assert answered == list(range(len(steps.asked)))
    assert segments.length.max() <= row_length
    for s in range(len(segments)):
        asked = steps.asked[segments.query_begin[s] : segments.query_stop[s]]
        owner = steps.owner[asked]
        begin, stop = segments.begin[s], segments.stop[s]
        assert len(asked) and (owner == owner[0]).all()
        assert steps.offsets[owner[0]] <= begin and stop <= steps.offsets[owner[0] + 1]
        assert ((begin <= asked) & (asked < stop)).all()
        # At least `overlap` steps before each, or all that there are.
        assert (np.minimum(asked - steps.offsets[owner[0]], overlap) <= asked - begin).all()


@settings(max_examples=50, deadline=None)
@given(events=EVENTS, row_length=st.sampled_from([4, 16, 64]), split=st.sampled_from(["train", "valid", "test"]))
def test_a_segment_of_one_query_ends_there_and_holds_all_that_fits(
    events: list[tuple], row_length: int, split: str
) -> None:
    steps = lay_steps(view_of(events), TIMELINE, split)
    segments = cut_per_query(steps, row_length)
    assert segments.query_begin.tolist() == list(range(len(steps.asked)))
    assert (segments.query_stop == segments.query_begin + 1).all()
    assert np.array_equal(segments.stop, steps.asked + 1)
    known = steps.asked + 1 - steps.offsets[steps.owner[steps.asked]]
    assert np.array_equal(segments.length, np.minimum(known, row_length))


@given(lengths=st.lists(st.integers(1, 16), min_size=1, max_size=80))
def test_packing_wastes_little_and_overlaps_nothing(lengths: list[int]) -> None:
    packing = pack(np.array(lengths), 16)
    taken = np.zeros((packing.rows, 16), int)
    for length, row, place in zip(lengths, packing.row, packing.place, strict=True):
        taken[row, place : place + length] += 1
        assert place + length <= 16
    assert taken.max() == 1 and taken.any(1).all()
    used = taken.sum(1)
    # No two rows would fit into one, so at most one is less than half full.
    assert len(used) < 2 or np.sort(used)[:2].sum() > 16
    # Best fit decreasing needs at most 11/9 of the fewest rows, and 6/9 more (Dosa 2007, the same bound as first fit).
    assert 9 * packing.rows <= 11 * -(-sum(lengths) // 16) + 6 + 9 * sum(length > 8 for length in lengths)
    assert packing.padding(np.array(lengths), 16) == 1 - sum(lengths) / (16 * packing.rows)


def test_ordinary_lengths_leave_less_than_a_twentieth_empty() -> None:
    lengths = np.clip(np.random.default_rng(0).lognormal(3, 1, 2000).astype(int), 1, 128)
    assert pack(lengths, 128).padding(lengths, 128) < 0.02


@settings(max_examples=50, deadline=None)
@given(events=EVENTS, shape=SHAPES, causal=CAUSAL)
def test_rows_hold_each_segment_whole_and_start_it(events: list[tuple], shape: tuple[int, int], causal: bool) -> None:
    data = build(events, shape, causal)
    for split in data.splits.values():
        steps = steps_of(split, data.view)
        segments = segments_of(steps, shape, causal)
        packing = pack(segments.length, shape[0])
        free = np.ones(split.rows.start.shape, bool)
        for s in range(len(segments)):
            row, place, source = where(segments, s, packing)
            free[row, place] = False
            began = steps.time[steps.offsets[steps.owner[source[0]]]]
            assert split.rows.start[row, place].tolist() == [True] + [False] * (len(source) - 1)
            assert np.array_equal(split.rows.tick[row, place], ~steps.is_event[source])
            assert np.array_equal(split.rows.time[row, place], ((steps.time[source] - began) / DAY).astype(np.float32))
            category = [0 if e < 0 else c_id(data.view, e) for e in steps.event[source]]
            assert split.rows.columns["category"]["id"][row, place].tolist() == category
        assert not split.rows.tick[free].any() and not split.rows.columns["category"]["id"][free].any()
        # The padding starts once in each row that has any.
        assert np.array_equal((split.rows.start & free).sum(1), free.any(1))
        assert np.isclose(split.padding, free.mean()) and split.packed.segments.length.sum() == (~free).sum()


def test_a_row_longer_than_all_it_holds_is_told() -> None:
    fitting, wide = (build([], (length, 2)).splits["train"].packed for length in (6, 600))
    assert list(_wide(fitting)) == []
    (line,) = _wide(wide)
    held = int(wide.segments.length.sum())
    assert line.startswith(f"training.row_length: a row of 600 steps holds all {held} of train")


def where(segments: Segments, s: int, packing) -> tuple[int, slice, np.ndarray]:
    place = int(packing.place[s])
    source = np.arange(segments.begin[s], segments.stop[s])
    return int(packing.row[s]), slice(place, place + len(source)), source


def c_id(view: FoldView, event: int) -> int:
    return view.candidates + 1 if view.candidate[event] < 0 else int(view.candidate[event]) + 1


@settings(max_examples=50, deadline=None)
@given(events=EVENTS, shape=SHAPES, causal=CAUSAL)
def test_queries_and_labels_stand_where_they_are_asked(
    events: list[tuple], shape: tuple[int, int], causal: bool
) -> None:
    data = build(events, shape, causal)
    for split in data.splits.values():
        rows = split.rows
        assert np.array_equal(np.sort(split.slot[split.slot >= 0]), np.arange(len(split.queries)))
        assert np.array_equal(rows.query.real, split.slot >= 0)
        calendar = data.view.fold.ticks(split.name)
        row, slot = np.nonzero(rows.query.real)
        position = rows.query.position[row, slot]
        query = split.slot[row, slot]
        assert rows.tick[row, position].all()
        assert np.array_equal(calendar[rows.query.calendar[row, slot]], split.queries.cutoff[query])
        assert np.array_equal(split.gather(split.slot), np.arange(len(split.queries)))
        for h, labels in enumerate(split.labels):
            r, at = np.nonzero(rows.label.weight[:, h])
            found = zip(
                split.slot[r, rows.label.query[r, h, at]].tolist(),
                rows.label.id[r, h, at].tolist(),
                rows.label.weight[r, h, at].tolist(),
                strict=True,
            )
            of = np.repeat(np.arange(len(labels)), np.diff(labels.offsets))
            assert sorted(found) == list(zip(of.tolist(), labels.ids.tolist(), labels.weights.tolist(), strict=True))


@settings(max_examples=80, deadline=None)
@given(events=EVENTS, shape=SHAPES, causal=CAUSAL)
def test_the_entries_alive_at_a_query_are_what_its_user_has_seen(
    events: list[tuple], shape: tuple[int, int], causal: bool
) -> None:
    data = build(events, shape, causal)
    log = data.view.histories
    for split in data.splits.values():
        rows, entry, living = split.rows, split.rows.entry, split.rows.alive
        seen = seen_candidates(data.view, split.queries)
        for row, slot in zip(*np.nonzero(rows.query.real), strict=True):
            query = split.slot[row, slot]
            user, cutoff = split.queries.user[query], split.queries.cutoff[query]
            alive = np.flatnonzero(living[row, slot])
            candidates = entry.candidate[row, alive].tolist()
            assert sorted(candidates) == np.flatnonzero(seen[query]).tolist()  # each once
            for place, candidate in zip(alive, candidates, strict=True):
                own = np.arange(int(log.offsets[user]), int(log.offsets[user + 1]))
                last = own[(data.view.candidate[own] == candidate) & (log.time[own] <= cutoff)][-1]
                count = rows.entry_columns["habit"]["count"][row, place]
                assert np.array_equal(count, Habit().transform_events(data.view, data.states["habit"])["count"][last])
                began = log.time[log.offsets[user]]
                assert entry.time[row, place] == np.float32((log.time[last] - began) / DAY)


def test_an_entry_is_alive_from_its_first_step_and_no_more_at_its_stop() -> None:
    """Behind its stop may be the first step of another history, and that step may be asked."""
    query = QueryArrays(position=np.array([[0, 1, 2, 3]]), calendar=None, real=None)
    entry = EntryArrays(candidate=None, first=np.array([[1]]), stop=np.array([[3]]), time=None)
    rows = Rows(None, None, None, {}, query, entry, {}, LabelArrays(None, None, None))
    assert rows.alive[0, :, 0].tolist() == [False, True, True, False]


@given(events=EVENTS)
def test_seen_is_touched_by_something_that_counts(events: list[tuple]) -> None:
    view = view_of(events)
    log = view.histories
    queries = lay_steps(view, TIMELINE, "test").queries
    for q, row in enumerate(seen_candidates(view, queries)):
        own = range(log.offsets[queries.user[q]], log.offsets[queries.user[q] + 1])
        touched = {
            int(view.candidate[e])
            for e in own
            if log.time[e] <= queries.cutoff[q] and log.behaviours[log.behaviour[e]].sign > 0
        }
        assert set(np.flatnonzero(row).tolist()) == touched - {-1}


def test_a_plan_tells_what_large_parameters_take() -> None:
    assert _memory_text(10**7) == "" and _memory_text(10**9) == " (at least 16 GB)"


def steps_asked(lengths: list[int], asked: np.ndarray) -> Steps:
    """Histories of so many events each, some of which are asked."""
    events = sum(lengths)
    offsets = np.append(0, np.cumsum(lengths))
    none = np.full(events, -1, np.int32)
    users = np.arange(len(lengths), dtype=np.int32)
    return Steps(offsets, users, np.arange(events), none, np.arange(events), np.flatnonzero(asked), np.zeros(0, int))


@settings(max_examples=100, deadline=None)
@given(
    lengths=st.lists(st.integers(1, 40), min_size=1, max_size=4),
    shape=st.sampled_from([(1, 0), (4, 0), (5, 3), (6, 2), (16, 8)]),
    from_first_query=st.booleans(),
    data=st.data(),
)
def test_cut_forward_gives_each_query_its_context_whatever_follows(
    lengths: list[int], shape: tuple[int, int], from_first_query: bool, data: st.DataObject
) -> None:
    row_length, overlap = shape
    asked = np.array(data.draw(st.lists(st.booleans(), min_size=sum(lengths), max_size=sum(lengths))))
    steps = steps_asked(lengths, asked)
    segments = cut_from_start(steps, row_length, overlap, from_first_query)
    answered = [q for a, b in zip(segments.query_begin, segments.query_stop, strict=True) for q in range(a, b)]
    assert answered == list(range(len(steps.asked))) and (segments.length <= row_length).all()
    begin = np.repeat(segments.begin, segments.query_stop - segments.query_begin)
    stop = np.repeat(segments.stop, segments.query_stop - segments.query_begin)
    first = steps.offsets[steps.owner[steps.asked]]
    assert ((first <= begin) & (begin <= steps.asked) & (steps.asked < stop)).all()
    assert (np.minimum(steps.asked - first, overlap) <= steps.asked - begin).all()
    if not len(steps.asked):
        return
    # The last history cut off behind one of its queries: from where that one is read stays.
    query = data.draw(st.integers(0, len(steps.asked) - 1))
    owner, last = steps.owner[steps.asked[query]], steps.asked[query] + 1
    known = [*lengths[:owner], int(last - steps.offsets[owner])]
    again = cut_from_start(steps_asked(known, asked[:last]), row_length, overlap, from_first_query)
    assert np.repeat(again.begin, again.query_stop - again.query_begin)[query] == begin[query]


def test_cut_forward_begins_with_the_history_or_just_before_its_first_query() -> None:
    asked = np.zeros(30, bool)
    asked[[13, 14, 20, 21, 29]] = True
    steps = steps_asked([30], asked)
    found = {}
    for first in (False, True):
        cut_ = cut_from_start(steps, 8, 4, first)
        found[first] = list(zip(cut_.begin.tolist(), cut_.stop.tolist(), cut_.query_begin.tolist(), strict=True))
    assert found == {
        False: [(8, 16, 0), (16, 24, 2), (24, 30, 4)],
        True: [(9, 17, 0), (13, 21, 2), (17, 25, 3), (25, 30, 4)],
    }
