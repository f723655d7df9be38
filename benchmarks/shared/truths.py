"""Data whose truth is known, and what rates measured on them say; for tests and `benchmarks/statistics.py`."""

from collections.abc import Callable

import numpy as np

Sample = tuple[np.ndarray, np.ndarray]
"""Values per query, and the user of each; users come sorted."""


def at_most(hits: int, repetitions: int, rate: float = 0.05) -> bool:
    """Whether a true rate of at most `rate` explains the hits: one-sided binomial p above 1 %.

    A measured rate scatters about the true one, so "at most 5 %" cannot be asked of it outright where the true
    rate is 5 % by construction. With 20,000 repetitions, a true rate of 5.6 % is caught 9 times in 10.
    """
    from scipy.stats import binomtest

    return bool(binomtest(hits, repetitions, rate, alternative="greater").pvalue > 0.01)


def limits(hits: int, repetitions: int) -> tuple[float, float]:
    """The 99 % interval of the true rate (Clopper and Pearson)."""
    from scipy.stats import binomtest

    found = binomtest(hits, repetitions).proportion_ci(0.99)
    return float(found.low), float(found.high)


def lies_within(hits: int, repetitions: int, low: float = 0.93, high: float = 0.97) -> bool:
    """Whether the whole 99 % interval of the true rate lies within the bounds, not the measured rate alone."""
    least, most = limits(hits, repetitions)
    return low <= least and most <= high


def often(rng: np.random.Generator, users: int) -> Sample:
    """Values of mean 1/4, one to six queries a user, two seeds: all of a user's values go together."""
    values, user = _hits(rng, rng.beta(1, 3, users))
    return np.stack([values, values]), user


def rarely(rng: np.random.Generator, users: int) -> Sample:
    """Values of mean 1/10, most users having none at all: as skewed as the novel slice of a hard log."""
    return _hits(rng, rng.beta(0.2, 1.8, users))


def _hits(rng: np.random.Generator, skill: np.ndarray) -> Sample:
    user = np.repeat(np.arange(len(skill)), rng.integers(1, 7, len(skill)))
    return (rng.random(len(user)) < skill[user]).astype(float), user


def paired(rng: np.random.Generator, users: int, tests: int) -> Sample:
    """Differences [tests, Q] of two skewed metrics of one distribution, one to eight queries a user."""
    user = np.repeat(np.arange(users), rng.integers(1, 9, users))
    likes = rng.normal(0, 1, (tests, users))[:, user] - 1
    noise = rng.normal(0, 1, (2, tests, len(user)))
    shift = 0.5 * rng.normal(0, 1, (2, tests, users))[..., user]
    one, other = 1 / (1 + np.exp(-(likes + noise + shift)))
    return one - other, user


def lopsided(rng: np.random.Generator, users: int, tests: int) -> Sample:
    """Differences [tests, Q] of mean 0 where one line wins much at few users and loses a little at the others."""
    user = np.repeat(np.arange(users), rng.integers(1, 9, users))
    wins = (rng.exponential(1, (tests, users)) - 1)[:, user]
    return wins + 0.5 * rng.normal(0, 1, (tests, len(user))), user


def heavy(rng: np.random.Generator, users: int, tests: int) -> Sample:
    """The same with lognormal wins, which no user out of twenty may have: worse than what anything was chosen by."""
    user = np.repeat(np.arange(users), rng.integers(1, 9, users))
    wins = (rng.lognormal(0, 1, (tests, users)) - np.exp(0.5))[:, user]
    return wins + 0.5 * rng.normal(0, 1, (tests, len(user))), user


def ahead(draw: Callable[..., Sample], by: float) -> Callable[..., Sample]:
    """The same differences, moved by `by` / sqrt(users), so that any number of users shows about as much of it."""

    def moved(rng: np.random.Generator, users: int, tests: int) -> Sample:
        differences, user = draw(rng, users, tests)
        return differences + by / np.sqrt(users), user

    return moved


def by_user(differences: np.ndarray, user: np.ndarray) -> np.ndarray:
    """Each user's sum of every row, float64[tests, users]."""
    return np.add.reduceat(differences, np.flatnonzero(np.diff(user, prepend=-1)), axis=-1)


TASKS = np.array([0.2, 0.3, 0.4, 0.5, 0.6, 0.7])
"""Where the runs of each task lie, give or take 0.02."""
MIDDLE = 0.45
"""Their interquartile mean."""


def runs(rng: np.random.Generator, seeds: int) -> np.ndarray:
    """float64[tasks, seeds]: normal runs of TASKS."""
    return TASKS[:, None] + 0.02 * rng.normal(0, 1, (len(TASKS), seeds))
