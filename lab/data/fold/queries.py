"""What is asked of a fold, and what the answers are: plain arrays, one row a query."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from lab.data.fold.event_counts import EventCounts
from lab.data.fold.search import events_until, expand_ranges
from lab.data.fold.touches import Touches, first_touches
from lab.data.log.histories import Histories
from lab.data.timeline import Fold


@dataclass(frozen=True)
class Queries:
    """Q users, each at a cutoff."""

    user: np.ndarray
    """int32[Q], row numbers of the histories."""
    cutoff: np.ndarray
    """int64[Q], microseconds."""

    def __len__(self) -> int:
        return len(self.user)

    def __getitem__(self, rows: slice | np.ndarray) -> "Queries":
        return Queries(self.user[rows], self.cutoff[rows])


@dataclass(frozen=True)
class Labels:
    """The answers to Q queries for one horizon, as lists of candidates with weights.

    Where a target predicts numbers, `of_numbers` makes them: id 0 says that a query is asked, and ids 1 to K hold its
    numbers, so that a window in which nothing happened is an answer and not a query that nobody asked.
    """

    offsets: np.ndarray
    """int64[Q + 1]: query q's labels are offsets[q]:offsets[q + 1]; none for a silent window."""
    ids: np.ndarray
    """int32[M], candidates in 0..C-1, ascending within a query; or places of numbers."""
    weights: np.ndarray
    """float32[M], positive; they sum to 1 within a query. Of numbers: the numbers, behind a 1 for each query."""
    cold: int = 0
    """Events in the windows whose candidate was unknown at the valid cutoff: no model could have named it."""
    bare: int = 0
    """Those of them that have no category at all."""
    taken: int = 0
    """Events in the windows whose candidate their user had touched before, where a target asks for none such."""

    @classmethod
    def of_numbers(cls, values: np.ndarray, asked: np.ndarray | None = None) -> "Labels":
        """Numbers float[Q, K] of the queries that are `asked`, bool[Q]; None: of all."""
        kept = values if asked is None else values[asked]
        size = np.full(len(values), 1 + values.shape[1])
        offsets = np.append(0, np.cumsum(size if asked is None else np.where(asked, size, 0)))
        weights = np.concatenate([np.ones((len(kept), 1)), kept], axis=1).astype(np.float32)
        ids = np.tile(np.arange(weights.shape[1], dtype=np.int32), len(kept))
        return cls(offsets, ids, weights.ravel())

    def numbers(self, count: int) -> tuple[np.ndarray, np.ndarray]:
        """Which queries are asked, bool[Q], and their `count` numbers, float64[Q, K]; NaN where one is not asked."""
        asked = self.answered
        values = np.full((len(self), count), np.nan)
        values[asked] = self.weights.reshape(-1, 1 + count)[:, 1:]
        return asked, values

    def __len__(self) -> int:
        return len(self.offsets) - 1

    @property
    def answered(self) -> np.ndarray:
        """bool[Q]: which queries have a label."""
        return np.diff(self.offsets) > 0

    @property
    def single(self) -> np.ndarray:
        """int32[Q]: the candidate of each query, where none has more than one; -1 where it has none."""
        candidate = np.full(len(self), -1, np.int32)
        candidate[self.answered] = self.ids
        return candidate

    def take(self, rows: np.ndarray) -> "Labels":
        """The labels of some queries, in the order of `rows`."""
        begin, stop = self.offsets[rows], self.offsets[rows + 1]
        place, _ = expand_ranges(begin, stop)
        offsets = np.append(0, np.cumsum(stop - begin))
        return replace(self, offsets=offsets, ids=self.ids[place], weights=self.weights[place])


@dataclass(frozen=True)
class FoldView:
    """One fold's look at the histories: which candidate each event touches."""

    histories: Histories
    fold: Fold
    candidate: np.ndarray
    """int32[N]: the candidate (category) of each event in 0..C-1, -1 for one unknown at the valid cutoff."""
    names: np.ndarray
    """str objects [C]: what the candidates are called."""
    rest: "Sequence[FoldView]" = ()
    """The same look at other users' histories, each made when it is asked for: a large log is seen shard by shard."""
    history: int | None = None
    """Microseconds of a user's own past that a query sees; None: all of it."""
    sample: np.ndarray | None = None
    """bool[U]: the users from whom everything is learned; None: all."""
    items: bool = False
    """Whether the candidates are items, and not categories or clusters of them."""

    @property
    def candidates(self) -> int:
        return len(self.names)

    @cached_property
    def sampled(self) -> np.ndarray | np.bool_:
        """bool[N]: the events that may be learned from, those of `sample`; or True for all."""
        return np.True_ if self.sample is None else self.sample[self.histories.user_of_event]

    @cached_property
    def touches(self) -> Touches:
        """What each user touched first and when, after the fold's cutoffs too: whoever asks names an instant."""
        return first_touches(self.histories, self.candidate)

    @cached_property
    def event_counts(self) -> EventCounts:
        """The events on known candidates of all users that may be learned from: counted up to any instant."""
        histories = self.histories
        event = np.flatnonzero((self.candidate >= 0) & self.sampled)
        event = event[np.argsort(np.asarray(histories.clock)[event], kind="stable")]
        sign = histories.sign[np.asarray(histories.behaviour)[event]]
        return EventCounts(self.candidates, np.asarray(histories.clock)[event], self.candidate[event], sign)

    def clock_at(self, queries: Queries) -> np.ndarray:
        """int64[Q]: when each query is asked: its cutoff, or the time of the event it is asked after.

        They differ where events that share a time were moved apart (`lab.data.log.event_order`).
        """
        histories, cutoff = self.histories, queries.cutoff
        if histories.original_time is None or not histories.events:
            return cutoff
        last = np.maximum(events_until(histories.offsets, histories.time, queries.user, cutoff) - 1, 0)
        after_event = np.asarray(histories.time)[last] == cutoff
        return np.where(after_event, np.asarray(histories.original_time)[last], cutoff)

    def known_events(self, queries: Queries) -> np.ndarray:
        """int32[Q]: how many events of each query's user are known at its cutoff."""
        histories = self.histories
        stop = events_until(histories.offsets, histories.time, queries.user, queries.cutoff)
        return (stop - histories.offsets[queries.user]).astype(np.int32)

    def shares(self) -> np.ndarray:
        """float64[C]: each candidate's share of all net events, with one event added to each."""
        histories = self.histories
        known = self.candidate >= 0
        sign = histories.sign[np.asarray(histories.behaviour)[known]].astype(np.float64)
        counts = np.maximum(np.bincount(self.candidate[known], sign, self.candidates), 0.0) + 1.0
        return counts / counts.sum()
