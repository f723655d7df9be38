"""Scores of the test queries as a cell's record: metrics, and metrics per query."""

from collections.abc import Iterable
from typing import Any, Protocol, runtime_checkable

import numpy as np

from lab.baselines.asked import METRIC, Asked
from lab.baselines.base import Baseline
from lab.baselines.fitted import Fitted, checked
from lab.baselines.known import everybody
from lab.cell_record import Metric
from lab.data.dataset import Dataset
from lab.data.queries import FoldView, Queries
from lab.data.seen import label_seen, seen_by
from lab.errors import FaultError
from lab.evaluation.calibration import BINS
from lab.evaluation.metrics import SLICES, InterestMetrics, mean
from lab.evaluation.next_item import Placed, log_probability, of_cell, per_query, place
from lab.targets.base import Target
from lab.targets.next_item import DEPTH, NextAnswers, NextItem

SCORES_AT_ONCE = 1 << 23
"""Scores of a baseline held in memory at once."""


@runtime_checkable
class Truth(Protocol):
    """A source that made its log itself, and knows what to expect of it."""

    def oracle(self, users: np.ndarray, cutoffs: np.ndarray, horizon: int, categories: np.ndarray) -> np.ndarray:
        """float64[Q, C]: the chance that each user (raw ids) touches each category in the window."""
        ...


class Judge(Protocol):
    """Takes what is predicted of the test queries, in any order; a judge for each cell, which its target names."""

    def answers(self, index: np.ndarray, answers: Any) -> None:
        """What a model answers to the test queries `index`, int64[q]: the target's answers, each [q, ...]."""
        ...

    def scores(self, index: np.ndarray, scores: np.ndarray, log_probabilities: np.ndarray) -> None:
        """Scores and log probabilities [q, C] of the test queries `index`."""
        ...

    def result(self) -> tuple[tuple[Metric, ...], dict[str, np.ndarray]]:
        """The metrics of the test split, and the table of metrics per query and slice, silent queries left out.

        Beside a query stands `history`, how many of its user's events were known.
        """
        ...

    def reliability(self) -> dict[str, np.ndarray]:
        """Predicted shares against observed ones, where they are kept: a row for each slice and bin."""
        ...


class InterestJudge:
    """Judges scores of all categories."""

    def __init__(self, data: Dataset, horizon: int) -> None:
        self._queries = data.splits["test"].queries
        self._labels = data.splits["test"].labels[horizon]
        self._view = data.view
        self._metrics = InterestMetrics(data.view.candidates)
        self._order: list[np.ndarray] = []

    def answers(self, index: np.ndarray, answers: np.ndarray) -> None:
        # Logits are log probabilities up to a constant.
        self.scores(index, answers, answers)

    def scores(self, index: np.ndarray, scores: np.ndarray, log_probabilities: np.ndarray) -> None:
        seen = seen_by(self._view, self._queries[index])
        self._metrics.add(scores, log_probabilities, self._labels.take(index), seen)
        self._order.append(index)

    def result(self) -> tuple[tuple[Metric, ...], dict[str, np.ndarray]]:
        result = self._metrics.result()
        index = np.concatenate(self._order)
        order = np.argsort(index, kind="stable")
        metrics = tuple(Metric("test", *value) for value in result.values)
        values = {name: {m: v[order] for m, v in own.items()} for name, own in result.per_query.items()}
        return metrics, by_query(self._view, self._queries[index[order]], values)

    def reliability(self) -> dict[str, np.ndarray]:
        bins = self._metrics.reliability
        return {
            "slice": np.repeat(np.array(SLICES), BINS),
            "low": np.concatenate([bins[name].edges[:-1] for name in SLICES]),
            "high": np.concatenate([bins[name].edges[1:] for name in SLICES]),
            "pairs": np.concatenate([bins[name].pairs for name in SLICES]),
            "predicted": np.concatenate([bins[name].predicted for name in SLICES]),
            "observed": np.concatenate([bins[name].observed for name in SLICES]),
        }


