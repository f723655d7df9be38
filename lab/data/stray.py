"""Stray timestamps: a few events far from all the others, and times at which no shop's log was written."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import numpy as np

from lab.data.timeline import DAY, date_text, instant

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
        f"{' and '.join(found)}: is that right? (--source.time-format states how times are written)" if found else None
    )


def bulk(time: np.ndarray) -> list[int]:
    """The first and last instant (microseconds) of all events but `TAIL` at either end."""
    tail = int(TAIL * (len(time) - 1))
    ends = (tail, len(time) - 1 - tail)
    return [int(moment) for moment in np.partition(time, ends)[list(ends)]]


def stray_times(facts: Mapping[str, Any]) -> str | None:
    """What to do about events that lie far from the rest, None where none do."""
    first, last = facts["bulk"]
    whole = facts["last"] - facts["first"]
    if 2 * (last - first) >= whole:
        return None
    # Rounded outwards, so that leaving the rest out costs no event of the bulk.
    unit = DAY // 24 if last - first > DAY else 1_000_000
    since, until = first // unit * unit, -(-last // unit) * unit
    return (
        f"{100 * (1 - 2 * TAIL):.3g} % of the events lie between {date_text(since)} and {date_text(until)} "
        f"({(until - since) / DAY:.1f} of {whole / DAY:,.1f} days): leave the rest out with "
        f"--cleaning.since {date_text(since)} --cleaning.until {date_text(until)}"
    )
