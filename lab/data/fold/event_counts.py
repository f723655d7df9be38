"""Everybody's events of each candidate, counted up to any instants."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from lab.data.timeline import DAY

MARKS = 32
"""Places of the log up to which the counts are kept."""


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
        """float64[M, C]: the net events of the last `days` up to each moment, int64[M], at least 0.

        The sums are whole numbers, so that they are exact, whichever moments are counted together.
        """
        counts = self._until(moments)
        if not np.isinf(days):
            counts -= self._until(moments - round(days * DAY))
        return np.maximum(counts, 0)

    def _until(self, moments: np.ndarray) -> np.ndarray:
        """float64[M, C]: the net events up to each moment."""
        counts = np.empty((len(moments), self.candidates))
        for row, stop in zip(counts, np.searchsorted(self.time, moments, side="right").tolist(), strict=True):
            mark = stop // self._stride
            row[:] = self._marks[mark] + self._sums(mark * self._stride, stop)
        return counts

    def _sums(self, begin: int, stop: int) -> np.ndarray:
        return np.bincount(self.candidate[begin:stop], self.sign[begin:stop], self.candidates)

    @property
    def _stride(self) -> int:
        return max(-(-len(self.time) // MARKS), 1)

    @cached_property
    def _marks(self) -> np.ndarray:
        """float64[MARKS + 1, C]: the net events before every so many events, so that no moment looks at all of them."""
        begins = np.minimum(np.arange(MARKS) * self._stride, len(self.time))
        parts = [self._sums(begin, begin + self._stride) for begin in begins.tolist()]
        return np.cumsum([np.zeros(self.candidates), *parts], axis=0)
