"""The judge of targets that predict a number or a few of each query, and metrics that such targets choose from."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from lab.core.errors import FaultError
from lab.data.fold.queries import FoldView, Labels, Queries
from lab.evaluation.judge import CellEvaluation, mean, query_table
from lab.evaluation.measures import ALL, QUERIES, Metric
from lab.evaluation.resampling import user_draws

PerQuery = Callable[[np.ndarray, np.ndarray], np.ndarray]
"""(truth float64[Q, K], predicted float64[Q, K]) -> float64[Q]."""

PerCell = Callable[[np.ndarray, np.ndarray, np.ndarray], np.ndarray]
"""(truth float64[Q, K], predicted float64[Q, K], weight float64[B, Q]) -> float64[B], one value for each weighting."""


@dataclass(frozen=True)
class NumbersJudge:
    """Judges K numbers of each query that is asked.

    judge = NumbersJudge(view, queries, labels, per_query={"log_loss": log_loss}, per_cell={"auc": roc_auc})
    """

    view: FoldView
    queries: Queries
    labels: Labels
    """As `Labels.of_numbers` makes them."""
    per_query: Mapping[str, PerQuery]
    per_cell: Mapping[str, PerCell] = field(default_factory=dict)
    predicted: Callable[[Any], np.ndarray] = np.asarray
    """From the target's answers, [q, K], to what the metrics are of, such as from logits to probabilities."""
    _parts: list[tuple[np.ndarray, np.ndarray]] = field(default_factory=list)

    def add_answers(self, index: np.ndarray, answers: Any) -> None:
        self._parts.append((index, np.asarray(self.predicted(answers), np.float64)))

    def add_scores(self, index: np.ndarray, scores: np.ndarray, log_probabilities: np.ndarray) -> None:
        raise TypeError("scores of candidates say nothing of numbers")

    def result(self) -> CellEvaluation:
        index = np.concatenate([index for index, _ in self._parts])
        order = np.argsort(index, kind="stable")
        predicted = np.concatenate([part for _, part in self._parts])[order]
        index = index[order]
        asked, truth = self.labels.numbers(predicted.shape[1])
        kept = asked[index]
        index, predicted, truth = index[kept], predicted[kept], truth[index[kept]]
        if np.isnan(predicted).any():
            query = index[np.isnan(predicted).any(axis=1)][0]
            raise FaultError(f"predictions: NaN for query {query}; a metric needs numbers.")
        queries = self.queries[index]
        values = {name: metric(truth, predicted) for name, metric in self.per_query.items()}
        whole = {name: self._drawn(metric, truth, predicted, queries.user) for name, metric in self.per_cell.items()}
        metrics = [Metric("test", ALL, QUERIES, float(len(index)))]
        metrics += (Metric("test", ALL, name, mean(value)) for name, value in values.items())
        metrics += (Metric("test", ALL, name, value) for name, (value, _) in whole.items())
        draws = {f"{ALL}/{name}": drawn for name, (_, drawn) in whole.items()}
        return CellEvaluation(tuple(metrics), query_table(self.view, queries, {ALL: values}), draws)

    @staticmethod
    def _drawn(metric: PerCell, truth: np.ndarray, predicted: np.ndarray, user: np.ndarray) -> tuple[float, np.ndarray]:
        """The metric of all queries, and with the users resampled."""
        value = float(metric(truth, predicted, np.ones((1, len(truth))))[0])
        return value, np.concatenate([metric(truth, predicted, weight) for weight in user_draws(user)])


TINY = 1e-7
"""Probabilities are kept this far from 0 and 1 in a log loss, so that one sure mistake is not all there is."""


def log_loss(truth: np.ndarray, predicted: np.ndarray) -> np.ndarray:
    """float64[Q], in nats, of the probabilities of yes [Q, 1]."""
    p = np.clip(predicted[:, 0], TINY, 1 - TINY)
    return -np.where(truth[:, 0] > 0, np.log(p), np.log1p(-p))


def brier(truth: np.ndarray, predicted: np.ndarray) -> np.ndarray:
    """float64[Q]: the squared error of the probabilities of yes [Q, 1] (Brier 1950)."""
    return (predicted[:, 0] - truth[:, 0]) ** 2


def roc_auc(truth: np.ndarray, predicted: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """float64[B]: the chance that a yes is given more than a no, a tie counting 1/2; NaN without both."""
    order = np.argsort(predicted[:, 0], kind="stable")
    value, yes = predicted[order, 0], truth[order, 0] > 0
    starts = np.flatnonzero(np.append(True, np.diff(value) > 0))
    sorted_weight = weight[:, order]
    above = np.add.reduceat(sorted_weight * yes, starts, axis=1)
    below = np.add.reduceat(sorted_weight * ~yes, starts, axis=1)
    wins = (above * (np.cumsum(below, axis=1) - below / 2)).sum(axis=1)
    pairs = above.sum(axis=1) * below.sum(axis=1)
    return np.where(pairs > 0, wins / np.where(pairs > 0, pairs, 1), np.nan)


def absolute_error(truth: np.ndarray, predicted: np.ndarray) -> np.ndarray:
    """float64[Q]: |predicted - truth| of the first number."""
    return np.abs(predicted[:, 0] - truth[:, 0])


def poisson_deviance(truth: np.ndarray, predicted: np.ndarray) -> np.ndarray:
    """float64[Q]: 2 (y log(y / m) - y + m) of a count y and its expectation m; a smaller m than 1e-7 counts as that."""
    y, m = truth[:, 0], np.maximum(predicted[:, 0], TINY)
    return 2 * (np.where(y > 0, y * np.log(np.where(y > 0, y, 1) / m), 0.0) - y + m)
