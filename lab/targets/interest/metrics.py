"""Every metric of the target interest, over batches of queries, on the host.

The full set of candidates is ranked, never a sample. Each metric is reported for three slices: `all`
candidates, those the user touched by the cutoff (`repeat`) and those never touched (`novel`); labels
outside a slice do not count in it, and a query without labels in a slice is no part of it.
"""

from dataclasses import dataclass

import numpy as np

from lab.core.errors import FaultError
from lab.data.fold.queries import Labels
from lab.evaluation.calibration import Reliability, label_shares, log_loss_and_reliability
from lab.evaluation.familiarity import SLICES
from lab.evaluation.judge import mean
from lab.evaluation.ranking import (
    RANKING_METRICS,
    Counts,
    count_candidates,
    count_metrics,
    label_ranks,
    rank_candidates,
    ranking_metrics,
)

PER_QUERY = (*RANKING_METRICS, "log_loss")

BLOCK = 1 << 19
"""Scores worked on at once: small enough to stay near the processor's cache, whatever the batch."""


@dataclass(frozen=True)
class InterestResult:
    """The metrics of one cell at one horizon on one split."""

    per_query: dict[str, dict[str, np.ndarray]]
    """slice -> metric -> float64[Q], in the order the queries were added; NaN where the slice has no label."""
    values: list[tuple[str, str, float]]
    """(slice, metric, value): `queries` (how many count), the mean of every per-query metric, and what only
    a whole cell has: precision, recall and F1, micro and macro, and calibration_error."""
    reliability: dict[str, Reliability]
    """slice -> bins of predicted against observed shares."""


class InterestMetrics:
    """Takes batches of queries, keeps a few numbers of each query, and gives the metrics of all of them.

    metrics = InterestMetrics(candidates=C)
    for ... in batches:
        metrics.add(scores, log_probabilities, labels, seen)
    result = metrics.result()
    """

    def __init__(self, candidates: int) -> None:
        self._candidates = candidates
        self._per_query: dict[str, list[dict[str, np.ndarray]]] = {name: [] for name in SLICES}
        self._counts = {name: Counts.zero(candidates) for name in SLICES}
        self._reliability = {name: Reliability.zero() for name in SLICES}

    def add(self, scores: np.ndarray, log_probabilities: np.ndarray, labels: Labels, seen: np.ndarray) -> None:
        """Take Q more queries.

        scores float32[Q, C], higher is better; log_probabilities float32[Q, C], up to a constant per query;
        seen bool[Q, C]. Raises FaultError for a NaN, which no ranking can place.
        """
        shape = (len(labels), self._candidates)
        for name, array in (("scores", scores), ("log_probabilities", log_probabilities), ("seen", seen)):
            if array.shape != shape:
                raise ValueError(f"{name}: shape {array.shape}, but {shape} queries and candidates are asked")
        _refuse_nan(scores, "scores")
        _refuse_nan(log_probabilities, "log_probabilities")
        rows = max(1, BLOCK // self._candidates)
        for begin in range(0, len(labels), rows):
            some = slice(begin, begin + rows)
            self._add_block(scores[some], log_probabilities[some], _rows_of(labels, some), seen[some])

    def _add_block(self, scores: np.ndarray, log_probabilities: np.ndarray, labels: Labels, seen: np.ndarray) -> None:
        query = np.repeat(np.arange(len(labels)), np.diff(labels.offsets))
        is_label = np.zeros(scores.shape, bool)
        is_label[query, labels.ids] = True
        ranked = rank_candidates(scores, is_label, seen)
        for name, member in zip(SLICES, (np.ones_like(seen), seen, ~seen), strict=True):
            ranks = label_ranks(ranked, name)
            shares = label_shares(query, labels.ids, labels.weights, member)
            loss, reliability = log_loss_and_reliability(log_probabilities, member, shares)
            self._per_query[name].append(ranking_metrics(ranks) | {"log_loss": loss})
            self._counts[name] += count_candidates(ranks)
            self._reliability[name] += reliability

    @property
    def reliability(self) -> dict[str, Reliability]:
        """slice -> the bins of all queries added so far."""
        return dict(self._reliability)

    def result(self) -> InterestResult:
        """The metrics of all queries added so far."""
        per_query = {name: _join_blocks(blocks) for name, blocks in self._per_query.items()}
        values = []
        for name in SLICES:
            values.append((name, "queries", float(self._reliability[name].queries)))
            values.extend((name, metric, mean(of_query)) for metric, of_query in per_query[name].items())
            values.extend((name, metric, value) for metric, value in count_metrics(self._counts[name]).items())
            values.append((name, "calibration_error", self._reliability[name].error))
        return InterestResult(per_query, values, self.reliability)


def _refuse_nan(array: np.ndarray, name: str) -> None:
    if np.isnan(array).any():
        query, candidate = np.argwhere(np.isnan(array))[0]
        raise FaultError(f"{name}: NaN for query {query}, candidate {candidate}; a ranking needs numbers.")


def _rows_of(labels: Labels, rows: slice) -> Labels:
    offsets = labels.offsets[rows.start : rows.stop + 1]
    own = slice(offsets[0], offsets[-1])
    return Labels(offsets - offsets[0], labels.ids[own], labels.weights[own])


def _join_blocks(blocks: list[dict[str, np.ndarray]]) -> dict[str, np.ndarray]:
    return {name: np.concatenate([np.empty(0), *(block[name] for block in blocks)]) for name in PER_QUERY}
