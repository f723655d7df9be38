"""One fold made ready: rows, tables, queries and labels of its three splits."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from lab.data.batch import Columns, EntryArrays, LabelArrays, QueryArrays, Rows
from lab.data.entries import Entries, trace_entries
from lab.data.packing import Packing, Segments, cut, pack
from lab.data.queries import FoldView, Labels, Queries
from lab.data.search import events_until, expand
from lab.data.steps import Steps, lay_steps
from lab.data.timeline import DAY, Timeline, date_text
from lab.data.view import known_at
from lab.errors import InputError
from lab.features.base import FeatureGroup, State
from lab.targets.base import Target

SPLITS = ("train", "valid", "test")


@dataclass(frozen=True)
class Split:
    """One split of a fold, as arrays."""

    name: str
    queries: Queries
    """Every query of the split; in training those with a label for some horizon."""
    labels: tuple[Labels, ...]
    """One for each horizon, in the experiment's order."""
    rows: Rows
    tables: Columns
    slot: np.ndarray
    """int64[R, Q]: which query each slot of the rows answers, -1 in the padding."""
    padding: float
    """Share of the rows' steps that hold nothing."""
    steps: int
    """Steps the rows hold, repeated context included."""

    def gather(self, values: np.ndarray) -> np.ndarray:
        """Values of slots [R, Q, ...] brought to the order of `queries`."""
        flat = self.slot.reshape(-1)
        out = np.empty((len(self.queries), *values.shape[2:]), values.dtype)
        out[flat[flat >= 0]] = values.reshape(-1, *values.shape[2:])[flat >= 0]
        return out


@dataclass(frozen=True)
class Dataset:
    """A fold, its fitted feature groups and its splits."""

    view: FoldView
    groups: Mapping[str, FeatureGroup]
    states: Mapping[str, State]
    splits: Mapping[str, Split]

    @cached_property
    def seen(self) -> np.ndarray:
        """bool[Q, C]: what each user of the test split has touched by its cutoff."""
        return seen_by(self.view, self.splits["test"].queries)


def build_dataset(
    view: FoldView,
    timeline: Timeline,
    target: Target,
    groups: Sequence[FeatureGroup],
    row_length: int,
    overlap: int,
) -> Dataset:
    """Fit the groups on what the valid cutoff knows, then lay out all three splits."""
    known = known_at(view, view.fold.valid_cutoff)
    states = {group.name: group.fit(known) for group in groups}
    prior = np.log(known.shares()).astype(np.float32)
    columns = {g.name: g.transform_events(view, states[g.name]) for g in groups if g.side == "candidate"}
    splits = {}
    for name in SPLITS:
        splits[name] = _build_split(view, timeline, target, groups, states, columns, prior, name, row_length, overlap)
    return Dataset(view, {g.name: g for g in groups}, states, splits)


def _build_split(
    view: FoldView,
    timeline: Timeline,
    target: Target,
    groups: Sequence[FeatureGroup],
    states: Mapping[str, State],
    event_columns: Columns,
    prior: np.ndarray,
    name: str,
    row_length: int,
    overlap: int,
) -> Split:
    steps = lay_steps(view, timeline, name)
    if not len(steps.asked):
        raise InputError(_nobody(view, timeline, name))
    steps, labels = _label(view, target, steps, name)
    if not any(len(answer.ids) for answer in labels):
        raise InputError(_silent(view, name))
    segments = cut(steps, row_length, overlap)
    packing = pack(segments.length, row_length)
    entries = trace_entries(view, steps, segments)
    layout = _Layout(steps, segments, packing, row_length)
    rows = Rows(
        **layout.clock(),
        columns={
            g.name: {k: layout.steps(v) for k, v in g.transform(view, steps, states[g.name]).items()}
            for g in groups
            if g.side == "step"
        },
        query=layout.queries(),
        entry=layout.entries(view, entries),
        entry_columns={g: {k: layout.entry_column(entries, v) for k, v in c.items()} for g, c in event_columns.items()},
        label=layout.labels(labels),
    )
    tables: Columns = {g.name: g.tables(view, steps, states[g.name]) for g in groups if g.side == "candidate"}
    tables["head"] = {"prior": prior}
    padding = packing.padding(segments.length, row_length)
    return Split(name, steps.queries, labels, rows, tables, layout.slot, padding, int(segments.length.sum()))


