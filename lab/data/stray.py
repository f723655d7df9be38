"""Stray timestamps: a few events far from all the others, which would stretch the calendar."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from lab.data.timeline import DAY, date_text

TAIL = 0.001
"""Share of the events that may be stray at either end."""


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
