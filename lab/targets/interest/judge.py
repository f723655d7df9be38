"""Scores of all categories at the test queries, judged."""

import numpy as np

from lab.data.fold.queries import FoldView, Labels, Queries
from lab.data.fold.seen_candidates import seen_candidates
from lab.evaluation.calibration import BINS, Reliability
from lab.evaluation.familiarity import SLICES
from lab.evaluation.judge import CellEvaluation, Columns, query_table
from lab.evaluation.measures import Metric
from lab.targets.interest.metrics import InterestMetrics


class InterestJudge:
    """Judges scores of all categories against the labels of one horizon."""

    def __init__(self, view: FoldView, queries: Queries, labels: Labels) -> None:
        self._view, self._queries, self._labels = view, queries, labels
        self._metrics = InterestMetrics(view.candidates)
        self._order: list[np.ndarray] = []

    def add_answers(self, index: np.ndarray, answers: np.ndarray) -> None:
        # Logits are log probabilities up to a constant.
        self.add_scores(index, answers, answers)

    def add_scores(self, index: np.ndarray, scores: np.ndarray, log_probabilities: np.ndarray) -> None:
        seen = seen_candidates(self._view, self._queries[index])
        self._metrics.add(scores, log_probabilities, self._labels.take(index), seen)
        self._order.append(index)

    def result(self) -> CellEvaluation:
        result = self._metrics.result()
        index = np.concatenate(self._order)
        order = np.argsort(index, kind="stable")
        values = {name: {m: v[order] for m, v in own.items()} for name, own in result.per_query.items()}
        return CellEvaluation(
            metrics=tuple(Metric("test", *value) for value in result.values),
            queries=query_table(self._view, self._queries[index[order]], values),
            tables={"reliability": reliability_table(result.reliability)},
        )


def reliability_table(bins: dict[str, Reliability]) -> Columns:
    """Predicted shares against observed ones: a row for each slice and bin."""
    return {
        "slice": np.repeat(np.array(SLICES), BINS),
        "low": np.concatenate([bins[name].edges[:-1] for name in SLICES]),
        "high": np.concatenate([bins[name].edges[1:] for name in SLICES]),
        "pairs": np.concatenate([bins[name].pairs for name in SLICES]),
        "predicted": np.concatenate([bins[name].predicted for name in SLICES]),
        "observed": np.concatenate([bins[name].observed for name in SLICES]),
    }