def _label(view: FoldView, target: Target, steps: Steps, split: str) -> tuple[Steps, tuple[Labels, ...]]:
    """Labels for each horizon; training asks only where a window has closed and is not silent.

    Valid and test keep every query, so that what happens after the cutoff cannot even move one.
    """
    queries = steps.queries
    horizons = view.fold.horizons
    labels = tuple(target.labels(view, queries, h) for h in horizons)
    if split != "train":
        return steps, labels
    closed = [queries.cutoff + h <= view.fold.closes_by("train") for h in horizons]
    labels = tuple(_keep(answer, ok) for answer, ok in zip(labels, closed, strict=True))
    some = np.any([np.diff(answer.offsets) > 0 for answer in labels], axis=0)
    return replace(steps, asked=steps.asked[some]), tuple(_rows_of(answer, some) for answer in labels)


def _keep(labels: Labels, ok: np.ndarray) -> Labels:
    """The labels with those of the other queries emptied."""
    size = np.diff(labels.offsets)
    kept = np.repeat(ok, size)
    return Labels(np.append(0, np.cumsum(size * ok)), labels.ids[kept], labels.weights[kept], labels.cold)


def _rows_of(labels: Labels, some: np.ndarray) -> Labels:
    """The labels of some queries; the others must have none."""
    return replace(labels, offsets=np.append(0, np.cumsum(np.diff(labels.offsets)[some])))


def seen_by(view: FoldView, queries: Queries) -> np.ndarray:
    """bool[Q, C]: which candidates each query's user has touched by its cutoff."""
    histories = view.histories
    stop = events_until(histories.offsets, histories.time, queries.user, queries.cutoff)
    event, owner = expand(histories.offsets[queries.user], stop)
    candidate = view.candidate[event]
    seen = np.zeros((len(queries), view.candidates), bool)
    seen[owner[candidate >= 0], candidate[candidate >= 0]] = True
    return seen


