"""Where the labels stand among all candidates, and every metric that follows from it.

Ties count against the model: among equal scores every non-label ranks before every label, so a constant
score is the worst possible one and never a lucky one.
"""

from dataclasses import dataclass

import numpy as np

RANKING_METRICS = ("ndcg@5", "ndcg@10", "recall@10", "map@10", "accuracy@1", "auc")


@dataclass(frozen=True)
class RankedCandidates:
    """Q rows of C candidates, best first, ties in the order that serves the model worst."""

    candidate: np.ndarray
    """int32[Q, C]: the candidate at each rank."""
    is_label: np.ndarray
    """bool[Q, C]: whether it is a label of the query."""
    seen: np.ndarray
    """bool[Q, C]: whether the user had touched it by the cutoff."""


def rank_candidates(scores: np.ndarray, is_label: np.ndarray, seen: np.ndarray) -> RankedCandidates:
    """Sort float32[Q, C] scores from high to low; bool[Q, C] flags go with them.

    One sort of one 64-bit key: the score in descending order (32 bits), then the label flag (non-labels
    first), then the candidate (30 bits, so that the order is one and the same everywhere), then `seen`.
    """
    low = (is_label.astype(np.uint64) << 31) | seen
    low |= np.arange(scores.shape[1], dtype=np.uint64) << 1
    key = np.sort((_descending(scores).astype(np.uint64) << 32) | low, axis=1)
    return RankedCandidates(
        candidate=((key >> 1) & 0x3FFFFFFF).astype(np.int32),
        is_label=((key >> 31) & 1).astype(bool),
        seen=(key & 1).astype(bool),
    )


def _descending(scores: np.ndarray) -> np.ndarray:
    """uint32 keys that sort the other way round than their float32s (-0 equal to 0, infinities at the ends)."""
    bits = (scores.astype(np.float32) + np.float32(0)).view(np.uint32)
    # IEEE floats order like sign-magnitude integers: flip all but the sign of the positive ones.
    return np.where(bits >> 31, bits, bits ^ 0x7FFFFFFF)


@dataclass(frozen=True)
class LabelRanks:
    """The labels of Q queries within one slice of the candidates, by query and rank."""

    query: np.ndarray
    """int64[M], ascending."""
    rank: np.ndarray
    """int64[M], 0 is best; counted among the slice's candidates."""
    candidate: np.ndarray
    """int32[M]."""
    labels: np.ndarray
    """int64[Q], how many labels each query has in the slice."""
    candidates: np.ndarray
    """int64[Q], how many candidates the slice has for the query."""
    predicted: np.ndarray
    """int64[C]: how often each candidate is among the first k of a query, k its number of labels."""

    @property
    def before(self) -> np.ndarray:
        """int64[M]: how many labels of the same query rank before this one."""
        first = np.cumsum(self.labels) - self.labels
        return np.arange(len(self.query)) - first[self.query]


def label_ranks(ranked: RankedCandidates, slice_name: str) -> LabelRanks:
    """Ranks among `all` candidates, among the seen ones (`repeat`) or among the others (`novel`)."""
    member = {"all": np.ones_like(ranked.seen), "repeat": ranked.seen, "novel": ~ranked.seen}[slice_name]
    rank = np.cumsum(member, axis=1, dtype=np.int32) - 1
    query, position = np.nonzero(ranked.is_label & member)
    labels = np.bincount(query, minlength=len(member))
    first = member & (rank < labels[:, None])
    return LabelRanks(
        query=query,
        rank=rank[query, position].astype(np.int64),
        candidate=ranked.candidate[query, position],
        labels=labels,
        candidates=rank[:, -1].astype(np.int64) + 1,
        predicted=np.bincount(ranked.candidate[first], minlength=member.shape[1]),
    )


