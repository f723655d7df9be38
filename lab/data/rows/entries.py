"""What a user has touched, as a model sees it at a query: one entry for each (query, seen candidate).

Every event opens an entry for its candidate that lives, from the event on, until the user's next event on the same
candidate. At any query exactly one entry is alive for each candidate the user has touched, so what is
known of a user's past is linear in the events, whatever the number of queries or candidates. A
cancellation opens one only for a candidate touched before (as in `lab.data.fold.seen_candidates`): it changes what is
known of it, but is no touch itself.
"""

from dataclasses import dataclass

import numpy as np

from lab.data.fold.queries import FoldView
from lab.data.fold.search import expand_ranges
from lab.data.rows.packing import Segments
from lab.data.rows.steps import Steps


@dataclass(frozen=True)
class Entries:
    """M entries, each in one segment; those that no query of the segment would see are left out."""

    segment: np.ndarray
    """int32[M], ascending."""
    event: np.ndarray
    """int64[M], index into the histories' columns."""
    first: np.ndarray
    """int64[M], the first step at which the entry is alive, at or after the segment's begin."""
    stop: np.ndarray
    """int64[M], one past the last, at most the segment's stop."""


def no_entries() -> Entries:
    """For models and targets that look at none."""
    return Entries(np.zeros(0, np.int32), *(np.zeros(0, np.int64) for _ in range(3)))


def trace_entries(view: FoldView, steps: Steps, segments: Segments) -> Entries:
    """Find the entries alive at the queries of each segment, those begun before it included."""
    step, until = _lifetimes(view, steps)
    segment_of_query = np.repeat(np.arange(len(segments)), segments.query_stop - segments.query_begin)
    low, high = np.searchsorted(steps.asked, step), np.searchsorted(steps.asked, until)
    # Queries between one history's first and last lie in consecutive segments.
    alive = high > low
    step, until, low, high = step[alive], until[alive], low[alive], high[alive]
    segment, source = expand_ranges(segment_of_query[low], segment_of_query[high - 1] + 1)
    order = np.argsort(segment, kind="stable")
    segment, source = segment[order], source[order]
    return Entries(
        segment=segment.astype(np.int32),
        event=steps.event[step[source]],
        first=np.maximum(step[source], segments.begin[segment]),
        stop=np.minimum(until[source], segments.stop[segment]),
    )


def _lifetimes(view: FoldView, steps: Steps) -> tuple[np.ndarray, np.ndarray]:
    """The steps that open an entry, ascending, and for each the step of the user's next event on its candidate."""
    step = np.flatnonzero(steps.is_event)
    step = step[view.candidate[steps.event[step]] >= 0]
    owner, candidate = steps.owner[step], view.candidate[steps.event[step]]
    order = np.lexsort((step, candidate, owner))  # runs: one user's events on one candidate, in time order
    same = (owner[order][1:] == owner[order][:-1]) & (candidate[order][1:] == candidate[order][:-1])
    until = steps.offsets[owner + 1]
    until[order[:-1][same]] = step[order[1:][same]]
    touched = np.empty(len(step), bool)
    touched[order] = _touched_so_far(view.histories.sign[view.histories.behaviour[steps.event[step[order]]]], same)
    return step[touched], until[touched]


def _touched_so_far(sign: np.ndarray, same: np.ndarray) -> np.ndarray:
    """bool: whether an event with a positive sign lies at or before each one in its run.

    `same` tells of each event but the first whether it is in the run of the one before it.
    """
    place = np.arange(len(sign))
    begin = np.maximum.accumulate(np.where(np.append(True, ~same)[: len(sign)], place, 0))
    latest = np.maximum.accumulate(np.where(sign > 0, place, -1))
    return latest >= begin
