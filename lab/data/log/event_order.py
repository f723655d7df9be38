"""Histories whose times are changed so that events can be asked one by one.

Everything else knows events by their instants: what is known at a query are the events up to its cutoff, and cutoffs
stand on one calendar. Both hold for queries between any two events once no two of a user share an instant. The times
before that stay beside the moved ones: by how much an event was moved tells how many follow it at the same time. And
"each user's last event is the test, the one before it the valid split" is a calendar too, of events counted from the
end.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from lab.core.errors import InputError
from lab.data.log.histories import Histories
from lab.data.timeline import DAY


def with_distinct_times(histories: Histories) -> Histories:
    """The histories with each event at an instant of its own, in the order they have.

    The last of those that share one keeps it; each before it stands a microsecond before the next. What they were
    stays as `original_time`, which the feature groups read, and by which events lie before or after a fold's cutoffs.
    """
    time, place = np.asarray(histories.time), np.arange(histories.events)
    # t[i] = min over j >= i of time[j] - (j - i), within a user: a running minimum from the end. Users' numbers above
    # the values keep them apart.
    levels, level = np.unique(time - place, return_inverse=True)
    least = np.minimum.accumulate((histories.user_of_event * np.int64(len(levels)) + level)[::-1])[::-1]
    return replace(histories, time=levels[least % max(len(levels), 1)] + place, original_time=histories.clock)


def leave_one_out_histories(
    histories: Histories, counts: np.ndarray, behaviours: Sequence[str] = (), min_events: int = 1
) -> Histories:
    """The histories on the calendar of leave-one-out, of the events that count, bool[N]: those that are predicted.

    These are of some behaviours, which the facts name, or of any.

    The k-th before a user's last one stands at instant -k days, and so does what follows it and does not count. The
    test cutoff -1 then has each user's last one behind it, the valid cutoff -2 the one before; what a user did after
    the last one stands at day 1, which nothing reaches. The facts tell of that calendar, and of what it leaks to those
    who are asked, with so many events before: see `leaked_events`.
    """
    until = np.append(0, np.cumsum(counts))
    back = np.repeat(until[histories.offsets[1:]], np.diff(histories.offsets)) - until[1:]
    back[(back == 0) & ~counts] = -1
    timed = histories.times is not None
    place = np.arange(histories.events) - np.repeat(histories.offsets[:-1], np.diff(histories.offsets))
    test = (back == 0) & counts & (place >= min_events)
    calendar = {
        "first": -int(back.max(initial=0)) * DAY,
        "last": 0,
        "behaviours": list(behaviours),
        "leaked": leaked_events(np.asarray(histories.time), test, counts & (back >= 2)) if timed else None,
    }
    return replace(histories, time=-back * DAY, facts={**histories.facts, "calendar": calendar})


def leaked_events(time: np.ndarray, asked: np.ndarray, learned: np.ndarray) -> dict[str, float]:
    """What leave-one-out lets a model know too early, of events that are the test, and those learned from, bool[N].

    tests: the share of test events that are older than some training event; events: the share of the training events
    that lie after the median test event.
    """
    train, test = time[learned], time[asked]
    if not len(train) or not len(test):
        return {"tests": 0.0, "events": 0.0}
    return {"tests": float((test < train.max()).mean()), "events": float((train > np.median(test)).mean())}


def require_times(facts: Mapping[str, Any]) -> None:
    """Raise InputError where a calendar is asked of a log that has none."""
    if not facts.get("timed", True):
        raise InputError(
            "source.order: the log is in order but has no times, so nothing can be said of days ahead; use a log with "
            "times, or the target next_item with timeline.protocol='leave_one_out'."
        )
