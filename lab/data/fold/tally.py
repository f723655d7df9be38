"""How often each item and category occurred by a moment, counted in one pass over a log of any size."""

from dataclasses import dataclass

import numpy as np

from lab.data.log.histories import Histories

EVENTS_AT_ONCE = 1 << 22


@dataclass(frozen=True)
class Tally:
    """What a log held by a moment."""

    events: int
    items: np.ndarray
    """int64[I], events of each item."""
    categories: np.ndarray | None
    """int64[C], events of each category; None where the log has none."""


def count_known_events(histories: Histories, moment: int) -> Tally:
    """Count the events with time <= `moment`."""
    events, items = 0, np.zeros(len(histories.item_names), np.int64)
    categories = None if histories.category_names is None else np.zeros(len(histories.category_names), np.int64)
    for begin in range(0, histories.events, EVENTS_AT_ONCE):
        block = slice(begin, begin + EVENTS_AT_ONCE)
        known = np.asarray(histories.clock[block]) <= moment
        events += int(known.sum())
        items += _counts(histories.item[block][known], len(items))
        if categories is not None and histories.category is not None:
            categories += _counts(histories.category[block][known], len(categories))
        histories.release()
    return Tally(events, items, categories)


def _counts(codes: np.ndarray, size: int) -> np.ndarray:
    """int64[size]; missing values (-1) are not counted."""
    return np.bincount(codes + 1, minlength=size + 1)[1:]
