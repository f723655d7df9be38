"""Truths that are known, and what rates measured on them say."""

import numpy as np
from scipy.stats import binomtest


def at_most(hits: int, repetitions: int, rate: float = 0.05) -> bool:
    """Whether a true rate of at most `rate` explains the hits: one-sided binomial p above 1 %.

    A measured rate scatters about the true one, so "at most 5 %" cannot be asked of it outright where the true
    rate is 5 % by construction. With 20,000 repetitions, a true rate of 5.6 % is caught 9 times in 10.
    """
    return bool(binomtest(hits, repetitions, rate, alternative="greater").pvalue > 0.01)


def between(hits: int, repetitions: int, low: float = 0.93, high: float = 0.97) -> bool:
    """Whether the 99 % interval of the true rate (Clopper and Pearson) lies within the bounds, not the measured one."""
    found = binomtest(hits, repetitions).proportion_ci(0.99)
    return bool(low <= found.low and found.high <= high)


def paired(rng: np.random.Generator, users: int, tests: int) -> tuple[np.ndarray, np.ndarray]:
    """Differences [tests, Q] of two skewed metrics of one distribution, and user [Q], each with 1 to 8 queries."""
    user = np.repeat(np.arange(users), rng.integers(1, 9, users))
    likes = rng.normal(0, 1, (tests, users))[:, user] - 1
    noise = rng.normal(0, 1, (2, tests, len(user)))
    shift = 0.5 * rng.normal(0, 1, (2, tests, users))[..., user]
    one, other = 1 / (1 + np.exp(-(likes + noise + shift)))
    return one - other, user


def by_user(differences: np.ndarray, user: np.ndarray) -> np.ndarray:
    """Each user's sum of every row, float64[tests, users]; users come sorted."""
    return np.add.reduceat(differences, np.flatnonzero(np.diff(user, prepend=-1)), axis=-1)