def ranking_metrics(ranks: LabelRanks) -> dict[str, np.ndarray]:
    """float64[Q] of each of RANKING_METRICS; NaN for a query without a label in the slice.

    With n labels at ranks r_1 < r_2 < ... (from 0), relevance being binary:

    - ndcg@k: sum over r_i < k of 1 / log2(r_i + 2), over the same sum for r_i = 0 .. min(k, n) - 1
      (Järvelin and Kekäläinen 2002);
    - recall@10: labels among the first 10, over n (so below 1 where n > 10);
    - map@10: sum over r_i < 10 of i / (r_i + 1), over min(10, n): 1 is reached by a perfect ranking;
    - accuracy@1: whether the first candidate is a label;
    - auc: share of the pairs (label, non-label) in which the label ranks before; a tie counts 0, not 1/2.
      NaN also where every candidate is a label.
    """
    with np.errstate(invalid="ignore", divide="ignore"):  # 0 / 0: no label, no value
        return {
            "ndcg@5": _ndcg(ranks, 5),
            "ndcg@10": _ndcg(ranks, 10),
            "recall@10": _total(ranks, ranks.rank < 10) / ranks.labels,
            "map@10": _average_precision(ranks, 10),
            "accuracy@1": np.where(ranks.labels > 0, _total(ranks, ranks.rank == 0), np.nan),
            "auc": _area(ranks),
        }


def _total(ranks: LabelRanks, value: np.ndarray) -> np.ndarray:
    """float64[Q]: the sum over each query's labels."""
    return np.bincount(ranks.query, weights=value, minlength=len(ranks.labels)).astype(np.float64)


def _ndcg(ranks: LabelRanks, k: int) -> np.ndarray:
    gain = 1 / np.log2(np.arange(k) + 2)
    ideal = np.concatenate([[0], np.cumsum(gain)])[np.minimum(ranks.labels, k)]
    inside = ranks.rank < k
    return _total(ranks, np.where(inside, gain[np.minimum(ranks.rank, k - 1)], 0)) / ideal


def _average_precision(ranks: LabelRanks, k: int) -> np.ndarray:
    precision = (ranks.before + 1) / (ranks.rank + 1)
    return _total(ranks, np.where(ranks.rank < k, precision, 0)) / np.minimum(ranks.labels, k)


def _area(ranks: LabelRanks) -> np.ndarray:
    others = ranks.candidates - ranks.labels
    return 1 - _total(ranks, ranks.rank - ranks.before) / (ranks.labels * others)


@dataclass(frozen=True)
class Counts:
    """Per candidate, over all queries: how often it was a label, was predicted, and both at once.

    A query with n labels in the slice predicts its first n candidates, so that precision, recall and F1
    need no threshold.
    """

    labelled: np.ndarray
    """int64[C]."""
    predicted: np.ndarray
    """int64[C]."""
    hits: np.ndarray
    """int64[C]."""

    @classmethod
    def zero(cls, candidates: int) -> "Counts":
        return cls(*(np.zeros(candidates, np.int64) for _ in range(3)))

    def __add__(self, other: "Counts") -> "Counts":
        return Counts(self.labelled + other.labelled, self.predicted + other.predicted, self.hits + other.hits)


def count_candidates(ranks: LabelRanks) -> Counts:
    """The counts of one batch."""
    size = len(ranks.predicted)
    hit = ranks.rank < ranks.labels[ranks.query]
    return Counts(
        labelled=np.bincount(ranks.candidate, minlength=size),
        predicted=ranks.predicted,
        hits=np.bincount(ranks.candidate[hit], minlength=size),
    )


def count_metrics(counts: Counts) -> dict[str, float]:
    """Micro and macro precision, recall and F1 at the label count.

    Micro pools the counts of all candidates; each query predicts as many as it has labels, hence the three
    agree. Macro averages over the candidates that were labelled or predicted at least once, an undefined
    precision or recall being 0.
    """
    used = (counts.labelled > 0) | (counts.predicted > 0)
    hits, labelled, predicted = counts.hits[used], counts.labelled[used], counts.predicted[used]
    pooled = _ratios(*(np.array([x.sum()]) for x in (hits, labelled, predicted)))
    each = _ratios(hits, labelled, predicted)
    if not used.any():
        return {f"{name}_{kind}": np.nan for name in each for kind in ("micro", "macro")}
    micro = {f"{name}_micro": float(value[0]) for name, value in pooled.items()}
    return micro | {f"{name}_macro": float(value.mean()) for name, value in each.items()}


def _ratios(hits: np.ndarray, labelled: np.ndarray, predicted: np.ndarray) -> dict[str, np.ndarray]:
    return {
        "precision": hits / np.maximum(predicted, 1),
        "recall": hits / np.maximum(labelled, 1),
        "f1": 2 * hits / np.maximum(predicted + labelled, 1),
    }
