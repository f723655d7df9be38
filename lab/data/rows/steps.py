"""Histories as steps: events and, between them, ticks at the calendar's cutoffs; or events alone, each of them asked.

A tick stands where a user is asked. It knows the clock and never an event, and it is laid wherever the
user is *eligible* at that instant, which depends on earlier events alone: whether a tick is there says
nothing of what follows it. Training and evaluation lay ticks alike.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from lab.core.errors import InputError
from lab.core.fingerprint_marks import not_fingerprinted
from lab.core.memory import available_memory, gigabytes_text
from lab.data.fold.queries import FoldView, Queries
from lab.data.fold.search import events_until, expand_ranges
from lab.data.timeline import DAY, Fold, Timeline, microseconds


@dataclass(frozen=True)
class Steps:
    """The steps of W users with at least one query, N' in all, in (user, time) order, events before ticks."""

    offsets: np.ndarray
    """int64[W + 1]."""
    user: np.ndarray
    """int32[W], row numbers of the histories."""
    event: np.ndarray
    """int64[N'], index into the histories' columns; -1 at a tick."""
    tick: np.ndarray
    """int32[N'], index into `calendar`; -1 at an event."""
    time: np.ndarray
    """int64[N'], microseconds on the clock, the same for events that share a time."""
    asked: np.ndarray
    """int64[Q], ascending: the steps that are queries: ticks, or events, which know themselves."""
    calendar: np.ndarray
    """int64[K], the cutoffs of the split; none where events are asked."""
    moved: np.ndarray | None = None
    """int64[N'], the instants of the steps where those that share a time were moved apart
    (`lab.data.log.event_order`)."""

    def __len__(self) -> int:
        return len(self.time)

    @cached_property
    def owner(self) -> np.ndarray:
        """int32[N']: which of the W users each step belongs to."""
        return np.repeat(np.arange(len(self.user), dtype=np.int32), np.diff(self.offsets))

    @cached_property
    def is_event(self) -> np.ndarray:
        """bool[N']."""
        return self.event >= 0

    @property
    def queries(self) -> Queries:
        """The Q queries, in the order of `asked`."""
        instant = self.time if self.moved is None else self.moved
        return Queries(self.user[self.owner[self.asked]], instant[self.asked])


def lay_steps(view: FoldView, timeline: Timeline, split: str, every_tick: bool = False) -> Steps:
    """Lay the steps of `train`, `valid` or `test`.

    In training every tick is asked; in valid and test the last one is, unless `every_tick` is. Only the test asks
    users from whom nothing is learned. Steps after a user's last query could reach no prediction and are left out.
    """
    calendar = view.fold.ticks(split)
    user, tick, before = eligible(view, timeline, calendar)
    asked = np.ones(len(user), bool) if every_tick or split == "train" else tick == len(calendar) - 1
    if view.sample is not None and split != "test":
        asked &= view.sample[user]
    last = np.zeros(view.histories.users, np.int64)  # events known at the user's last query
    np.maximum.at(last, user[asked], before[asked])
    kept = np.flatnonzero(last)
    mine = last[user] > 0
    return _merge(view, calendar, kept, last[kept], user[mine], tick[mine], asked[mine])


def lay_events(view: FoldView, timeline: Timeline, split: str) -> Steps:
    """Steps of events alone, in histories whose events have instants of their own (`lab.data.log.event_order`).

    In training every event is asked that has another behind it by the valid cutoff. In valid and test those are, of
    each user, whose next event may lie in the longest window: the last one up to the cutoff, unless it lies more than
    `active_days` before it, and those in the window; where one event is left out, that last one alone. Whether the
    next does lie there is for the label to say.
    """
    histories, fold = view.histories, view.fold
    users = np.arange(histories.users, dtype=np.int32)
    offsets, opens = np.asarray(histories.offsets), fold.opens(split)

    def until(moment: int, time: np.ndarray = histories.clock) -> np.ndarray:
        return events_until(offsets, time, users, np.full(len(users), moment))

    if split == "train":
        first, stop = offsets[:-1], np.maximum(until(fold.closes_by(split)) - 1, offsets[:-1])
    else:
        known = until(opens)
        # The next of an event at the very end of the window lies in it if it shares its time.
        stop = known if timeline.leaves_one_out else until(fold.closes_by(split) - 1, histories.time)
        first = np.maximum(known - 1, offsets[:-1])
        if timeline.active_days is not None:
            latest = np.asarray(histories.clock)[np.minimum(first, len(histories.time) - 1)]
            first = np.where(latest > opens - microseconds(timeline.active_days), first, np.maximum(known, first))
    first = np.minimum(np.maximum(first, offsets[:-1] + timeline.min_events - 1), stop)
    if view.sample is not None and split != "test":
        first = np.where(view.sample, first, stop)
    kept = np.flatnonzero(stop > first)
    return _events_alone(view, kept, first[kept], stop[kept])


