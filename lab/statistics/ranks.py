"""Which lines rank apart over several logs: Friedman's test and Nemenyi's critical difference (Demšar 2006)."""

from dataclasses import dataclass
from itertools import combinations

import numpy as np
from jaxtyping import Float

from lab.statistics.permutation import holm

LEVEL = 0.05
FEWEST_LOGS = 5
"""Logs below which ranks tell too little: five is where Friedman's test and Nemenyi's begin to hold their level."""
FEWEST_LINES = 3


@dataclass(frozen=True)
class Ranking:
    """The mean rank of each line, 1 the best, and which differ."""

    mean: Float[np.ndarray, "K"]
    friedman_p: float
    """Of the null that all lines rank alike."""
    nemenyi_p: Float[np.ndarray, "K K"]
    """Of each two lines, corrected for all pairs by Nemenyi's test itself."""
    wilcoxon_p: Float[np.ndarray, "K K"]
    """Of each two lines alone, by Wilcoxon's signed ranks, Holm's correction over all pairs (Benavoli et al. 2016)."""
    critical: float
    """How far apart two mean ranks must be for a p of LEVEL."""

    @property
    def apart(self) -> np.ndarray:
        """bool[K, K]: whether two lines are told apart: by Nemenyi's test, where Friedman's finds a difference."""
        return (self.nemenyi_p <= LEVEL) & (self.friedman_p <= LEVEL)


def rank(values: Float[np.ndarray, "L K"]) -> Ranking | None:
    """Rank K lines by their value on each of L logs, more being better; None with too few logs or lines."""
    logs, lines = values.shape
    if logs < FEWEST_LOGS or lines < FEWEST_LINES:
        return None
    from scikit_posthocs import posthoc_nemenyi_friedman
    from scipy.stats import friedmanchisquare

    # Where every log has all lines tied there is no difference to find, and the test divides by 0.
    alike = bool((values == values[:, :1]).all())
    friedman = 1.0 if alike else float(friedmanchisquare(*values.T).pvalue)
    nemenyi = posthoc_nemenyi_friedman(values).to_numpy()
    return Ranking(mean_ranks(values), friedman, nemenyi, wilcoxon_holm(values), critical_difference(logs, lines))


def wilcoxon_holm(values: Float[np.ndarray, "L K"]) -> Float[np.ndarray, "K K"]:
    """p of each two lines, which does not depend on the lines beside them as mean ranks do; 1 on the diagonal."""
    from scipy.stats import wilcoxon

    pairs = list(combinations(range(values.shape[1]), 2))
    differences = [values[:, i] - values[:, j] for i, j in pairs]
    p = holm([float(np.asarray(wilcoxon(one))[1]) if one.any() else 1.0 for one in differences])
    found = np.ones((values.shape[1],) * 2)
    for (i, j), one in zip(pairs, p, strict=True):
        found[i, j] = found[j, i] = one
    return found


def mean_ranks(values: Float[np.ndarray, "L K"]) -> Float[np.ndarray, "K"]:
    """The mean over logs of each line's rank, 1 the best, ties sharing theirs."""
    from scipy.stats import rankdata

    return rankdata(-values, axis=1).mean(axis=0)


def critical_difference(logs: int, lines: int) -> float:
    """q sqrt(K (K + 1) / (6 L)), q being the studentised range of K at LEVEL over the root of 2."""
    from scipy.stats import studentized_range

    q = float(studentized_range.isf(LEVEL, lines, np.inf)) / np.sqrt(2)
    return float(q * np.sqrt(lines * (lines + 1) / (6 * logs)))
