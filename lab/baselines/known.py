"""What is known at a query: the user's own past and what everybody took lately, up to the cutoff.

Every event counts the sign of its behaviour (a cancellation takes one away) and no count falls below 0.
Events on candidates that were unknown at the valid cutoff are left out.
"""

from dataclasses import dataclass

import numpy as np

from lab.data.fold.queries import FoldView, Queries
from lab.data.fold.search import events_until, expand
from lab.data.timeline import DAY


@dataclass(frozen=True)
class Past:
    """The events that Q queries know of their own users: one entry each, by query, oldest first."""

    shape: tuple[int, int]
    """(Q, C)."""
    query: np.ndarray
    """int64[E]."""
    candidate: np.ndarray
    """int32[E]."""
    age: np.ndarray
    """float64[E], days from the event to the cutoff."""
    sign: np.ndarray
    """float64[E]."""

    def counts(self, days: float = np.inf) -> np.ndarray:
        """float64[Q, C]: the sum over a user's events of sign * exp(-age / days), at least 0."""
        weight = self.sign if np.isinf(days) else self.sign * np.exp(-self.age / days)
        return np.maximum(self._total(weight), 0)

    def recency(self) -> np.ndarray:
        """float64[Q, C]: 1 / (1 + the age in days of the last event), 0 where there is none."""
        touched = self.touches()
        latest = np.zeros(self.shape)
        latest[touched.query, touched.candidate] = 1 / (1 + touched.age)  # the last one of a pair stays
        return latest

    def touches(self) -> "Past":
        """The same without cancellations, which are no sign of interest."""
        return self._kept(self.sign > 0)

    def touched(self) -> np.ndarray:
        """bool[Q, C]: which candidates have such an event."""
        touches = self.touches()
        seen = np.zeros(self.shape, bool)
        seen[touches.query, touches.candidate] = True
        return seen

    def runs(self) -> "Past":
        """The last event of each run of touches on one candidate: consecutive entries differ."""
        own = self.touches()
        same = (own.query[1:] == own.query[:-1]) & (own.candidate[1:] == own.candidate[:-1])
        return own._kept(np.append(~same, True)[: len(own.query)])

    def steps_back(self) -> np.ndarray:
        """int64[E]: 0 for a query's latest entry, 1 for the one before it, and so on."""
        stop = np.cumsum(np.bincount(self.query, minlength=self.shape[0]))
        return stop[self.query] - 1 - np.arange(len(self.query))

    def _total(self, weight: np.ndarray) -> np.ndarray:
        cell = self.query * self.shape[1] + self.candidate
        return np.bincount(cell, weights=weight, minlength=self.shape[0] * self.shape[1]).reshape(self.shape)

    def _kept(self, kept: np.ndarray) -> "Past":
        return Past(self.shape, self.query[kept], self.candidate[kept], self.age[kept], self.sign[kept])


def past(view: FoldView, queries: Queries) -> Past:
    """The past of each query's user, up to its cutoff and no older than the view's limit."""
    histories = view.histories
    stop = events_until(histories.offsets, histories.time, queries.user, queries.cutoff)
    begin = histories.offsets[queries.user]
    if view.history is not None:
        begin = events_until(histories.offsets, histories.time, queries.user, queries.cutoff - view.history)
    event, query = expand(begin, stop)
    known = view.candidate[event] >= 0
    event, query = event[known], query[known]
    return Past(
        shape=(len(queries), view.candidates),
        query=query,
        candidate=np.asarray(view.candidate[event]),
        age=(queries.cutoff[query] - histories.time[event]) / DAY,
        sign=histories.sign[histories.behaviour[event]].astype(np.float64),
    )


def everybody(view: FoldView, cutoff: int, days: float = np.inf) -> np.ndarray:
    """float64[C]: all users' events (those learned from) with cutoff - days < time <= cutoff, at least 0."""
    histories = view.histories
    time = np.asarray(histories.time)
    inside = time <= cutoff
    if not np.isinf(days):
        inside &= time > cutoff - round(days * DAY)
    inside &= (view.candidate >= 0) & view.sampled
    sign = histories.sign[np.asarray(histories.behaviour)[inside]]
    return np.maximum(np.bincount(view.candidate[inside], weights=sign, minlength=view.candidates), 0)


MOMENTS = 64
"""Cutoffs beyond which popularity is counted once a day."""


def _moments(cutoff: np.ndarray) -> np.ndarray:
    return cutoff if len(np.unique(cutoff)) <= MOMENTS else cutoff // round(DAY) * round(DAY)


def popularity(view: FoldView, queries: Queries, days: float) -> np.ndarray:
    """float64[Q, C], each row summing to 1: recent counts, all-time ones below, at queries of valid or test.

    (n + s) / sum, with n the events of the last `days` and s the candidate's share of all events so far,
    which is less than one event and orders what nobody took lately. Where there are more than MOMENTS cutoffs, it is
    that of the last midnight (UTC) before each; but never that of before the valid cutoff, up to which models learn.
    """
    return popularity_at(view, np.maximum(_moments(queries.cutoff), view.fold.valid_cutoff), days)


def popularity_at(view: FoldView, moments: np.ndarray, days: float) -> np.ndarray:
    """The same at instants, int64[Q]; 0 before the first event."""
    cutoffs, of_query = np.unique(moments, return_inverse=True)
    rows = np.empty((len(cutoffs), view.candidates))
    for row, cutoff in zip(rows, cutoffs.tolist(), strict=True):
        total = everybody(view, cutoff)
        row[:] = everybody(view, cutoff, days) + total / max(total.sum(), 1)
        row /= max(row.sum(), np.finfo(float).tiny)
    return rows[of_query]
