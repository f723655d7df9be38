"""A limited past: each query laid out anew with the events it may see and no others."""

import numpy as np

from lab.data.fold.queries import FoldView, Queries
from lab.data.fold.search import events_until, expand_ranges
from lab.data.rows.steps import Steps


def visible_events(view: FoldView, queries: Queries) -> tuple[np.ndarray, np.ndarray]:
    """int64[Q] each: the first of its user's events that a query sees under `view.history`, and one past the last."""
    histories = view.histories
    stop = events_until(histories.offsets, histories.time, queries.user, queries.cutoff)
    if view.history is None:
        return histories.offsets[queries.user], stop
    since = view.clock_at(queries) - view.history
    return events_until(histories.offsets, histories.clock, queries.user, since), stop


def recent_histories(view: FoldView, steps: Steps) -> tuple[FoldView, Steps]:
    """A history for each query, of the user's events in (clock - view.history, cutoff] alone, and its steps.

    Counts, gaps and places are then those of what the query sees, whatever a group or model makes of them.
    Of the ticks only the query's own is laid: whether an earlier one is there can hang on older events.
    """
    histories, queries = view.histories, steps.queries
    begin, stop = visible_events(view, queries)
    event, owner = expand_ranges(begin, stop)
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
    event[place], tick[asked] = np.arange(events), steps.tick[steps.asked]

    def joined(of_events: np.ndarray, of_steps: np.ndarray) -> np.ndarray:
        column = np.empty(events + queries, np.int64)
        column[place], column[asked] = of_events, of_steps[steps.asked]
        return column

    time = joined(seen.histories.clock, steps.time)
    moved = None if steps.moved is None else joined(seen.histories.time, steps.moved)
    user = np.arange(queries, dtype=np.int32)
    return Steps(offsets, user, event, tick, time, asked, steps.calendar, moved)
