"""What is known at a query: the user's own past and what everybody took lately, up to the cutoff.

Every event counts the sign of its behaviour (a cancellation takes one away) and no count falls below 0.
Events on candidates that were unknown at the valid cutoff are left out.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from lab.data.fold.queries import FoldView, Queries
from lab.data.fold.search import events_until, expand_ranges
from lab.data.rows.recent_histories import visible_events
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

    def decayed_shares(self, days: float) -> tuple[np.ndarray, np.ndarray]:
        """Places int64[T] in flat [Q, C] of what the users took, and the share of each, float64[T], at least 0.

        That of sign * exp(-age / days) among all of the query's own, whose exponents are counted from the user's last
        event, so that of a past long ago too some of it is left. Shares sum to 1, or to 0 where cancellations leave
        nothing.
        """
        place, of_entry = self._places
        stop = np.cumsum(np.bincount(self.query, minlength=self.shape[0]))
        newest = self.age[np.maximum(stop - 1, 0)][self.query] if len(self.age) else self.age
        net = np.bincount(of_entry, self.sign * np.exp((newest - self.age) / days), len(place))
        net, query = np.maximum(net, 0), place // self.shape[1]
        total = np.bincount(query, net, self.shape[0])[query]
        return place, net / np.where(total > 0, total, 1)

    @cached_property
    def _places(self) -> tuple[np.ndarray, np.ndarray]:
        """The places in flat [Q, C] of the entries, ascending, each once; and which of them each entry has."""
        return np.unique(self.query * self.shape[1] + self.candidate, return_inverse=True)

    def recency(self) -> np.ndarray:
        """float64[Q, C]: 1 / (1 + the age in days of the last event), 0 where there is none."""
        touched = self.touches()
        latest = np.zeros(self.shape)
        latest[touched.query, touched.candidate] = 1 / (1 + touched.age)  # the last one of a pair stays
        return latest

    def touches(self) -> "Past":
        """The same without cancellations, which are no sign of interest."""
        return self._subset(self.sign > 0)

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
        return own._subset(np.append(~same, True)[: len(own.query)])

    def steps_back(self) -> np.ndarray:
        """int64[E]: 0 for a query's latest entry, 1 for the one before it, and so on."""
        stop = np.cumsum(np.bincount(self.query, minlength=self.shape[0]))
        return stop[self.query] - 1 - np.arange(len(self.query))

    def _total(self, weight: np.ndarray) -> np.ndarray:
        cell = self.query * self.shape[1] + self.candidate
        return np.bincount(cell, weights=weight, minlength=self.shape[0] * self.shape[1]).reshape(self.shape)

    def _subset(self, kept: np.ndarray) -> "Past":
        return Past(self.shape, self.query[kept], self.candidate[kept], self.age[kept], self.sign[kept])


def past(view: FoldView, queries: Queries) -> Past:
    """The past of each query's user, up to its cutoff and no older than the view's limit."""
    return _past_of_events(view, *visible_events(view, queries), view.clock_at(queries))


def whole_past(view: FoldView, users: np.ndarray, moment: int) -> Past:
    """The whole past of some users, int32[Q], at an instant of the calendar, whatever a query may see of its own."""
    offsets, moments = view.histories.offsets, np.full(len(users), moment)
    return _past_of_events(view, offsets[users], events_until(offsets, view.histories.clock, users, moments), moments)


def _past_of_events(view: FoldView, begin: np.ndarray, stop: np.ndarray, clock: np.ndarray) -> Past:
    """Of the events [begin, stop) of each query, asked at an instant of the clock, int64[Q]."""
    histories = view.histories
    event, query = expand_ranges(begin, stop)
    known = view.candidate[event] >= 0
    event, query = event[known], query[known]
    return Past(
        shape=(len(begin), view.candidates),
        query=query,
        candidate=np.asarray(view.candidate[event]),
        age=(clock[query] - histories.clock[event]) / DAY,
        sign=histories.sign[histories.behaviour[event]].astype(np.float64),
    )


def recent_counts(view: FoldView, cutoff: int, days: float = np.inf) -> np.ndarray:
    """float64[C]: all users' events (those learned from) with cutoff - days < time <= cutoff, at least 0."""
    return view.event_counts.within(np.array([cutoff]), days)[0]


def popularity(view: FoldView, queries: Queries, days: float) -> np.ndarray:
    """float64[Q, C], each row summing to 1: recent counts, all-time ones below, at queries of valid or test.

    (n + s) / sum, with n the events of the last `days` and s the candidate's share of all events so far,
    which is less than one event and orders what nobody took lately. For each query it is that of one instant, whatever
    else is asked (see `popularity_instant`).
    """
    return popularity_at(view, popularity_instant(view, queries), days)


def popularity_instant(view: FoldView, queries: Queries) -> np.ndarray:
    """int64[Q]: the instant up to which everybody's events are counted at queries of valid or test.

    On the calendar it is the cutoff. Where each event is asked, it is the last midnight (UTC) before the event: nothing
    that others did at the same time, which in a log of whole days is all of that day, or later. Leave-one-out has no
    midnights, and one cutoff for all. It is never before the valid cutoff, up to which models learn.
    """
    histories, cutoff = view.histories, queries.cutoff
    if histories.original_time is not None and "calendar" not in histories.facts:
        cutoff = (view.clock_at(queries) - 1) // DAY * DAY
    return np.maximum(cutoff, view.fold.valid_cutoff)


def popularity_at(view: FoldView, moments: np.ndarray, days: float) -> np.ndarray:
    """The same at instants, int64[Q]; 0 before the first event."""
    cutoffs, of_query = np.unique(moments, return_inverse=True)
    total, rows = (view.event_counts.within(cutoffs, span) for span in (np.inf, days))
    rows += total / np.maximum(total.sum(1, keepdims=True), 1)
    rows /= np.maximum(rows.sum(1, keepdims=True), np.finfo(float).tiny)
    return rows[of_query]
