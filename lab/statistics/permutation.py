"""Sign-flip permutation tests of paired differences, and Holm's correction over a family of them."""

from collections.abc import Callable, Sequence
from functools import cache

import numpy as np
from jaxtyping import Float, Int

FLIPS = 9_999
EXACT = 12
"""Up to so many differences, every one of the 2^n sign patterns is tried."""
GROUPS = 2_048
HIDDEN = 14
"""Chosen so that lopsided differences of 20 users are found 5 % of the time (`benchmarks/statistics.py`)."""


def flip_p(sums: Float[np.ndarray, "n"], rng: np.random.Generator) -> float:
    """Two-sided p of the null that differences are symmetric about 0, by their plain sum: for a few seeds."""
    return float(flip_p_each(np.asarray(sums)[None], rng)[0])


def flip_p_each(sums: Float[np.ndarray, "B n"], rng: np.random.Generator) -> Float[np.ndarray, "B"]:
    """The same of each row, the signs being drawn once for all of them."""
    return _flipped(sums, rng, lambda total, cubes, n: np.abs(total))


def users_p_each(sums: Float[np.ndarray, "B n"], rng: np.random.Generator) -> Float[np.ndarray, "B"]:
    """Two-sided p of the null that paired differences have the mean 0, of each row of sums by user.

    Where one line wins much at few users and loses a little at the others, plain sums of 20 users err 8 % of the time,
    nearly always to the side of the small losses. Two things bring that down to 5 %: the sum is corrected for its
    skewness, which leaves the test exact where the null is symmetric, as any statistic does; and p is raised by
    1 + HIDDEN / n for what n users hide: those who win much may all be missing, and no statistic of the others tells.
    """
    users = np.maximum(np.count_nonzero(sums, axis=1), 1)
    return np.minimum(1.0, _flipped(sums, rng, _corrected) * (1 + HIDDEN / users))


Statistic = Callable[[np.ndarray, np.ndarray, np.ndarray], np.ndarray]
"""Of sums, sums of cubes, and the number of clusters, for squares that add up to that number."""


def _corrected(total: np.ndarray, cubes: np.ndarray, n: np.ndarray) -> np.ndarray:
    """The absolute sum that has the t of Hall's monotone cubic: t + a t^2 + a^2 t^3 / 3 + a / 2, a = skew / (3 sqrt n).

    Hall 1992, On the removal of skewness by transformation: nearly as symmetric as a normal, whatever the skewness.
    """
    n = n.astype(total.dtype)
    mean = total / n
    square = mean * mean
    variance = np.maximum(1 - square, 1e-6)
    root = np.sqrt(variance)
    t = mean * np.sqrt(n) / root
    a = (cubes / n - mean * (3 - 2 * square)) / (variance * root) / (3 * np.sqrt(n))
    hall = t * (1 + a * t * (1 + a * t / 3)) + a / 2
    return n * np.abs(hall) / np.sqrt(n + hall * hall)


def _flipped(sums: Float[np.ndarray, "B n"], rng: np.random.Generator, statistic: Statistic) -> Float[np.ndarray, "B"]:
    """How often a row's statistic is as large where each cluster's sum of differences changes its sign as one.

    Exact up to EXACT clusters, else (1 + hits) / (1 + FLIPS) of seeded draws (Phipson and Smyth 2010, which never
    gives 0). More than GROUPS clusters are dealt at random into GROUPS that flip as one, which is valid under the same
    null. A sum of 0 has no sign and counts for no cluster.
    """
    sums = np.sort(np.asarray(sums, np.float64), axis=1)  # the result does not depend on the order of clusters
    if sums.shape[1] > GROUPS:
        group = rng.permutation(sums.shape[1]) % GROUPS
        sums = np.stack([np.bincount(group, weights=row, minlength=GROUPS) for row in sums])
    n = np.maximum(np.count_nonzero(sums, axis=1), 1)
    sums = sums / np.sqrt(np.maximum((sums**2).sum(axis=1) / n, np.finfo(float).tiny))[:, None]
    exact = sums.shape[1] <= EXACT
    signs = _all_signs(sums.shape[1]) if exact else _drawn_signs(rng, sums.shape[1])
    seen = statistic(sums.sum(axis=1), (sums**3).sum(axis=1), n)
    totals, cubes = (signs @ values.T.astype(signs.dtype) for values in (sums, sums**3))
    # A pattern that ties with what was seen up to rounding counts as a hit, which can only raise p.
    hits = (statistic(totals, cubes, n) >= seen - 1e-6 * np.abs(sums).sum(axis=1)).sum(axis=0)
    if exact:
        return hits / len(signs)
    return np.where(hits, (1 + hits) / (1 + FLIPS), _beyond_draws(np.minimum(seen, np.abs(sums.sum(axis=1))), n))


def _beyond_draws(total: Float[np.ndarray, "B"], n: Int[np.ndarray, "B"]) -> Float[np.ndarray, "B"]:
    """p where no draw came near: 1 / (1 + FLIPS), or Hoeffding's bound 2 exp(-t^2 / (2 sum d^2)) of it if lower.

    Without it no p could be below 1 / (1 + FLIPS), and none of a family of some hundreds below 0.05 after Holm.
    """
    return np.minimum(2 * np.exp(-(total**2) / (2 * n)), 1 / (1 + FLIPS))


def smallest_p(n: int) -> float:
    """The smallest two-sided p that n sign flips can give: 2 / 2^n."""
    return min(1.0, 2.0 ** (1 - n))


def holm(p: Float[np.ndarray, "*B m"] | Sequence[float]) -> Float[np.ndarray, "*B m"]:
    """Adjusted p over the whole family, the last axis (Holm 1979): the running maximum of (m - i) p_(i), at most 1.

    As `statsmodels.stats.multitest.multipletests` has it, without its second of import and its walk over all
    objects in memory at each call.
    """
    p = np.asarray(p, np.float64)
    order = np.argsort(p, axis=-1)
    factor = p.shape[-1] - np.arange(p.shape[-1])
    sorted_ = np.maximum.accumulate(np.take_along_axis(p, order, axis=-1) * factor, axis=-1)
    adjusted = np.empty_like(p)
    np.put_along_axis(adjusted, order, np.minimum(sorted_, 1.0), axis=-1)
    return adjusted


@cache
def _all_signs(n: int) -> Float[np.ndarray, "R n"]:
    return ((np.arange(1 << n)[:, None] >> np.arange(n)) & 1) * 2.0 - 1


def _drawn_signs(rng: np.random.Generator, n: int) -> Float[np.ndarray, "R n"]:
    bits = np.unpackbits(rng.integers(0, 256, (FLIPS, -(-n // 8)), dtype=np.uint8), axis=1)[:, :n]
    return bits.astype(np.float32) * 2 - 1
