"""What `benchmarks.training` says of speeds and of logs: ratios, kept apart from PyTorch, which they do not need."""

from collections.abc import Mapping, Sequence

import numpy as np

from lab.data.timeline import DAY

TORCH = "PyTorch"
"""With what the names of PyTorch's contenders begin."""
CELLS = "cells"
"""The contender that trains a model on each of a CPU's devices."""


def ratios(speeds: Mapping[str, float], on_cpu: bool) -> str:
    """The lab's tokens per second over PyTorch's best.

    On a CPU one model in the better of its two ways, as PyTorch has one model in the better of its two; and apart from
    it a model for every core. Elsewhere each number of cells, and how much longer an update of the most takes than one
    of the fewest, where there are several.
    """
    theirs = max(speed for name, speed in speeds.items() if name.startswith(TORCH))
    ours = {name: speed for name, speed in speeds.items() if not name.startswith(TORCH)}
    if on_cpu:
        one = max(speed for name, speed in ours.items() if name != CELLS)
        many = f", a model on each core {ours[CELLS] / theirs:.2f}" if CELLS in ours else ""
        return f"one model {one / theirs:.2f}{many}"
    each = " ".join(f"{speed / theirs:.2f}" for speed in ours.values())
    if len(ours) < 2:
        return each
    (few, slow), *_, (many, fast) = sorted((int(name.split()[0]), speed) for name, speed in ours.items())
    return f"{each}; {many} cells take {many / fast / (few / slow):.2f} times as long as {few}"


def read_again(times: Sequence[np.ndarray], longest: int) -> float:
    """How often an event is read where each user has a row at each week from the first event to the last.

    Of each row, and of each history as the lab reads it once, the last `longest` events count.
    """
    read = 0
    for time in times:
        weeks = np.arange(time[0], time[-1] + 7 * DAY, 7 * DAY)
        read += np.minimum(np.searchsorted(time, weeks, side="right"), longest).sum()
    return float(read / sum(min(len(time), longest) for time in times))
