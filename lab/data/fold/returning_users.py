"""Who comes back: how many users, known at a cutoff, do anything in the days after it."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from lab.data.fold.search import events_until, expand_ranges
from lab.data.log.histories import Histories
from lab.data.timeline import Timeline, microseconds


@dataclass(frozen=True)
class ReturningUsers:
    """What a horizon before the end of a log would ask of it."""

    horizon: float
    """Days."""
    known: int
    """Users that may be asked at the cutoff, by `min_events` and `active_days`."""
    back: int
    """Those of them who do anything in the horizon; what takes back a purchase aside."""
    labels: float
    """Of these, how many different categories (items, where the log has none) each touches in it; 0 for nobody."""
    next_items: int
    """Events in the horizon with `min_events` of their user before them: those before which a next item is asked."""


def count_returning_users(
    histories: Histories, horizons: tuple[float, ...], timeline: Timeline
) -> Iterator[ReturningUsers]:
    """Ask a log at one cutoff for each horizon (days), the horizon before its last event."""
    offsets, time = histories.offsets, histories.time
    users, last = np.arange(histories.users), histories.facts["last"]
    counts = histories.sign[np.asarray(histories.behaviour)] > 0
    codes = histories.item if histories.category is None else histories.category
    for days in horizons:
        cutoff = last - microseconds(days)
        stop = events_until(offsets, time, users, np.full(len(users), cutoff))
        known = stop - offsets[:-1] >= timeline.min_events
        if timeline.active_days is not None:
            known &= np.asarray(time[np.maximum(stop - 1, 0)]) > cutoff - microseconds(timeline.active_days)
        event, user = expand_ranges(stop, offsets[1:])
        later = event - offsets[user] >= timeline.min_events
        touched = known[user] & counts[event]
        code = np.asarray(codes)[event[touched]]
        pairs = np.unique(np.stack([user[touched], code])[:, code >= 0], axis=1).shape[1]
        back = len(np.unique(user[touched]))
        yield ReturningUsers(days, int(known.sum()), back, pairs / max(back, 1), int((later & counts[event]).sum()))