def _events_alone(view: FoldView, users: np.ndarray, first: np.ndarray, stop: np.ndarray) -> Steps:
    """The events of some users up to `stop`, those from `first` on asked."""
    begin = np.asarray(view.histories.offsets)[users]
    event, owner = expand_ranges(begin, stop)
    return Steps(
        offsets=np.append(0, np.cumsum(stop - begin)),
        user=users.astype(np.int32),
        event=event,
        tick=np.full(len(event), -1, np.int32),
        time=np.asarray(view.histories.clock)[event],
        asked=np.flatnonzero(event >= first[owner]),
        calendar=np.zeros(0, np.int64),
        moved=np.asarray(view.histories.time)[event],
    )


def eligible(view: FoldView, timeline: Timeline, calendar: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Every (user, tick) at which the user may be asked, in that order.

    Returns user int32[E], tick int32[E] and the number of the user's events up to the tick, int64[E].
    """
    histories = view.histories
    parts, at_once = [], max(min(_USERS_AT_ONCE, _TICKS_AT_ONCE // max(len(calendar), 1)), 1)
    for first in range(0, histories.users, at_once):
        users = np.arange(first, min(first + at_once, histories.users))
        before = _events_by(histories.offsets, histories.time, users, calendar)
        ok = before >= timeline.min_events
        if timeline.active_days is not None:
            # Of a user with no event by then, some other one's: min_events has ruled that tick out.
            latest = np.asarray(histories.time)[np.maximum(histories.offsets[users, None] + before - 1, 0)]
            ok &= latest > calendar[None] - microseconds(timeline.active_days)
        rows, tick = np.nonzero(ok)
        parts.append((users[rows].astype(np.int32), tick.astype(np.int32), before[ok]))
        _require_memory(sum(len(part) for part, *_ in parts) * histories.users / (users[-1] + 1), view.fold)
    user, tick, before = (np.concatenate(p) for p in zip(*parts, strict=True))
    return user, tick, before


_USERS_AT_ONCE = 65_536
"""Users whose (user, tick) grid is held in memory at once."""
_TICKS_AT_ONCE = 1 << 25
"""Places of that grid, where the ticks are many."""
STEP_BYTES = 120
"""Bytes that a tick takes at most while it is laid among the events, and with its columns."""


@not_fingerprinted
def _require_memory(ticks: float, fold: Fold) -> None:
    """Raise InputError where so many ticks do not fit memory."""
    need, room = STEP_BYTES * ticks, available_memory()
    if need > room:
        least = fold.query_every / DAY * need / room
        raise InputError(
            f"timeline.query_every: a tick every {fold.query_every / DAY:g} days makes {ticks:,.0f}, which take "
            f"about {gigabytes_text(need)} of memory, and {gigabytes_text(room)} are free; use "
            f"{least * 1.05:.3g} or more."
        )


def _events_by(offsets: np.ndarray, time: np.ndarray, users: np.ndarray, calendar: np.ndarray) -> np.ndarray:
    """int64[users, K]: how many of each user's events have time <= each tick."""
    begin, end = offsets[users[0]], offsets[users[-1] + 1]
    block = np.asarray(time[begin:end])
    # The tick before which an event first counts; a histogram over it, summed along the calendar.
    place = np.searchsorted(calendar, block, side="left")
    row = np.repeat(np.arange(len(users)), np.diff(offsets[users[0] : users[-1] + 2]))
    counts = np.bincount(row * (len(calendar) + 1) + place, minlength=len(users) * (len(calendar) + 1))
    return counts.reshape(len(users), -1)[:, :-1].cumsum(1)


def _merge(
    view: FoldView,
    calendar: np.ndarray,
    users: np.ndarray,
    events: np.ndarray,
    tick_user: np.ndarray,
    tick: np.ndarray,
    asked: np.ndarray,
) -> Steps:
    """Interleave each user's first `events` events with their ticks, by time, events first."""
    row = np.full(view.histories.users, -1, np.int32)
    row[users] = np.arange(len(users), dtype=np.int32)
    event_owner = np.repeat(np.arange(len(users), dtype=np.int32), events)
    begin = np.cumsum(events) - events
    event = np.arange(events.sum()) - np.repeat(begin, events) + np.repeat(view.histories.offsets[users], events)
    owner = np.concatenate([event_owner, row[tick_user]])
    time = np.concatenate([np.asarray(view.histories.time)[event], calendar[tick]])
    is_tick = np.repeat([False, True], [len(event), len(tick)])
    # A stable sort by time then owner keeps events before ticks, and events in their own order.
    order = np.lexsort((time, owner))
    none_event, none_tick = np.full(len(tick), -1, np.int64), np.full(len(event), -1, np.int32)
    offsets = np.append(0, np.cumsum(np.bincount(owner, minlength=len(users))))
    return Steps(
        offsets=offsets,
        user=users.astype(np.int32),
        event=np.concatenate([event, none_event])[order],
        tick=np.concatenate([none_tick, tick])[order],
        time=time[order],
        asked=np.flatnonzero(np.concatenate([np.zeros(len(event), bool), asked])[order] & is_tick[order]),
        calendar=calendar,
    )
