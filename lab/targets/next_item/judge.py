"""Where the one label of each test query stands among all candidates, judged."""

from collections.abc import Iterator

import numpy as np

from lab.core.errors import FaultError
from lab.data.fold.queries import FoldView, Labels, Queries
from lab.data.fold.seen_candidates import is_label_seen, seen_candidates
from lab.evaluation.familiarity import SLICES
from lab.evaluation.judge import CellEvaluation, mean, query_table
from lab.evaluation.measures import Metric
from lab.targets.next_item.answers import DEPTH, NextAnswers
from lab.targets.next_item.metrics import LabelPlaces, cell_metrics, log_probability, place_labels, query_metrics


class NextItemJudge:
    """Judges where the one label of each query stands among all candidates.

    `known` float[C] are the candidates' known events; `repeats` says whether what a user took before is ranked.
    """

    def __init__(self, view: FoldView, queries: Queries, labels: Labels, known: np.ndarray, repeats: bool) -> None:
        self._view, self._queries, self._repeats = view, queries, repeats
        self._cold, self._label = labels.cold, labels.single
        self._known = known
        self._parts: list[tuple[np.ndarray, ...]] = []

    def add_answers(self, index: np.ndarray, answers: NextAnswers) -> None:
        known = self._label[index] >= 0
        rank, first, log_p = (np.asarray(part)[known] for part in answers)
        self._add(index[known], rank, first, log_p)

    def add_scores(self, index: np.ndarray, scores: np.ndarray, log_probabilities: np.ndarray) -> None:
        known = self._label[index] >= 0
        index, label = index[known], self._label[index[known]]
        left_out = None if self._repeats else seen_candidates(self._view, self._queries[index])
        rank, first = place_labels(scores[known], label, left_out, DEPTH)
        self._add(index, rank, first, log_probability(log_probabilities[known], label, left_out))

    def _add(self, index: np.ndarray, rank: np.ndarray, first: np.ndarray, log_p: np.ndarray) -> None:
        if np.isnan(log_p).any():
            raise FaultError(f"log probabilities: NaN for query {index[np.isnan(log_p)][0]}; a ranking needs numbers.")
        self._parts.append((index, rank.astype(np.int64), first, log_p))

    def result(self) -> CellEvaluation:
        index, rank, first, log_p = (np.concatenate(part) for part in zip(*self._parts, strict=True))
        order = np.argsort(index, kind="stable")
        queries, label = self._queries[index[order]], self._label[index[order]]
        seen = is_label_seen(self._view, queries, label)
        placed = LabelPlaces(rank[order], first[order], label, seen, log_p[order])
        every = query_metrics(placed)
        values = {
            name: {metric: np.where(member, value, np.nan) for metric, value in every.items()}
            for name, member in zip(SLICES, (np.ones_like(seen), seen, ~seen), strict=True)
        }
        return CellEvaluation(tuple(self._metrics(values, placed)), query_table(self._view, queries, values))

    def _metrics(self, values: dict[str, dict[str, np.ndarray]], placed: LabelPlaces) -> Iterator[Metric]:
        for name, own in values.items():
            yield Metric("test", name, "queries", float((~np.isnan(own["log_loss"])).sum()))
            yield from (Metric("test", name, metric, mean(value)) for metric, value in own.items())
        yield Metric("test", "all", "cold", float(self._cold))
        yield from (Metric("test", "all", metric, value) for metric, value in cell_metrics(placed, self._known).items())
