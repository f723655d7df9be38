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
    """Two-sided p of the null that paired differences are symmetric about 0.

    Each cluster's sum of differences changes its sign as one; the statistic is the absolute total. Exact up to
    EXACT clusters, else (1 + hits) / (1 + FLIPS) of seeded draws (Phipson and Smyth 2010, which never gives 0).
    More than GROUPS clusters are dealt at random into GROUPS that flip as one, which is valid under the same null.
    """
    sums = np.sort(np.asarray(sums, np.float64))  # the result does not depend on the order of rows
    if len(sums) > GROUPS:
        sums = np.bincount(rng.permutation(len(sums)) % GROUPS, weights=sums, minlength=GROUPS)
    exact = len(sums) <= EXACT
    signs = _all_signs(len(sums)) if exact else _drawn_signs(rng, len(sums))
    totals = signs @ sums.astype(signs.dtype)
    # A pattern that ties with what was seen up to rounding counts as a hit, which can only raise p.
    hits = np.abs(totals) >= abs(sums.sum()) - 1e-6 * np.abs(sums).sum()
    return float(hits.mean()) if exact else float((1 + hits.sum()) / (1 + len(hits)))


def smallest_p(n: int) -> float:
    """The smallest two-sided p that n sign flips can give: 2 / 2^n."""
    return min(1.0, 2.0 ** (1 - n))


def holm(p: Sequence[float]) -> np.ndarray:
    """Adjusted p over the whole family (Holm 1979)."""
    from statsmodels.stats.multitest import multipletests

    return np.asarray(multipletests(p, method="holm")[1]) if len(p) else np.empty(0)


@cache
def _all_signs(n: int) -> Float[np.ndarray, "R n"]:
    return ((np.arange(1 << n)[:, None] >> np.arange(n)) & 1) * 2.0 - 1


def _drawn_signs(rng: np.random.Generator, n: int) -> Float[np.ndarray, "R n"]:
    bits = np.unpackbits(rng.integers(0, 256, (FLIPS, -(-n // 8)), dtype=np.uint8), axis=1)[:, :n]
    return bits.astype(np.float32) * 2 - 1
