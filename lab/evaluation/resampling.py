"""Users drawn with replacement, the same draws wherever the same users are asked."""

from collections.abc import Iterator

import numpy as np

DRAWS = 10_000
"""Most resamples of the users behind an interval of a metric that only a whole cell has: 80 KB on disk for each."""
FEWEST_DRAWS = 1_000
WEIGHTS = 14_000_000
"""Weights of users that are drawn where that gives more than the fewest draws and less than the most."""
WEIGHTS_AT_ONCE = 1 << 23


def draws_of(users: int) -> int:
    """How many resamples of so many users: WEIGHTS / users, from FEWEST_DRAWS to DRAWS.

    An end of a 95 % interval then moves with the draw by 2.67 s / sqrt(users draws), s being the deviation that one
    user stands for: by less than .0004 for s = .5 from 1,400 users on, and by 1.4 % of half the width below.
    """
    return min(DRAWS, max(FEWEST_DRAWS, WEIGHTS // max(users, 1)))


def user_draws(user: np.ndarray, draws: int | None = None) -> Iterator[np.ndarray]:
    """Weights float64[b, Q] of queries, `draws` rows in blocks: how often each query's user, int[Q], was drawn.

    As many as `draws_of` says of them where none are named; a block holds at most WEIGHTS_AT_ONCE, 64 MiB.

    A cluster bootstrap: n users drawn from n with replacement, a user's queries together. The draws depend on which
    users there are and on nothing else, so that those of two cells that answer the same queries belong together.
    """
    people, inverse = np.unique(user, return_inverse=True)
    rng = np.random.default_rng(0)
    draws = draws_of(len(people)) if draws is None else draws
    block = max(1, WEIGHTS_AT_ONCE // max(len(user), 1))
    for first in range(0, draws, block):
        size = min(block, draws - first)
        chosen = rng.integers(len(people), size=(size, len(people)))
        row = np.repeat(np.arange(size), len(people)) * len(people)
        times = np.bincount(row + chosen.ravel(), minlength=size * len(people)).reshape(size, len(people))
        yield times[:, inverse].astype(np.float64)
