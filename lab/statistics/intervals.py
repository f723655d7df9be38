"""How far a mean can be trusted: 95 % intervals over users and over seeds."""

from dataclasses import dataclass

import numpy as np

from lab.statistics.poisson_bootstrap import PoissonBootstrap

LEVEL = 0.95
GROUPS = 16_384
HIDDEN = 8
"""Chosen so that intervals of lopsided differences of 20 users cover as they should (`benchmarks/statistics.py`)."""


@dataclass(frozen=True)
class Interval:
    """A mean and its 95 % interval."""

    mean: float
    low: float
    high: float


def over_users(values: np.ndarray, user: np.ndarray, bca: bool = True) -> Interval | None:
    """Bootstrap interval of the mean of per-query values, were other users drawn from the same population.

    values: float64[Q] or [seeds, Q], NaN for a query that does not count; user: int[Q]. A user is drawn with
    all of its queries and seeds together, since they are not independent. None below two users.

    Each user counts Poisson(1) times (Hanley and MacGibbon 2006), and the mean is the ratio of the resampled sums.
    Nothing is drawn: the percentiles are those of endlessly many resamples (`PoissonBootstrap`). They are expanded
    where users are few (Hesterberg 2015), and by BCa (Efron 1987) moved by the skewness that leaving out each user in
    turn shows: right for metrics. Paired differences are so nearly symmetric, or so lopsided by users who were not
    drawn, that a skewness read from them does harm; instead their tails are taken for 1 + HIDDEN / n times as likely
    with n users.

    More than GROUPS users are first dealt at random, by a fixed seed, into GROUPS groups that count as one, which
    bounds the cost. It moves the width by a share of about 1 / sqrt(2 GROUPS), 0.6 %: .00003 where the values of users
    deviate by .35.
    """
    total, size = _sums(np.atleast_2d(values), user)
    users = len(size)
    if users < 2:
        return None
    tail = expanded_tail(users - 1, users / (users - 1), 1 if bca else 1 + HIDDEN / users)
    drawn = PoissonBootstrap(*_deal_into_groups(total, size))
    low, high = _levels(drawn.bias, _acceleration(total, size), tail) if bca else (tail, 1 - tail)
    return Interval(drawn.ratio, drawn.quantile(low), drawn.quantile(high))


def _levels(bias: float, acceleration: float, tail: float) -> np.ndarray:
    """The quantiles of resampled deviations that BCa takes for the tails: Phi(z0 + (z0 + z) / (1 - a (z0 + z)))."""
    from scipy.special import ndtr, ndtri

    z = bias + ndtri(tail) * np.array([1, -1])
    return ndtr(bias + z / np.maximum(1 - acceleration * z, 1e-3))


def _acceleration(total: np.ndarray, size: np.ndarray) -> float:
    """A sixth of the skewness of the mean, by the jackknife over users; 0 where all users agree."""
    rest = size.sum() - size
    influence = (total - total.sum() / size.sum() * size) / rest
    influence = influence - influence.mean()
    squares = (influence**2).sum()
    return float((influence**3).sum() / (6 * squares**1.5)) if squares > 0 else 0.0


def over_seeds(means: np.ndarray) -> Interval | None:
    """Student's t interval of the mean over seeds, float64[S] (one mean a seed). None below two seeds."""
    if len(means) < 2:
        return None
    from scipy.special import stdtrit  # the t quantile, without the second that scipy.stats takes to import

    mean = float(np.mean(means))
    half = float(stdtrit(len(means) - 1, (1 + LEVEL) / 2) * np.std(means, ddof=1) / np.sqrt(len(means)))
    return Interval(mean, mean - half, mean + half)


def _sums(values: np.ndarray, user: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The sum and the number of the values of each user who has any, float64[U] both."""
    known = ~np.isnan(values)
    total = np.bincount(user, weights=np.where(known, values, 0).sum(axis=0))
    size = np.bincount(user, weights=known.sum(axis=0))
    return total[size > 0], size[size > 0]


def expanded_tail(free: float, shrunk: float, heavier: float = 1) -> float:
    """The percentile at which a bootstrap is as wide as Student's t: Phi(sqrt(shrunk) t), `free` degrees of freedom.

    shrunk: by how much a bootstrap's variance falls short, n / (n - 1) of n draws; heavier: by what factor the tails
    are likelier than t's.
    """
    from scipy.special import ndtr, stdtrit

    return float(ndtr(np.sqrt(shrunk) * stdtrit(free, (1 - LEVEL) / 2 / heavier)))


def _deal_into_groups(total: np.ndarray, size: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Both summed by group where users are more than GROUPS: groups of equal size, give or take one, at random."""
    if len(size) <= GROUPS:
        return total, size
    group = np.random.default_rng(0).permutation(len(size)) % GROUPS
    return np.bincount(group, weights=total), np.bincount(group, weights=size)
