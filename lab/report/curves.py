"""Lines over places of an axis, and the interval of each point: side by side, lest one hide another."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from jaxtyping import Float

from lab.report.style import colour, line_style
from lab.statistics.intervals import Interval

STEP, SPREAD = 0.06, 0.5
"""Shares of the way between two places of an axis: from a line's point to the next line's, and all of them at most."""


def shifted_places(places: Sequence[float], index: int, count: int) -> Float[np.ndarray, "P"]:
    """Where the points of one of `count` lines stand about the places of an axis, which rise."""
    gap = float(np.diff(places).min()) if len(places) > 1 else 1.0
    return np.asarray(places, float) + (index - (count - 1) / 2) * min(STEP, SPREAD / count) * gap


def curve(panel: Any, where: Float[np.ndarray, "P"], found: Sequence[Interval], index: int, name: str) -> None:
    """A line through means, with their intervals as thin bars, which many lines can have where bands are one heap."""
    panel.plot(where, [one.mean for one in found], label=name, **line_style(index) | {"linewidth": 1.3})
    ends = [one.low for one in found], [one.high for one in found]
    panel.vlines(where, *ends, color=colour(index), linewidth=1.1, alpha=0.55)
