"""The bootstrap distribution of a mean over users, computed where others draw it."""

from functools import cache, cached_property

import numpy as np
from jaxtyping import Float

CELLS = 4_096
"""Of the grid that a sum over users is laid on: a cell is about a 200th of the sum's standard deviation."""
REACH = 8
"""Standard deviations on each side of a sum's mean that the grid holds: Poisson(1) is above 9 once in ten million."""
CLOSE = 1e-3
"""How near a quantile is found, in standard errors of the mean."""
RAREST = 1e-12
"""Chances below this are rounding errors."""


class PoissonBootstrap:
    """The distribution of sum(w d) / sum(w n) where each user's w is Poisson(1), and not all of them are 0.

    total: float64[U], d of each user; size: float64[U], n of each user, 0 for one that does not count. It is what
    endlessly many Poisson resamples would show (Hanley and MacGibbon 2006). The ratio is below t where
    sum(w (d - t n)) is below 0. This is a compound Poisson sum: the logarithm of its characteristic function is the
    Fourier transform of the histogram of d - t n, less U. The formula of Gil-Pelaez (1951) gives from it the chance
    that the sum is below 0.
    """

    def __init__(self, total: Float[np.ndarray, "U"], size: Float[np.ndarray, "U"]) -> None:
        counts = size > 0
        self.ratio = float(total.sum() / size.sum())
        self.size = size[counts]
        self.deviation = total[counts] - self.ratio * self.size
        self.error = float(np.sqrt(self.deviation @ self.deviation) / self.size.sum())
        """The standard error of the ratio, to first order."""

    def below(self, t: float) -> float:
        """The chance that the ratio is below t, and half the chance that it is t."""
        return self._below(t - self.ratio)

    @cached_property
    def bias(self) -> float:
        """The share of resamples below the ratio of all users, as a normal quantile: what BCa calls z0."""
        return self._normal_quantile(0.0)

    def quantile(self, level: float) -> float:
        """The ratio below which a share `level` lies, from the lowest to the highest that one user alone has."""
        from scipy.special import ndtri

        if self.error == 0:
            return self.ratio
        return self.ratio + self._solve(float(ndtri(np.clip(level, RAREST, 1 - RAREST))))

    def _below(self, t: float) -> float:
        """The same of the deviation from the ratio of all users."""
        values = self.deviation - t * self.size
        square, mean = float(values @ values), float(values.sum())
        if square == 0:
            return 0.5
        step = 2 * (abs(mean) + REACH * np.sqrt(square)) / CELLS
        counts, added = _histogram(values / step)
        # The grid adds some variance: the mean is moved, so that it stays as many deviations away from 0.
        moved = mean / step * (np.sqrt(1 + added * step**2 / square) - 1)
        frequency, weight = _inversion()
        log = np.fft.rfft(counts)[1::2]
        below = 0.5 + weight @ (np.exp(log.real - len(values)) * np.sin(log.imag - frequency * moved))
        nobody = np.exp(-len(values))
        return float((below - nobody / 2) / (1 - nobody))

    def _normal_quantile(self, t: float) -> float:
        """The chance of less as a normal quantile, in which it is nearly a straight line of t."""
        from scipy.special import ndtri

        return float(ndtri(np.clip(self._below(t), RAREST, 1 - RAREST)))

    def _solve(self, z: float) -> float:
        """The deviation at which _z is z: goes outwards until z is passed, or all that users have."""
        side = 1 if z > self.bias else -1
        each = self.deviation / self.size
        end = float(each.max() if side > 0 else each.min())
        near, away = (0.0, self.bias - z), 1.1 * (z - self.bias) * self.error
        while True:
            t = min(away, end) if side > 0 else max(away, end)
            far = (t, self._normal_quantile(t) - z)
            if far[1] * side >= 0:
                return self._between(near, far, z)
            if t == end:
                return end
            near, away = far, 1.5 * away

    def _between(self, near: tuple[float, float], far: tuple[float, float], z: float) -> float:
        """The same between two places t, each with its _normal_quantile(t) - z.

        By false position that halves the end that stays (the Illinois algorithm).
        """
        while far[1] != 0:
            t = far[0] - far[1] * (far[0] - near[0]) / (far[1] - near[1])
            if min(abs(t - far[0]), abs(t - near[0])) <= CLOSE * self.error:
                return t
            found = (t, self._normal_quantile(t) - z)
            near = far if found[1] * far[1] < 0 else (near[0], near[1] / 2)
            far = found
        return far[0]


def _histogram(cell: Float[np.ndarray, "U"]) -> tuple[Float[np.ndarray, "CELLS"], float]:
    """float64[CELLS], how many values lie at each cell of a circle, and the variance that this adds, in cells.

    A value between two cells is shared by them, so that its mean stays.
    """
    low = np.floor(cell)
    part = cell - low
    place = low.astype(np.int64) % CELLS
    counts = np.bincount(place, 1 - part, CELLS) + np.roll(np.bincount(place, part, CELLS), 1)
    return counts, float((part * (1 - part)).sum())


@cache
def _inversion() -> tuple[np.ndarray, np.ndarray]:
    """The odd frequencies, and the weights of the imaginary parts there: what a circle has of Gil-Pelaez' integral."""
    k = np.arange(1, CELLS // 2, 2)
    return 2 * np.pi * k / CELLS, 2 / CELLS / np.tan(np.pi * k / CELLS)
