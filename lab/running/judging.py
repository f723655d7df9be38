"""Baselines and a source's own truth at the test queries, handed to the target's judge."""

from collections.abc import Callable, Iterable

import numpy as np

from lab.baselines.base import Asked, Baseline, checked
from lab.core.marks import computes
from lab.dataset.dataset import Dataset
from lab.evaluation.judge import Judge
from lab.targets.base import Target, Truth

SCORES_AT_ONCE = 1 << 23
"""Scores of a baseline held in memory at once."""

SMALLEST = 1e-12
"""Chances of a truth are kept above this where their logarithm is taken."""


def judge_of_test(data: Dataset, target: Target, horizon: int) -> Judge:
    """The target's judge of the test split, for one of the horizons."""
    split = data.splits["test"]
    return target.judge(data.view, split.queries, split.labels[horizon])


@computes("baseline")
def judge_baseline(data: Dataset, target: Target, baseline: Baseline, horizon: int) -> Judge:
    """Fit a baseline on the training and valid splits and judge what it says of the test queries."""
    split = data.splits
    repeats = not target.leaves_taken_out
    train, valid = (Asked(split[s].queries, split[s].labels[horizon], repeats) for s in ("train", "valid"))
    asked = data.view, train, valid, data.view.fold.horizons[horizon]
    judge, queries = judge_of_test(data, target, horizon), split["test"].queries
    if baseline.predicts == "numbers":
        predictor = baseline.predictor(*asked)
        for index in _blocks(data, target):
            judge.answers(index, predictor.numbers(data.view, queries[index]))
        return judge
    fitted = baseline.fit(*asked)
    for index in _blocks(data, target):
        scores = fitted.scores(data.view, queries[index])
        checked(baseline.name, scores, len(index), data.view.candidates)
        judge.scores(index, scores, fitted.log_probabilities(scores))
    return judge


@computes("oracle")
def judge_truth(data: Dataset, target: Target, truth: Truth, horizon: int) -> Judge:
    """Judge what the source's own truth says of the test queries."""
    view, queries = data.view, data.splits["test"].queries
    judge = judge_of_test(data, target, horizon)
    take: Callable[[np.ndarray, np.ndarray], None] = _take_chances(judge) if target.ranks else judge.answers
    for index in _blocks(data, target):
        take(index, truth.answers(view, queries[index], view.fold.horizons[horizon]))
    return judge


def _take_chances(judge: Judge) -> Callable[[np.ndarray, np.ndarray], None]:
    return lambda index, scores: judge.scores(index, scores, np.log(np.maximum(scores, SMALLEST)))


def _blocks(data: Dataset, target: Target) -> Iterable[np.ndarray]:
    """The test queries in blocks whose scores fit memory."""
    queries = len(data.splits["test"].queries)
    size = max(1, SCORES_AT_ONCE // (data.view.candidates if target.ranks else target.head.numbers))
    return (np.arange(first, min(first + size, queries)) for first in range(0, queries, size))
