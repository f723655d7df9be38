"""Everybody's events of each candidate, counted up to any instants in one pass."""

from dataclasses import dataclass

import numpy as np

from lab.data.timeline import DAY


@dataclass(frozen=True)
class EventCounts:
    """E events of all users, in the order of the clock."""

    candidates: int
    """C."""
    time: np.ndarray
    """int64[E], microseconds, ascending."""
    candidate: np.ndarray
    """int32[E]."""
    sign: np.ndarray
    """int8[E]: what each adds to a count."""

    def within(self, moments: np.ndarray, days: float = np.inf) -> np.ndarray:
        """float64[M, C]: the net events of the last `days` up to each of ascending moments, at least 0.

        The sums are whole numbers, so that they are exact, whichever moments are counted together.
        """
        counts = self._until(moments)
        if not np.isinf(days):
            counts -= self._until(moments - round(days * DAY))
        return np.maximum(counts, 0)

    def _until(self, moments: np.ndarray) -> np.ndarray:
        """float64[M, C]: the net events up to each moment; no event is looked at twice."""
        counts = np.empty((len(moments), self.candidates))
        total, begin = np.zeros(self.candidates), 0
        for row, stop in zip(counts, np.searchsorted(self.time, moments, side="right").tolist(), strict=True):
            total += np.bincount(self.candidate[begin:stop], self.sign[begin:stop], self.candidates)
            row[:], begin = total, stop
        return counts
