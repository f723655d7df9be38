"""How much of the log may be leaned on: the days of a user's own past, and the users that are learned from."""

from dataclasses import dataclass

import numpy as np

from lab.data.histories import Histories
from lab.data.queries import FoldView, Queries
from lab.data.search import events_until, expand
from lab.data.shards import known_users
from lab.data.steps import Steps
from lab.data.timeline import microseconds


@dataclass(frozen=True)
class Limits:
    """What is left out of a log on purpose; the default leaves nothing out."""

    history_days: float | None = None
    """Days of a user's past that a query sees; None: all of it."""
    share: float = 1.0
    """Share of the users from whom everything is learned."""
    seed: int = 0
    """Which ones these are."""

    @property
    def history(self) -> int | None:
        """Microseconds."""
        return None if self.history_days is None else microseconds(self.history_days)

    def draw(self, histories: Histories, moment: int) -> np.ndarray | None:
        """bool[U]: the users to learn from; None for all.

        A share of those known at `moment`, so that nobody who comes later moves them. Of one seed a smaller
        share is part of every larger one.
        """
        if self.share == 1:
            return None
        known = np.flatnonzero(known_users(histories, moment))
        words = np.random.SeedSequence([self.seed, *b"share"])
        order = np.random.Generator(np.random.PCG64(words)).permutation(len(known))
        drawn = np.zeros(histories.users, bool)
        drawn[known[order[: max(round(self.share * len(known)), 1)]]] = True
        return drawn


def sees(view: FoldView, queries: Queries) -> tuple[np.ndarray, np.ndarray]:
    """int64[Q] each: the first of its user's events that a query sees under `view.history`, and one past the last."""
    histories = view.histories
    stop = events_until(histories.offsets, histories.time, queries.user, queries.cutoff)
    if view.history is None:
        return histories.offsets[queries.user], stop
    since = view.clock_at(queries) - view.history
    return events_until(histories.offsets, histories.clock, queries.user, since), stop


def recent(view: FoldView, steps: Steps) -> tuple[FoldView, Steps]:
    """A history for each query, of the user's events in (clock - view.history, cutoff] alone, and its steps.

    Counts, gaps and places are then those of what the query sees, whatever a group or model makes of them.
    Of the ticks only the query's own is laid: whether an earlier one is there can hang on older events.
    """
    histories, queries = view.histories, steps.queries
    begin, stop = sees(view, queries)
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
    event[place], tick[asked] = np.arange(events), steps.tick[steps.asked]

    def joined(of_events: np.ndarray, of_steps: np.ndarray) -> np.ndarray:
        column = np.empty(events + queries, np.int64)
        column[place], column[asked] = of_events, of_steps[steps.asked]
        return column

    time = joined(seen.histories.clock, steps.time)
    moved = None if steps.moved is None else joined(seen.histories.time, steps.moved)
    user = np.arange(queries, dtype=np.int32)
    return Steps(offsets, user, event, tick, time, asked, steps.calendar, moved)
