"""How far a mean can be trusted: 95 % intervals over users and over seeds."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

LEVEL = 0.95
RESAMPLES = 1_000
GROUPS = 2_048
HIDDEN = 8
"""Chosen so that intervals of lopsided differences of 20 users cover as they should (`benchmarks/statistics.py`)."""


@dataclass(frozen=True)
class Interval:
    """A mean and its 95 % interval."""

    mean: float
    low: float
    high: float


def over_users(values: np.ndarray, user: np.ndarray, rng: np.random.Generator, bca: bool = True) -> Interval | None:
    """Bootstrap interval of the mean of per-query values, were other users drawn from the same population.

    values: float64[Q] or [seeds, Q], NaN for a query that does not count; user: int[Q]. A user is drawn with
    all of its queries and seeds together, since they are not independent. None below two users.

    RESAMPLES Poisson resamples: each user counts Poisson(1) times (Hanley and MacGibbon 2006), and the mean is
    the ratio of the resampled sums. Its percentiles are expanded where users are few (Hesterberg 2015), and by
    BCa (Efron 1987) moved by the skewness that leaving out each user in turn shows: right for metrics. Paired
    differences are so nearly symmetric, or so lopsided by users who were not drawn, that a skewness read from them does
    harm; instead their tails are taken for 1 + HIDDEN / n times as likely with n users.

    More than GROUPS users are first dealt at random into GROUPS groups that are drawn as one, which bounds the
    cost and leaves the width as it is.
    """
    return over_users_each([(values, user)], rng, bca)[0]


def over_users_each(
    samples: Iterable[tuple[np.ndarray, np.ndarray]], rng: np.random.Generator, bca: bool = True
) -> list[Interval | None]:
    """The interval of each sample (values, user), users being drawn once for all of them.

    Drawing is most of the work, so that all metrics and slices of one cell cost little more than one. A user
    who is in one sample and not in another counts nothing there.
    """
    sums = [_sums(np.atleast_2d(values), user) for values, user in samples]
    users = max((len(size) for _, size in sums), default=0)
    deviation = np.stack([_padded(part, users) for one in sums for part in _deviations(*one)] or [np.empty(0)], axis=1)
    deviation = deviation[(deviation != 0).any(axis=1)]
    if len(deviation) > GROUPS:
        deviation = _dealt(deviation, rng)
    drawn = _poisson(rng, (RESAMPLES, len(deviation))) @ deviation.astype(np.float32)
    return [_interval(*one, drawn[:, 2 * i : 2 * i + 2].astype(np.float64), bca) for i, one in enumerate(sums)]


def _interval(total: np.ndarray, size: np.ndarray, drawn: np.ndarray, bca: bool) -> Interval | None:
    """The interval of one sample from its resampled sums, float64[RESAMPLES, 2]."""
    users = int(np.count_nonzero(size))
    if users < 2:
        return None
    mean = total.sum() / size.sum()
    drawn = drawn[drawn[:, 1] > 0]
    means = drawn[:, 0] / drawn[:, 1]
    tail = expanded_tail(users - 1, users / (users - 1), 1 if bca else 1 + HIDDEN / users)
    low, high = mean + np.quantile(means, _levels(means, _acceleration(total, size), tail) if bca else [tail, 1 - tail])
    return Interval(float(mean), float(low), float(high))


def _levels(drawn: np.ndarray, acceleration: float, tail: float) -> np.ndarray:
    """The quantiles of resampled deviations that BCa takes for the tails: Phi(z0 + (z0 + z) / (1 - a (z0 + z)))."""
    from scipy.special import ndtr, ndtri

    below = ((drawn < 0).mean() + (drawn <= 0).mean()) / 2
    z0 = ndtri(np.clip(below, 0.5 / len(drawn), 1 - 0.5 / len(drawn)))
    z = z0 + ndtri(tail) * np.array([1, -1])
    return ndtr(z0 + z / np.maximum(1 - acceleration * z, 1e-3))


def _acceleration(total: np.ndarray, size: np.ndarray) -> float:
    """A sixth of the skewness of the mean, by the jackknife over users; 0 where all users agree."""
    deviation, _ = _deviations(total, size)
    rest = size.sum() - size
    influence = (deviation / np.maximum(rest, 1))[(size > 0) & (rest > 0)]
    influence = influence - influence.mean()
    squares = (influence**2).sum()
    return float((influence**3).sum() / (6 * squares**1.5)) if squares > 0 else 0.0


def _deviations(total: np.ndarray, size: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Deviations from the mean, so that float32 products lose nothing that matters; and sizes."""
    return total - total.sum() / max(size.sum(), 1) * size, size


def _padded(column: np.ndarray, length: int) -> np.ndarray:
    return np.pad(column, (0, length - len(column)))


def over_seeds(means: np.ndarray) -> Interval | None:
    """Student's t interval of the mean over seeds, float64[S] (one mean a seed). None below two seeds."""
    if len(means) < 2:
        return None
    from scipy.special import stdtrit  # the t quantile, without the second that scipy.stats takes to import

    mean = float(np.mean(means))
    half = float(stdtrit(len(means) - 1, (1 + LEVEL) / 2) * np.std(means, ddof=1) / np.sqrt(len(means)))
    return Interval(mean, mean - half, mean + half)


def _sums(values: np.ndarray, user: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The sum and the number of each user's values, float64[U] both."""
    known = ~np.isnan(values)
    total = np.bincount(user, weights=np.where(known, values, 0).sum(axis=0))
    return total, np.bincount(user, weights=known.sum(axis=0))


def expanded_tail(free: float, shrunk: float, heavier: float = 1) -> float:
    """The percentile at which a bootstrap is as wide as Student's t: Phi(sqrt(shrunk) t), `free` degrees of freedom.

    shrunk: by how much a bootstrap's variance falls short, n / (n - 1) of n draws; heavier: by what factor the tails
    are likelier than t's.
    """
    from scipy.special import ndtr, stdtrit

    return float(ndtr(np.sqrt(shrunk) * stdtrit(free, (1 - LEVEL) / 2 / heavier)))


def _dealt(rows: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """float64[GROUPS, 2]: the sums of rows dealt at random into groups of equal size, give or take one."""
    group = rng.permutation(len(rows)) % GROUPS
    return np.stack([np.bincount(group, weights=column, minlength=GROUPS) for column in rows.T], axis=1)


def _poisson(rng: np.random.Generator, shape: tuple[int, int]) -> np.ndarray:
    """float32 Poisson(1) draws by inversion of 16-bit uniforms: ten times faster than `rng.poisson`.

    The table rounds each probability to 1 / 65536 and ends at 8; mean and variance are within 1e-4 of 1.
    """
    from scipy.special import pdtr

    table = np.searchsorted(pdtr(np.arange(8), 1.0), (np.arange(1 << 16) + 0.5) / (1 << 16)).astype(np.float32)
    return table[rng.integers(0, 1 << 16, shape, dtype=np.uint16)]
