"""The rows of one split: kept as flat arrays without padding, and padded when some of them are taken."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np

from lab.data.fold.queries import FoldView, Labels
from lab.data.fold.search import expand_ranges
from lab.data.rows.batch import Columns, EntryArrays, LabelArrays, QueryArrays, Rows, leaves, map_leaves
from lab.data.rows.entries import Entries
from lab.data.rows.packing import Packing, Segments
from lab.data.rows.row_lists import RowLists
from lab.data.rows.steps import Steps
from lab.data.timeline import DAY


class RowSizes(NamedTuple):
    """How many places a row has for what it holds."""

    queries: int
    entries: int
    labels: int


@dataclass(frozen=True)
class PackedRows:
    """R rows of T steps, each of several segments end to end."""

    view: FoldView
    steps: Steps
    segments: Segments
    packing: Packing
    length: int
    """T."""
    entries: Entries
    labels: tuple[Labels, ...]
    """Of the queries of `steps`, one for each horizon."""
    step_columns: Columns
    """Aligned with the steps."""
    event_columns: Columns
    """Aligned with the view's events."""

    @property
    def count(self) -> int:
        """R."""
        return self.packing.rows

    @cached_property
    def sizes(self) -> RowSizes:
        """What the fullest rows need: the places that rows have unless told otherwise."""
        return RowSizes(self._queries.widest, self._entries.widest, max(lists.widest for lists in self._labels))

    @cached_property
    def row_bytes(self) -> int:
        """Size of one row with its padding."""
        return sum(leaf.nbytes for leaf in leaves(self.take(np.zeros(1, np.int64))))

    @property
    def padding(self) -> float:
        """Share of the rows' steps that hold nothing."""
        return self.packing.padding(self.segments.length, self.length)

    def whole(self) -> Rows:
        """All rows."""
        return self.take(np.arange(self.count))

    def take(self, index: np.ndarray, sizes: RowSizes | None = None) -> Rows:
        """Some rows, as arrays with the axes of `index` in front."""
        row, sizes = np.ravel(index), sizes or self.sizes
        segment, owner, _ = self._segments.take(row)
        place = owner * self.length + self.packing.place[segment]
        step, of = expand_ranges(self.segments.begin[segment], self.segments.stop[segment])
        target = step + (place - self.segments.begin[segment])[of]
        lay = _Scatter(len(row), self.length, target // self.length, target % self.length)
        began = self.steps.time[self.steps.offsets[self.steps.owner[step]]]
        rows = Rows(
            start=self._starts(len(row), place, segment),
            tick=lay(~self.steps.is_event[step]),
            time=lay(((self.steps.time[step] - began) / DAY).astype(np.float32)),
            columns=_each(lambda column: lay(column[step]), self.step_columns),
            query=self._take_queries(row, sizes.queries),
            **self._take_entries(row, sizes.entries),
            label=self._take_labels(row, sizes.labels),
        )
        return map_leaves(lambda leaf: leaf.reshape(*np.shape(index), *leaf.shape[1:]), rows)

    @cached_property
    def slots(self) -> np.ndarray:
        """int64[R, Q]: the query in each of the rows' places, -1 in the padding."""
        query, row, slot = self._queries.take(np.arange(self.count))
        slots = np.full((self.count, self.sizes.queries), -1, np.int64)
        slots[row, slot] = query
        return slots

    @cached_property
    def _segments(self) -> RowLists:
        return RowLists.of(self.packing.row, self.count)

    @cached_property
    def _queries(self) -> RowLists:
        return RowLists.of(self.packing.row[self._segment_of_query], self.count)

    @cached_property
    def _segment_of_query(self) -> np.ndarray:
        return expand_ranges(self.segments.query_begin, self.segments.query_stop)[1]

    @cached_property
    def _entries(self) -> RowLists:
        return RowLists.of(self.packing.row[self.entries.segment], self.count)

    @cached_property
    def _labels(self) -> tuple[RowLists, ...]:
        row = self.packing.row[self._segment_of_query]
        return tuple(RowLists.of(np.repeat(row, np.diff(labels.offsets)), self.count) for labels in self.labels)

    @cached_property
    def _shift(self) -> np.ndarray:
        """int64[S]: what takes a step of the segment to its position in the row."""
        return self.packing.place - self.segments.begin

    def _starts(self, count: int, place: np.ndarray, segment: np.ndarray) -> np.ndarray:
        """bool[n, T]: the first step of each segment and of the padding."""
        start = np.zeros(count * self.length, bool)
        start[place] = True
        # A row without padding needs no mark; its last segment's end is the next row's begin.
        end = place + self.segments.length[segment]
        end = end[end % self.length > 0]
        start[end] = True
        return start.reshape(count, self.length)

    def _take_queries(self, row: np.ndarray, size: int) -> QueryArrays:
        query, owner, slot = self._queries.take(row)
        lay = _Scatter(len(row), size, owner, slot)
        asked = self.steps.asked[query]
        return QueryArrays(
            position=lay((asked + self._shift[self._segment_of_query[query]]).astype(np.int32)),
            calendar=lay(self.steps.tick[asked]),
            real=lay(np.ones(len(query), bool)),
        )

    def _take_entries(self, row: np.ndarray, size: int) -> dict:
        """The entries' candidates, lives and times, and their columns."""
        entry, owner, slot = self._entries.take(row)
        lay = _Scatter(len(row), size, owner, slot)
        event, segment = self.entries.event[entry], self.entries.segment[entry]
        began = self.steps.time[self.steps.offsets[self.steps.owner[self.segments.begin[segment]]]]
        age = np.asarray(self.view.histories.clock)[event] - began
        shift = self._shift[segment]
        arrays = EntryArrays(
            candidate=lay(self.view.candidate[event]),
            first=lay((self.entries.first[entry] + shift).astype(np.int32)),
            stop=lay((self.entries.stop[entry] + shift).astype(np.int32)),
            time=lay((age / DAY).astype(np.float32)),
        )
        return {"entry": arrays, "entry_columns": _each(lambda column: lay(column[event]), self.event_columns)}

    def _take_labels(self, row: np.ndarray, size: int) -> LabelArrays:
        """Each row's labels end to end, horizon by horizon."""
        planes = [
            self._take_answers(row, size, labels, of) for labels, of in zip(self.labels, self._labels, strict=True)
        ]
        return LabelArrays(*(np.stack(part, 1) for part in zip(*planes, strict=True)))

    def _take_answers(self, row: np.ndarray, size: int, labels: Labels, lists: RowLists) -> tuple[np.ndarray, ...]:
        """The labels of one horizon: query slots, candidates and weights."""
        label, owner, slot = lists.take(row)
        lay = _Scatter(len(row), size, owner, slot)
        query = np.searchsorted(labels.offsets, label, side="right") - 1
        return lay(self._queries.rank[query].astype(np.int32)), lay(labels.ids[label]), lay(labels.weights[label])


@dataclass(frozen=True)
class _Scatter:
    """Puts values at their places of n rows with so many places each; zeros elsewhere."""

    count: int
    size: int
    owner: np.ndarray
    slot: np.ndarray

    def __call__(self, values: np.ndarray) -> np.ndarray:
        out = np.zeros((self.count, self.size, *values.shape[1:]), values.dtype)
        out[self.owner, self.slot] = values
        return out


def _each(lay: Callable[[np.ndarray], np.ndarray], columns: Columns) -> Columns:
    return {group: {name: lay(column) for name, column in own.items()} for group, own in columns.items()}
