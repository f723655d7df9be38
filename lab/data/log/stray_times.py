"""Stray timestamps: a few events far from all the others, and times at which no shop's log was written."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import numpy as np

from lab.data.timeline import DAY, date_text, instant, log_days

TAIL = 0.001
"""Share of the events that may be stray at either end."""


EARLIEST = "1990-01-01"
"""Before which few logs of what shoppers did were kept."""


def odd_times(facts: Mapping[str, Any], now: datetime) -> str | None:
    """A remark on a log that begins before `EARLIEST` or ends a day after `now`, None where neither is so."""
    first, last = facts["first"], facts["last"]
    found = [f"the first event is of {date_text(first)[:10]}"] if first < instant(EARLIEST) else []
    found += [f"the last event is of {date_text(last)[:10]}, still to come"] if last > instant(str(now)) + DAY else []
    return (
        f"{' and '.join(found)}: is that right? (--source.time-format states how times are written; --cleaning.since "
        f"and --cleaning.until leave out what lies before and after)"
        if found
        else None
    )


def bulk_span(time: np.ndarray) -> list[int]:
    """The first and last instant (microseconds) of all events but `TAIL` at either end."""
    tail = int(TAIL * (len(time) - 1))
    ends = (tail, len(time) - 1 - tail)
    return [int(moment) for moment in np.partition(time, ends)[list(ends)]]


def late_times(time: np.ndarray, moment: int, least: int) -> str | None:
    """What to do about events so late that a cutoff at `moment` is in or behind the longest gap before them.

    None where that gap is no longer than `least` (microseconds), or after the moment, or before most of the log.
    """
    ordered = np.sort(time)
    gaps = np.diff(ordered)
    if not len(gaps) or gaps.max() <= least or ordered[gaps.argmax()] > moment:
        return None
    last, late = int(ordered[gaps.argmax()]), len(gaps) - int(gaps.argmax())
    if 2 * late > len(time):
        return None
    until = date_text(_rounded_up(last, DAY // 24))
    return (
        f"{late:,} of the {len(time):,} events lie{'s' if late == 1 else ''} {log_days(int(gaps.max()))} days after "
        f"all others: if such late times are stray, leave them out with --cleaning.until {until}"
    )


def _rounded_up(moment: int, unit: int) -> int:
    return -(-moment // unit) * unit


def stray_times(facts: Mapping[str, Any]) -> str | None:
    """What to do about events that lie far from the rest, None where none do."""
    first, last = facts["bulk"]
    whole = facts["last"] - facts["first"]
    if 2 * (last - first) >= whole:
        return None
    # Rounded outwards, so that leaving the rest out costs no event of the bulk.
    unit = DAY // 24 if last - first > DAY else 1_000_000
    since, until = first // unit * unit, _rounded_up(last, unit)
    return (
        f"{100 * (1 - 2 * TAIL):.3g} % of the events lie between {date_text(since)} and {date_text(until)} "
        f"({(until - since) / DAY:.1f} of {log_days(whole)} days): leave the rest out with "
        f"--cleaning.since {date_text(since)} --cleaning.until {date_text(until)}"
    )
