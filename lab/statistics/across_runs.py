"""What runs over several seeds and tasks say of a line, and of two; a task is one fold, horizon and log."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float

from lab.statistics.intervals import Interval, expanded_tail

RESAMPLES = 10_000
"""An end moves with the draw by about 1.4 % of half the interval's width: its Monte Carlo error is
2.67 / sqrt(RESAMPLES) standard errors of what is estimated (2.67 = sqrt(p (1 - p)) / phi(z) at p = 2.5 %)."""
AT_ONCE = 1 << 20
"""Runs drawn together, 8 MiB for each array of them."""
FEWEST_RUNS = 5
"""Runs of a task below which resampling them covers less than it says."""


def improvement(a: Float[np.ndarray, "S T"], b: Float[np.ndarray, "R T"]) -> float:
    """The chance that a random run of a beats one of b on a random task, ties by half (Agarwal et al. 2021)."""
    more = (a[:, None] > b[None]) + 0.5 * (a[:, None] == b[None])
    return float(more.mean(axis=(0, 1)).mean())


def interquartile_mean(runs: Sequence[Float[np.ndarray, "S"]]) -> float:
    """The mean of the middle half of all runs, each task weighing the same (Agarwal et al. 2021)."""
    return float(_middle(np.concatenate(runs)[None], _weights(runs))[0])


def over_runs(runs: Sequence[Float[np.ndarray, "S"]], rng: np.random.Generator) -> Interval | None:
    """The interquartile mean and its interval, were each task run anew with other seeds.

    Stratified bootstrap: the runs of each task, float64[S] for each of them, are drawn among themselves. The
    percentiles are expanded to Student's t of half the degrees of freedom, since half of the runs are trimmed.
    None below two tasks or below FEWEST_RUNS runs of one.
    """
    if len(runs) < 2 or min(map(len, runs)) < FEWEST_RUNS:
        return None
    size = sum(map(len, runs))
    block, weights = max(1, AT_ONCE // size), _weights(runs)
    middles = np.concatenate(
        [_middle(_drawn(runs, min(block, RESAMPLES - first), rng), weights) for first in range(0, RESAMPLES, block)]
    )
    free = size - len(runs)
    tail = expanded_tail(free / 2, size / free)
    low, high = np.quantile(middles, [tail, 1 - tail])
    return Interval(interquartile_mean(runs), float(low), float(high))


def _drawn(runs: Sequence[np.ndarray], count: int, rng: np.random.Generator) -> Float[np.ndarray, "R N"]:
    """The runs of each task drawn with replacement, all tasks beside each other."""
    return np.concatenate([task[rng.integers(0, len(task), (count, len(task)))] for task in runs], axis=1)


def _weights(runs: Sequence[np.ndarray]) -> Float[np.ndarray, "N"]:
    return np.concatenate([np.full(len(task), 1 / len(task) / len(runs)) for task in runs])


def _middle(values: Float[np.ndarray, "R N"], weights: Float[np.ndarray, "N"]) -> Float[np.ndarray, "R"]:
    """The mean of each row between its quartiles; a value that a quartile cuts counts by the part within."""
    order = np.argsort(values, axis=1)
    end = np.cumsum(weights[order], axis=1)
    within = np.clip(np.minimum(end, 0.75) - np.maximum(end - weights[order], 0.25), 0, None)
    return (within * np.take_along_axis(values, order, axis=1)).sum(axis=1) / within.sum(axis=1)
