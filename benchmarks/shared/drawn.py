"""A mean over users with the users resampled by drawing: what `PoissonBootstrap` computes, for tests and benchmarks."""

import numpy as np

AT_ONCE = 1 << 22
"""Weights of users drawn together, 32 MiB."""


def drawn_means(total: np.ndarray, size: np.ndarray, draws: int, rng: np.random.Generator) -> np.ndarray:
    """float64[<= draws]: sum(w d) / sum(w n) with w Poisson(1) for each user, those left out where all w are 0."""
    block = max(1, AT_ONCE // len(size))
    parts = []
    for first in range(0, draws, block):
        times = rng.poisson(1, (min(block, draws - first), len(size))).astype(np.float64)
        below = times @ size
        parts.append((times @ total)[below > 0] / below[below > 0])
    return np.concatenate(parts)