class _Layout:
    """Where steps, queries and entries lie in the rows of one split."""

    def __init__(self, steps: Steps, segments: Segments, packing: Packing, row_length: int) -> None:
        self.all_steps, self.segments, self.packing, self.length = steps, segments, packing, row_length
        self.source, segment = expand(segments.begin, segments.stop)
        self.base = packing.row.astype(np.int64) * row_length + packing.place - segments.begin
        self.target = self.source + self.base[segment]
        self.query, self.query_segment = expand(segments.query_begin, segments.query_stop)
        self.query_row = packing.row[self.query_segment]
        self.query_slot = _rank_within(self.query_row)
        slots = int(self.query_slot.max()) + 1
        self.slot = np.full((packing.rows, slots), -1, np.int64)
        self.slot[self.query_row, self.query_slot] = self.query

    def steps(self, column: np.ndarray) -> np.ndarray:
        """A column aligned with the steps, [N', ...], as rows [R, T, ...]."""
        out = np.zeros((self.packing.rows * self.length, *column.shape[1:]), column.dtype)
        out[self.target] = column[self.source]
        return out.reshape(self.packing.rows, self.length, *column.shape[1:])

    def days(self) -> np.ndarray:
        """float32[N']: days since each step's history began."""
        steps = self.all_steps
        return ((steps.time - steps.time[steps.offsets[:-1]][steps.owner]) / DAY).astype(np.float32)

    def clock(self) -> dict[str, np.ndarray]:
        start = np.zeros((self.packing.rows, self.length), bool)
        start[self.packing.row, self.packing.place] = True
        used = np.zeros(self.packing.rows, np.int64)
        np.add.at(used, self.packing.row, self.segments.length)
        short = np.flatnonzero(used < self.length)
        start[short, used[short]] = True
        return {"start": start, "tick": self.steps(~self.all_steps.is_event), "time": self.steps(self.days())}

    def queries(self) -> QueryArrays:
        asked = self.all_steps.asked[self.query]
        position = np.zeros(self.slot.shape, np.int32)
        calendar = np.zeros(self.slot.shape, np.int32)
        where = self.query_row, self.query_slot
        position[where] = asked + self.base[self.query_segment] - self.query_row.astype(np.int64) * self.length
        calendar[where] = self.all_steps.tick[asked]
        return QueryArrays(position, calendar, self.slot >= 0)

    def entries(self, view: FoldView, entries: Entries) -> EntryArrays:
        self.entry_row = self.packing.row[entries.segment]
        order = np.argsort(self.entry_row, kind="stable")
        self.entry_slot = np.empty(len(order), np.int64)
        self.entry_slot[order] = _rank_within(self.entry_row[order])
        shift = self.base[entries.segment] - self.entry_row.astype(np.int64) * self.length
        owner = self.all_steps.owner[self.segments.begin[entries.segment]]
        began = self.all_steps.time[self.all_steps.offsets[owner]]
        time = np.asarray(view.histories.time)[entries.event]
        return EntryArrays(
            candidate=self._entry_array(view.candidate[entries.event]),
            first=self._entry_array((entries.first + shift).astype(np.int32)),
            stop=self._entry_array((entries.stop + shift).astype(np.int32)),
            time=self._entry_array(((time - began) / DAY).astype(np.float32)),
        )

    def entry_column(self, entries: Entries, column: np.ndarray) -> np.ndarray:
        """A column aligned with the events, [N, ...], as rows [R, E, ...]."""
        return self._entry_array(column[entries.event])

    def _entry_array(self, values: np.ndarray) -> np.ndarray:
        size = int(self.entry_slot.max()) + 1 if len(self.entry_slot) else 1
        out = np.zeros((self.packing.rows, size, *values.shape[1:]), values.dtype)
        out[self.entry_row, self.entry_slot] = values
        return out

    def labels(self, labels: tuple[Labels, ...]) -> LabelArrays:
        """Each row's labels end to end, horizon by horizon, padded to the fullest row's number."""
        where = np.zeros(self.slot.max() + 1, np.int64)  # query -> row * slots + slot
        where[self.query] = self.query_row.astype(np.int64) * self.slot.shape[1] + self.query_slot
        placed = [self._place(answer, where) for answer in labels]
        size = max([int(rank.max()) + 1 for *_, rank in placed if len(rank)], default=1)
        shape = (self.packing.rows, len(labels), size)
        query, ids, weight = np.zeros(shape, np.int32), np.zeros(shape, np.int32), np.zeros(shape, np.float32)
        for h, (answer, order, row, slot, rank) in enumerate(placed):
            query[row, h, rank] = slot
            ids[row, h, rank] = answer.ids[order]
            weight[row, h, rank] = answer.weights[order]
        return LabelArrays(query, ids, weight)

    def _place(self, answer: Labels, where: np.ndarray):
        at = np.repeat(where[: len(answer)], np.diff(answer.offsets))
        order = np.argsort(at, kind="stable")
        row, slot = np.divmod(at[order], self.slot.shape[1])
        return answer, order, row, slot, _rank_within(row)


def _rank_within(group: np.ndarray) -> np.ndarray:
    """int64: 0, 1, 2, ... within each group, in the order they stand in."""
    order = np.argsort(group, kind="stable")
    ordered = group[order]
    begin = np.flatnonzero(np.append(True, ordered[1:] != ordered[:-1])) if len(group) else np.empty(0, np.int64)
    size = np.diff(np.append(begin, len(group)))
    rank = np.empty(len(group), np.int64)
    rank[order] = np.arange(len(group)) - np.repeat(begin, size)
    return rank


def _nobody(view: FoldView, timeline: Timeline, split: str) -> str:
    cutoff = view.fold.test_cutoff if split == "test" else view.fold.valid_cutoff
    days = "" if timeline.active_days is None else f" and one in the {timeline.active_days:g} days before"
    return (
        f"timeline: no user may be asked for the {split} split: at {date_text(cutoff)} none has "
        f"{timeline.min_events} events{days}. Lower timeline.min_events, raise timeline.active_days, "
        f"use shorter horizons or fewer folds."
    )


def _silent(view: FoldView, split: str) -> str:
    return (
        f"target: no user of the {split} split does anything that counts in the windows after its cutoffs "
        f"(until {date_text(view.fold.closes_by(split))}); use longer horizons or a longer log."
    )
