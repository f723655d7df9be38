"""Whether predicted shares can be believed: log loss, and shares predicted against shares observed."""

from dataclasses import dataclass

import numpy as np

BINS = 16
"""Bin 0 holds shares below 2^-15, bin b shares in [2^(b - 16), 2^(b - 15)); the last one also the share 1."""


@dataclass(frozen=True)
class Reliability:
    """What a reliability figure is drawn from: pairs (query, candidate) binned by their predicted share.

    A share is a candidate's probability among the slice's candidates; the observed share is its label
    weight among the slice's labels (0 for a non-label). Queries without a label in the slice do not count.
    Each bin but the first spans a factor of two, since with many candidates nearly all shares are small.
    """

    pairs: np.ndarray
    """int64[BINS]."""
    predicted: np.ndarray
    """float64[BINS], the sum of predicted shares; divided by `pairs` their mean."""
    observed: np.ndarray
    """float64[BINS], the sum of observed shares."""
    queries: int
    """How many queries the pairs come from: the total of either share."""

    @property
    def edges(self) -> np.ndarray:
        """float64[BINS + 1], the bins' edges."""
        return np.concatenate([[0], 2.0 ** np.arange(1 - BINS, 1)])

    @property
    def error(self) -> float:
        """Calibration error: half the sum over bins of |predicted - observed|, per query.

        The probability mass of a query that sits in bins of the wrong size, from 0 (every bin observes what it
        predicts) to 1. Chance alone adds about sqrt(bins in use / queries) / 4. NaN without queries.
        """
        if not self.queries:
            return float("nan")
        return float(np.abs(self.predicted - self.observed).sum() / 2 / self.queries)

    @classmethod
    def zero(cls) -> "Reliability":
        return cls(np.zeros(BINS, np.int64), np.zeros(BINS), np.zeros(BINS), 0)

    def __add__(self, other: "Reliability") -> "Reliability":
        return Reliability(
            self.pairs + other.pairs,
            self.predicted + other.predicted,
            self.observed + other.observed,
            self.queries + other.queries,
        )


@dataclass(frozen=True)
class LabelShares:
    """The labels of Q queries that lie in a slice, their weights summing to 1 within each query."""

    query: np.ndarray
    """int64[M], ascending."""
    candidate: np.ndarray
    """int32[M]."""
    share: np.ndarray
    """float64[M]."""
    answered: np.ndarray
    """bool[Q]: which queries have a label in the slice."""


def label_shares(query: np.ndarray, candidate: np.ndarray, weight: np.ndarray, member: np.ndarray) -> LabelShares:
    """Restrict labels to the slice bool[Q, C] and scale their weights to sum to 1 again."""
    inside = member[query, candidate]
    query, candidate, weight = query[inside], candidate[inside], weight[inside].astype(np.float64)
    total = np.bincount(query, weights=weight, minlength=len(member))
    return LabelShares(query, candidate, weight / total[query], total > 0)


def log_loss_and_reliability(
    log_probabilities: np.ndarray, member: np.ndarray, labels: LabelShares
) -> tuple[np.ndarray, Reliability]:
    """Cross-entropy of each query's label shares in nats, float64[Q], and the batch's reliability bins.

    Probabilities float32[Q, C] are renormalised over the slice's candidates. A label of probability 0 costs
    infinity. NaN for a query without a label in the slice.
    """
    member = member & labels.answered[:, None]
    log_p = np.where(member, log_probabilities, -np.inf)
    log_total = _log_total(log_p)
    surprise = log_total[labels.query] - log_p[labels.query, labels.candidate]
    loss = np.bincount(labels.query, weights=labels.share * surprise, minlength=len(member))
    shares = np.exp(log_p - log_total.astype(np.float32)[:, None])
    return np.where(labels.answered, loss, np.nan), _reliability(shares, member, labels)


def _log_total(log_p: np.ndarray) -> np.ndarray:
    """float64[Q], log sum exp; 0 for a row without any mass, whose shares are then 0 and its labels' cost infinite."""
    top = log_p.max(axis=1)
    empty = np.isneginf(top)
    total = np.exp(log_p - np.where(empty, 0, top)[:, None]).sum(axis=1, dtype=np.float64)
    return np.where(empty, 0, top + np.log(np.where(empty, 1, total)))


def _reliability(shares: np.ndarray, member: np.ndarray, labels: LabelShares) -> Reliability:
    bins = _bin(shares)
    pairs = np.bincount(bins.ravel(), minlength=BINS)
    pairs[0] -= member.size - np.count_nonzero(member)  # the others have share 0
    return Reliability(
        pairs=pairs,
        predicted=np.bincount(bins.ravel(), weights=shares.ravel(), minlength=BINS),
        observed=np.bincount(bins[labels.query, labels.candidate], weights=labels.share, minlength=BINS),
        queries=int(np.count_nonzero(labels.answered)),
    )


def _bin(shares: np.ndarray) -> np.ndarray:
    """int32[Q, C]: the bin of each float32 share, read off its binary exponent."""
    exponent = (shares.view(np.int32) >> 23) - 127  # share in [2^exponent, 2^(exponent + 1))
    return np.clip(exponent + BINS, 0, BINS - 1)
