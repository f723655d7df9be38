"""Users drawn with replacement, the same draws wherever the same users are asked."""

from collections.abc import Iterator

import numpy as np

DRAWS = 1000
"""Resamples of the users behind an interval of a metric that only a whole cell has."""

WEIGHTS_AT_ONCE = 1 << 23


def user_draws(user: np.ndarray, draws: int = DRAWS) -> Iterator[np.ndarray]:
    """Weights float64[b, Q] of queries, `draws` rows in blocks: how often each query's user, int[Q], was drawn.

    A cluster bootstrap: n users drawn from n with replacement, a user's queries together. The draws depend on which
    users there are and on nothing else, so that those of two cells that answer the same queries belong together.
    """
    people, inverse = np.unique(user, return_inverse=True)
    rng = np.random.default_rng(0)
    block = max(1, WEIGHTS_AT_ONCE // max(len(user), 1))
    for first in range(0, draws, block):
        size = min(block, draws - first)
        chosen = rng.integers(len(people), size=(size, len(people)))
        row = np.repeat(np.arange(size), len(people)) * len(people)
        times = np.bincount(row + chosen.ravel(), minlength=size * len(people)).reshape(size, len(people))
        yield times[:, inverse].astype(np.float64)
