"""A limited past: each query laid out anew with the events it may see and no others."""

import numpy as np

from lab.data.fold.queries import FoldView
from lab.data.fold.search import events_until, expand
from lab.data.rows.steps import Steps


def recent(view: FoldView, steps: Steps) -> tuple[FoldView, Steps]:
    """A history for each query, of the user's events in (cutoff - view.history, cutoff] alone, and its steps.

    Counts, gaps and places are then those of what the query sees, whatever a group or model makes of them.
    Of the ticks only the query's own is laid: whether an earlier one is there can hang on older events.
    """
    assert view.history is not None
    histories, queries = view.histories, steps.queries
    begin, stop = (
        events_until(histories.offsets, histories.time, queries.user, moment)
        for moment in (queries.cutoff - view.history, queries.cutoff)
    )
    event, owner = expand(begin, stop)
    offsets = np.append(0, np.cumsum(stop - begin))
    shorter = histories.of_users(queries.user, offsets, lambda column: np.asarray(column[event]))
    seen = FoldView(shorter, view.fold, view.candidate[event], view.names)
    return seen, _each_with_its_tick(seen, steps, owner)


def _each_with_its_tick(seen: FoldView, steps: Steps, owner: np.ndarray) -> Steps:
    """The events of each query's history, and behind them its tick."""
    queries, events = len(steps.asked), len(owner)
    offsets = seen.histories.offsets + np.arange(queries + 1)
    asked, place = offsets[1:] - 1, np.arange(events) + owner
    event = np.full(events + queries, -1, np.int64)
    tick = np.full(events + queries, -1, np.int32)
    time = np.empty(events + queries, np.int64)
    event[place], time[place] = np.arange(events), seen.histories.time
    tick[asked], time[asked] = steps.tick[steps.asked], steps.time[steps.asked]
    user = np.arange(queries, dtype=np.int32)
    return Steps(offsets, user, event, tick, time, asked, steps.calendar)
