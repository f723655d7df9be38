"""Things that lie in rows, several to a row."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from lab.data.fold.search import expand_ranges


@dataclass(frozen=True)
class RowLists:
    """M things in R rows; those of a row lie in the order of the things."""

    order: np.ndarray
    """int64[M], the things row by row."""
    offsets: np.ndarray
    """int64[R + 1]: row r's things are order[offsets[r]:offsets[r + 1]]."""

    @classmethod
    def of(cls, row: np.ndarray, rows: int) -> "RowLists":
        """From the row of each thing."""
        return cls(np.argsort(row, kind="stable"), np.append(0, np.cumsum(np.bincount(row, minlength=rows))))

    @property
    def widest(self) -> int:
        """Things of the fullest row, 1 at least."""
        return max(int(np.diff(self.offsets).max(initial=0)), 1)

    @cached_property
    def rank(self) -> np.ndarray:
        """int64[M]: how many things of its row come before each."""
        rank = np.empty(len(self.order), np.int64)
        rank[self.order] = np.arange(len(self.order)) - np.repeat(self.offsets[:-1], np.diff(self.offsets))
        return rank

    def take(self, row: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """The things of some rows: which they are, which of `row` holds each, and its rank there."""
        place, owner = expand_ranges(self.offsets[row], self.offsets[row + 1])
        return self.order[place], owner, place - self.offsets[row][owner]
