"""Where steps, queries, entries and labels lie in the rows of one split."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from lab.data.batch import EntryArrays, LabelArrays, QueryArrays
from lab.data.entries import Entries
from lab.data.packing import Packing, Segments
from lab.data.queries import FoldView, Labels
from lab.data.search import expand
from lab.data.steps import Steps
from lab.data.timeline import DAY


@dataclass(frozen=True)
class Layout:
    """Segments of steps, each at its place in a row: R rows of T steps."""

    all_steps: Steps
    segments: Segments
    packing: Packing
    length: int
    """T."""

    @cached_property
    def shift(self) -> np.ndarray:
        """int64[S]: what takes a step of the segment to its position in the row."""
        return self.packing.place - self.segments.begin

    @cached_property
    def _moves(self) -> tuple[np.ndarray, np.ndarray]:
        """Each step of each segment, and where it goes in the rows laid end to end."""
        source, segment = expand(self.segments.begin, self.segments.stop)
        return source, source + (self.shift + self.packing.row.astype(np.int64) * self.length)[segment]

    def steps(self, column: np.ndarray) -> np.ndarray:
        """A column aligned with the steps, [N', ...], as rows [R, T, ...]."""
        source, target = self._moves
        out = np.zeros((self.packing.rows * self.length, *column.shape[1:]), column.dtype)
        out[target] = column[source]
        return out.reshape(self.packing.rows, self.length, *column.shape[1:])

    def starts(self) -> np.ndarray:
        """bool[R, T]: the first step of each segment and of the padding."""
        start = np.zeros((self.packing.rows, self.length), bool)
        start[self.packing.row, self.packing.place] = True
        used = np.zeros(self.packing.rows, np.int64)
        np.add.at(used, self.packing.row, self.segments.length)
        short = np.flatnonzero(used < self.length)
        start[short, used[short]] = True
        return start

    def ticks(self) -> np.ndarray:
        """bool[R, T]."""
        return self.steps(~self.all_steps.is_event)

    def days(self) -> np.ndarray:
        """float32[R, T], days since each step's history began."""
        steps = self.all_steps
        began = steps.time[steps.offsets[:-1]][steps.owner]
        return self.steps(((steps.time - began) / DAY).astype(np.float32))


@dataclass(frozen=True)
class QueryLayout:
    """Each query in a slot of the row that holds its segment."""

    layout: Layout
    segment: np.ndarray
    """int64[Q]."""
    row: np.ndarray
    """int32[Q]."""
    slot: np.ndarray
    """int64[Q]."""

    @classmethod
    def of(cls, layout: Layout) -> "QueryLayout":
        """Slots are handed out in the order of the queries."""
        _, segment = expand(layout.segments.query_begin, layout.segments.query_stop)
        row = layout.packing.row[segment]
        return cls(layout, segment, row, rank_within(row))

    @cached_property
    def slots(self) -> np.ndarray:
        """int64[R, slots]: the query of each slot, -1 in the padding."""
        slots = np.full((self.layout.packing.rows, int(self.slot.max()) + 1), -1, np.int64)
        slots[self.row, self.slot] = np.arange(len(self.row))
        return slots

    def arrays(self) -> QueryArrays:
        """Where the queries are asked."""
        steps = self.layout.all_steps
        position, calendar = (np.zeros(self.slots.shape, np.int32) for _ in range(2))
        position[self.row, self.slot] = steps.asked + self.layout.shift[self.segment]
        calendar[self.row, self.slot] = steps.tick[steps.asked]
        return QueryArrays(position, calendar, self.slots >= 0)

    def labels(self, labels: tuple[Labels, ...]) -> LabelArrays:
        """Each row's labels end to end, horizon by horizon, padded to the fullest row's number."""
        owner = [np.repeat(np.arange(len(answer)), np.diff(answer.offsets)) for answer in labels]
        rank = [rank_within(self.row[query]) for query in owner]
        size = max([int(r.max()) + 1 for r in rank if len(r)], default=1)
        shape = (self.layout.packing.rows, len(labels), size)
        arrays = LabelArrays(np.zeros(shape, np.int32), np.zeros(shape, np.int32), np.zeros(shape, np.float32))
        for h, (answer, query, place) in enumerate(zip(labels, owner, rank, strict=True)):
            where = self.row[query], h, place
            arrays.query[where], arrays.id[where], arrays.weight[where] = self.slot[query], answer.ids, answer.weights
        return arrays


@dataclass(frozen=True)
class EntryLayout:
    """Each entry in a slot of the row that holds its segment."""

    layout: Layout
    entries: Entries
    row: np.ndarray
    """int32[M]."""
    slot: np.ndarray
    """int64[M]."""

    @classmethod
    def of(cls, layout: Layout, entries: Entries) -> "EntryLayout":
        """Slots are handed out in the order of the entries."""
        row = layout.packing.row[entries.segment]
        return cls(layout, entries, row, rank_within(row))

    def arrays(self, view: FoldView) -> EntryArrays:
        """The entries' candidates, lives and times."""
        steps, entries = self.layout.all_steps, self.entries
        shift = self.layout.shift[entries.segment]
        owner = steps.owner[self.layout.segments.begin[entries.segment]]
        age = np.asarray(view.histories.time)[entries.event] - steps.time[steps.offsets[owner]]
        return EntryArrays(
            candidate=self._lay(view.candidate[entries.event]),
            first=self._lay((entries.first + shift).astype(np.int32)),
            stop=self._lay((entries.stop + shift).astype(np.int32)),
            time=self._lay((age / DAY).astype(np.float32)),
        )

    def column(self, values: np.ndarray) -> np.ndarray:
        """A column aligned with the events, [N, ...], as rows [R, E, ...]."""
        return self._lay(values[self.entries.event])

    def _lay(self, values: np.ndarray) -> np.ndarray:
        size = int(self.slot.max()) + 1 if len(self.slot) else 1
        out = np.zeros((self.layout.packing.rows, size, *values.shape[1:]), values.dtype)
        out[self.row, self.slot] = values
        return out


def rank_within(group: np.ndarray) -> np.ndarray:
    """int64: 0, 1, 2, ... within each group, in the order they stand in."""
    order = np.argsort(group, kind="stable")
    ordered = group[order]
    begin = np.flatnonzero(np.append(True, ordered[1:] != ordered[:-1])[: len(group)])
    size = np.diff(np.append(begin, len(group)))
    rank = np.empty(len(group), np.int64)
    rank[order] = np.arange(len(group)) - np.repeat(begin, size)
    return rank