class NextItemJudge:
    """Judges where the one label of each query stands among all candidates."""

    def __init__(self, data: Dataset, target: NextItem, horizon: int) -> None:
        self._target, self._view, self._queries = target, data.view, data.splits["test"].queries
        labels = data.splits["test"].labels[horizon]
        self._cold, self._label = labels.cold, labels.single
        self._known = everybody(data.view, data.view.fold.valid_cutoff)
        self._parts: list[tuple[np.ndarray, ...]] = []

    def answers(self, index: np.ndarray, answers: NextAnswers) -> None:
        known = self._label[index] >= 0
        rank, first, log_p = (np.asarray(part)[known] for part in answers)
        self._add(index[known], rank, first, log_p)

    def scores(self, index: np.ndarray, scores: np.ndarray, log_probabilities: np.ndarray) -> None:
        known = self._label[index] >= 0
        index, label = index[known], self._label[index[known]]
        left_out = None if self._target.repeats else seen_by(self._view, self._queries[index])
        rank, first = place(scores[known], label, left_out, DEPTH)
        self._add(index, rank, first, log_probability(log_probabilities[known], label, left_out))

    def _add(self, index: np.ndarray, rank: np.ndarray, first: np.ndarray, log_p: np.ndarray) -> None:
        if np.isnan(log_p).any():
            raise FaultError(f"log probabilities: NaN for query {index[np.isnan(log_p)][0]}; a ranking needs numbers.")
        self._parts.append((index, rank.astype(np.int64), first, log_p))

    def result(self) -> tuple[tuple[Metric, ...], dict[str, np.ndarray]]:
        index, rank, first, log_p = (np.concatenate(part) for part in zip(*self._parts, strict=True))
        order = np.argsort(index, kind="stable")
        queries, label = self._queries[index[order]], self._label[index[order]]
        seen = label_seen(self._view, queries, label)
        placed = Placed(rank[order], first[order], label, seen, log_p[order])
        every = per_query(placed)
        values = {
            name: {metric: np.where(member, value, np.nan) for metric, value in every.items()}
            for name, member in zip(SLICES, (np.ones_like(seen), seen, ~seen), strict=True)
        }
        return tuple(self._metrics(values, placed)), by_query(self._view, queries, values)

    def _metrics(self, values: dict[str, dict[str, np.ndarray]], placed: Placed) -> Iterable[Metric]:
        for name, own in values.items():
            yield Metric("test", name, "queries", float((~np.isnan(own["log_loss"])).sum()))
            yield from (Metric("test", name, metric, mean(value)) for metric, value in own.items())
        yield Metric("test", "all", "cold", float(self._cold))
        yield from (Metric("test", "all", metric, value) for metric, value in of_cell(placed, self._known).items())

    def reliability(self) -> dict[str, np.ndarray]:
        return {}


def by_query(view: FoldView, queries: Queries, values: dict[str, dict[str, np.ndarray]]) -> dict[str, np.ndarray]:
    """A table of metrics, slice -> metric -> float64[Q], with a row for each query that has a value in a slice."""
    kept = {name: ~np.isnan(values[name]["log_loss"]) for name in SLICES}
    size, history = [int(kept[name].sum()) for name in SLICES], view.known_events(queries)
    table: dict[str, np.ndarray] = {
        "user": view.histories.row_of(np.concatenate([queries.user[kept[name]] for name in SLICES])),
        "cutoff": np.concatenate([queries.cutoff[kept[name]] for name in SLICES]),
        "slice": np.repeat(np.array(SLICES), size),
        "history": np.concatenate([history[kept[name]] for name in SLICES]),
    }
    for metric in values["all"]:
        table[metric] = np.concatenate([values[name][metric][kept[name]] for name in SLICES])
    return table


def query_blocks(queries: int, candidates: int) -> Iterable[np.ndarray]:
    """The queries in blocks whose scores fit memory."""
    size = max(1, SCORES_AT_ONCE // candidates)
    return (np.arange(first, min(first + size, queries)) for first in range(0, queries, size))


def fit_baseline(data: Dataset, target: Target, baseline: Baseline, horizon: int) -> Fitted:
    """Fit a baseline on the training and valid splits."""
    split, repeats = data.splits, not target.leaves_taken_out
    train, valid = (Asked(split[s].queries, split[s].labels[horizon], repeats) for s in ("train", "valid"))
    return baseline.fit(data.view, train, valid, data.view.fold.horizons[horizon])


def judge_fitted(data: Dataset, target: Target, name: str, fitted: Fitted, horizon: int) -> Judge:
    """Score the test queries by a fitted baseline of that name."""
    test, judge = data.splits["test"], target.judge(data, horizon)
    for index in query_blocks(len(test.queries), data.view.candidates):
        scores = fitted.scores(data.view, test.queries[index])
        checked(name, fitted.chances(scores), len(index), data.view.candidates)
        judge.scores(index, scores, fitted.log_probabilities(scores))
    return judge


def judge_baseline(data: Dataset, target: Target, baseline: Baseline, horizon: int) -> Judge:
    """Fit a baseline on the training and valid splits and score the test queries."""
    return judge_fitted(data, target, baseline.name, fit_baseline(data, target, baseline, horizon), horizon)


def tuned(fitted: Fitted) -> tuple[Metric, ...]:
    """How a baseline was tuned, for its cell's record: its settings, their value on valid, and on how many queries."""
    named = {METRIC: fitted.value, "queries": float(fitted.queries)} | fitted.chosen
    return tuple(Metric("valid", "all", name, value) for name, value in named.items())


def judge_oracle(data: Dataset, target: Target, source: Truth, horizon: int) -> Judge:
    """Score the test queries by the source's own truth."""
    view, queries = data.view, data.splits["test"].queries
    judge = target.judge(data, horizon)
    for index in query_blocks(len(queries), view.candidates):
        users = view.histories.user_names[queries.user[index]]
        truth = source.oracle(users, queries.cutoff[index], view.fold.horizons[horizon], view.names)
        scores = np.asarray(truth, np.float32)
        judge.scores(index, scores, np.log(np.maximum(scores, 1e-12)))
    return judge
