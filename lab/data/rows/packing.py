"""Histories cut into segments and packed, several to a row, so that little of a row is padding."""

from collections import defaultdict
from dataclasses import dataclass

import numpy as np

from lab.data.rows.steps import Steps


@dataclass(frozen=True)
class Segments:
    """S pieces of histories, each at most a row long; every query belongs to exactly one."""

    begin: np.ndarray
    """int64[S], first step."""
    stop: np.ndarray
    """int64[S], one past the last step."""
    query_begin: np.ndarray
    """int64[S], first query (an index into Steps.asked) whose answer is read from this segment."""
    query_stop: np.ndarray
    """int64[S]."""

    def __len__(self) -> int:
        return len(self.begin)

    @property
    def length(self) -> np.ndarray:
        return self.stop - self.begin


@dataclass(frozen=True)
class Packing:
    """Where each segment lies."""

    row: np.ndarray
    """int32[S]."""
    place: np.ndarray
    """int32[S], position of its first step in the row."""
    rows: int

    def padding(self, lengths: np.ndarray, row_length: int) -> float:
        """Share of all positions that hold no step."""
        return 1.0 - float(lengths.sum()) / max(self.rows * row_length, 1)


def cut_from_end(steps: Steps, row_length: int, overlap: int) -> Segments:
    """Cut every history, from its end, into segments of at most `row_length` steps.

    A history longer than a row gives several; each but the first repeats the `overlap` steps before the
    queries it answers, so that no query starts from nothing. Segments that answer no query are dropped. From where an
    earlier query is read hangs on how many steps follow it: for training at ticks, and for one query at the end, which
    then sees a whole row.
    """
    lengths = np.diff(steps.offsets)
    stride = row_length - overlap
    pieces = 1 + np.maximum(np.ceil((lengths - row_length) / stride), 0).astype(np.int64)
    history = np.repeat(np.arange(len(lengths)), pieces)
    back = np.arange(len(history)) - np.repeat(np.cumsum(pieces) - pieces, pieces)  # 0 is the latest
    stop = steps.offsets[history + 1] - back * stride
    begin = np.maximum(stop - row_length, steps.offsets[history])
    # What the segment before (in time) does not already answer.
    own = np.where(back == pieces[history] - 1, begin, stop - stride)
    query_begin, query_stop = np.searchsorted(steps.asked, own), np.searchsorted(steps.asked, stop)
    order = np.flatnonzero(query_stop > query_begin)
    order = order[np.argsort(query_begin[order], kind="stable")]
    return Segments(begin[order], stop[order], query_begin[order], query_stop[order])


def cut_from_start(steps: Steps, row_length: int, overlap: int, from_first_query: bool = False) -> Segments:
    """Cut every history into segments of at most `row_length` steps, so that no segment's begin hangs on later steps.

    The first begins with the history, or with `overlap` steps before its first query; each of the others repeats the
    `overlap` steps before the queries it answers. So a query sees at least `overlap` steps before it, or all there
    are, and at most a row. Segments that answer no query are dropped.
    """
    begins, ends = steps.offsets[:-1], steps.offsets[1:]
    if from_first_query:
        first = np.searchsorted(steps.asked, begins)
        asked = np.append(steps.asked, len(steps))[first]
        begins = np.clip(asked - overlap, begins, ends)
    stride = row_length - overlap
    pieces = 1 + np.maximum(np.ceil((ends - begins - row_length) / stride), 0).astype(np.int64)
    history = np.repeat(np.arange(len(begins)), pieces)
    piece = np.arange(len(history)) - np.repeat(np.cumsum(pieces) - pieces, pieces)  # 0 is the earliest
    begin = begins[history] + piece * stride
    stop = np.minimum(begin + row_length, ends[history])
    # What the segment before does not already answer.
    own = np.where(piece == 0, begin, begin + overlap)
    query_begin, query_stop = np.searchsorted(steps.asked, own), np.searchsorted(steps.asked, stop)
    kept = np.flatnonzero(query_stop > query_begin)
    return Segments(begin[kept], stop[kept], query_begin[kept], query_stop[kept])


def cut_per_query(steps: Steps, row_length: int) -> Segments:
    """One segment for each query, of the `row_length` steps up to it, or all that there are.

    For a model that reads a history both ways: its segment ends where its query is asked, so that there is
    nothing behind the query to read.
    """
    query = np.arange(len(steps.asked))
    stop = steps.asked + 1
    begin = np.maximum(stop - row_length, steps.offsets[steps.owner[steps.asked]])
    return Segments(begin, stop, query, query + 1)


def pack(lengths: np.ndarray, row_length: int) -> Packing:
    """Best-fit decreasing: each segment, longest first, goes to the fullest row that still has room.

    Rows with equal room are told apart by age, so the packing depends on the lengths and their order alone.
    """
    row, place = np.empty(len(lengths), np.int32), np.empty(len(lengths), np.int32)
    by_room: defaultdict[int, list[int]] = defaultdict(list)
    rooms = 0  # bit r is set while some row has exactly r positions left
    rows = 0
    for segment in np.argsort(-lengths, kind="stable").tolist():
        length = int(lengths[segment])
        fitting = rooms >> length
        if fitting:
            room = length + ((fitting & -fitting).bit_length() - 1)
            chosen = by_room[room].pop()
            if not by_room[room]:
                rooms &= ~(1 << room)
        else:
            room, chosen = row_length, rows
            rows += 1
        row[segment], place[segment] = chosen, row_length - room
        if room > length:
            by_room[room - length].append(chosen)
            rooms |= 1 << (room - length)
    return Packing(row, place, rows)
