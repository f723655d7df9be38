"""Scores of the test queries as a cell's record: metrics, and metrics per query."""

from collections.abc import Iterable
from typing import Any, Protocol, runtime_checkable

import numpy as np

from lab.baselines.base import Asked, Baseline, shaped
from lab.cell_record import Metric
from lab.data.dataset import Dataset
from lab.data.queries import FoldView, Queries
from lab.data.search import events_until
from lab.data.seen import seen_by
from lab.evaluation.calibration import BINS
from lab.evaluation.metrics import SLICES, InterestMetrics

SCORES_AT_ONCE = 1 << 23
"""Scores of a baseline held in memory at once."""


@runtime_checkable
class Truth(Protocol):
    """A source that made its log itself, and knows what to expect of it."""

    def oracle(self, users: np.ndarray, cutoffs: np.ndarray, horizon: int, categories: np.ndarray) -> np.ndarray:
        """float64[Q, C]: the chance that each user (raw ids) touches each category in the window."""
        ...


class Judge:
    """Takes scores of the test queries in any order; a judge for each cell."""

    def __init__(self, data: Dataset, horizon: int) -> None:
        self._queries = data.splits["test"].queries
        self._labels = data.splits["test"].labels[horizon]
        self._view = data.view
        self._metrics = InterestMetrics(data.view.candidates)
        self._order: list[np.ndarray] = []

    def add(self, index: np.ndarray, scores: np.ndarray, log_probabilities: np.ndarray) -> None:
        """Scores and log probabilities [q, C] of the test queries `index`, int64[q]."""
        seen = seen_by(self._view, self._queries[index])
        self._metrics.add(scores, log_probabilities, self._labels.take(index), seen)
        self._order.append(index)

    def result(self) -> tuple[tuple[Metric, ...], dict[str, np.ndarray]]:
        """The metrics of the test split, and the table of metrics per query and slice, silent queries left out.

        Beside a query stands `history`, how many of its user's events were known.
        """
        result = self._metrics.result()
        index = np.concatenate(self._order)
        order = np.argsort(index, kind="stable")
        metrics = tuple(Metric("test", *value) for value in result.values)
        return metrics, self._table(self._queries[index[order]], result.per_query, order)

    def reliability(self) -> dict[str, np.ndarray]:
        """Predicted shares against observed ones: a row for each slice and bin of `lab.evaluation.calibration`."""
        bins = self._metrics.reliability
        return {
            "slice": np.repeat(np.array(SLICES), BINS),
            "low": np.concatenate([bins[name].edges[:-1] for name in SLICES]),
            "high": np.concatenate([bins[name].edges[1:] for name in SLICES]),
            "pairs": np.concatenate([bins[name].pairs for name in SLICES]),
            "predicted": np.concatenate([bins[name].predicted for name in SLICES]),
            "observed": np.concatenate([bins[name].observed for name in SLICES]),
        }

    def _table(self, queries: Queries, per_query: Any, order: np.ndarray) -> dict[str, np.ndarray]:
        kept = {name: ~np.isnan(per_query[name]["log_loss"][order]) for name in SLICES}
        size = [int(kept[name].sum()) for name in SLICES]
        table: dict[str, np.ndarray] = {
            "user": self._view.histories.row_of(np.concatenate([queries.user[kept[name]] for name in SLICES])),
            "cutoff": np.concatenate([queries.cutoff[kept[name]] for name in SLICES]),
            "slice": np.repeat(np.array(SLICES), size),
            "history": np.concatenate([_known_events(self._view, queries)[kept[name]] for name in SLICES]),
        }
        for metric in per_query["all"]:
            table[metric] = np.concatenate([per_query[name][metric][order][kept[name]] for name in SLICES])
        return table


def _known_events(view: FoldView, queries: Queries) -> np.ndarray:
    """int32[Q]: how many events of each query's user are known at its cutoff."""
    histories = view.histories
    stop = events_until(histories.offsets, histories.time, queries.user, queries.cutoff)
    return (stop - histories.offsets[queries.user]).astype(np.int32)


def query_blocks(queries: int, candidates: int) -> Iterable[np.ndarray]:
    """The queries in blocks whose scores fit memory."""
    size = max(1, SCORES_AT_ONCE // candidates)
    return (np.arange(first, min(first + size, queries)) for first in range(0, queries, size))


def judge_baseline(data: Dataset, baseline: Baseline, horizon: int) -> Judge:
    """Fit a baseline on the training and valid splits and score the test queries."""
    split = data.splits
    train = Asked(split["train"].queries, split["train"].labels[horizon])
    valid = Asked(split["valid"].queries, split["valid"].labels[horizon])
    fitted = baseline.fit(data.view, train, valid, data.view.fold.horizons[horizon])
    judge = Judge(data, horizon)
    for index in query_blocks(len(split["test"].queries), data.view.candidates):
        scores = fitted.scores(data.view, split["test"].queries[index])
        shaped(baseline.name, scores, len(index), data.view.candidates)
        judge.add(index, scores, fitted.log_probabilities(scores))
    return judge


def judge_oracle(data: Dataset, source: Truth, horizon: int) -> Judge:
    """Score the test queries by the source's own truth."""
    view, queries = data.view, data.splits["test"].queries
    judge = Judge(data, horizon)
    for index in query_blocks(len(queries), view.candidates):
        users = view.histories.user_names[queries.user[index]]
        truth = source.oracle(users, queries.cutoff[index], view.fold.horizons[horizon], view.names)
        scores = np.asarray(truth, np.float32)
        judge.add(index, scores, np.log(np.maximum(scores, 1e-12)))
    return judge
