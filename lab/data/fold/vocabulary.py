"""Which codes a model may know: those that occurred by the valid cutoff, most frequent first."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Vocabulary:
    """V known names out of all the codes of a column."""

    names: np.ndarray
    """str objects [V], by count up to the valid cutoff, then by name."""
    of_code: np.ndarray
    """int32[codes]: the place of each code in `names`, -1 for one not seen by then."""

    def __len__(self) -> int:
        return len(self.names)

    def encode(self, codes: np.ndarray) -> np.ndarray:
        """int32: 0 for no value (code -1), 1..V for known codes, V + 1 for unknown ones."""
        known = np.append(self.of_code, np.int32(-1))[codes]
        return np.where(codes < 0, 0, np.where(known < 0, len(self) + 1, known + 1)).astype(np.int32)


def fit_vocabulary(codes: np.ndarray, names: np.ndarray) -> Vocabulary:
    """Fit on the codes of the known events (negative ones are missing values)."""
    return vocabulary_from_counts(np.bincount(codes[codes >= 0], minlength=len(names)), names)


def vocabulary_from_counts(counts: np.ndarray, names: np.ndarray) -> Vocabulary:
    """The vocabulary of codes that occurred so many times among the known events, int64[codes].

    Neither the order nor the members depend on codes that do not occur, so that what happens after the
    cutoff cannot move a known name to another place.
    """
    present = np.flatnonzero(counts)
    order = sorted(present.tolist(), key=lambda code: (-int(counts[code]), str(names[code])))
    of_code = np.full(len(names), -1, np.int32)
    of_code[order] = np.arange(len(order), dtype=np.int32)
    return Vocabulary(names[order], of_code)
