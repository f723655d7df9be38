"""Sign-flip permutation tests of paired differences, and Holm's correction over a family of them."""

from collections.abc import Sequence
from functools import cache

import numpy as np
from jaxtyping import Float

FLIPS = 9_999
EXACT = 12
"""Up to so many differences, every one of the 2^n sign patterns is tried."""
GROUPS = 2_048


def flip_p(sums: Float[np.ndarray, "n"], rng: np.random.Generator) -> float:
    """Two-sided p of the null that paired differences are symmetric about 0; see `flip_p_each`."""
    return float(flip_p_each(np.asarray(sums)[None], rng)[0])


def flip_p_each(sums: Float[np.ndarray, "B n"], rng: np.random.Generator) -> Float[np.ndarray, "B"]:
    """Two-sided p of each row, the signs being drawn once for all of them.

    Each cluster's sum of differences changes its sign as one; the statistic is the absolute total. Exact up to
    EXACT clusters, else (1 + hits) / (1 + FLIPS) of seeded draws (Phipson and Smyth 2010, which never gives 0).
    More than GROUPS clusters are dealt at random into GROUPS that flip as one, which is valid under the same null.
    """
    sums = np.sort(np.asarray(sums, np.float64), axis=1)  # the result does not depend on the order of clusters
    if sums.shape[1] > GROUPS:
        group = rng.permutation(sums.shape[1]) % GROUPS
        sums = np.stack([np.bincount(group, weights=row, minlength=GROUPS) for row in sums])
    exact = sums.shape[1] <= EXACT
    signs = _all_signs(sums.shape[1]) if exact else _drawn_signs(rng, sums.shape[1])
    totals = signs @ sums.T.astype(signs.dtype)
    # A pattern that ties with what was seen up to rounding counts as a hit, which can only raise p.
    hits = (np.abs(totals) >= np.abs(sums.sum(axis=1)) - 1e-6 * np.abs(sums).sum(axis=1)).sum(axis=0)
    return hits / len(signs) if exact else np.where(hits, (1 + hits) / (1 + FLIPS), _beyond_draws(sums))


def _beyond_draws(sums: Float[np.ndarray, "B n"]) -> Float[np.ndarray, "B"]:
    """p where no draw came near: 1 / (1 + FLIPS), or Hoeffding's bound 2 exp(-t^2 / (2 sum d^2)) of it if lower.

    Without it no p could be below 1 / (1 + FLIPS), and none of a family of some hundreds below 0.05 after Holm.
    """
    squares = np.maximum((sums**2).sum(axis=1), np.finfo(float).tiny)
    return np.minimum(2 * np.exp(-(sums.sum(axis=1) ** 2) / (2 * squares)), 1 / (1 + FLIPS))


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
