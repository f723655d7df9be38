"""Baselines and a source's own truth at the test queries, handed to the target's judge."""

from collections.abc import Callable, Iterable

import numpy as np

from lab.baselines.base import Baseline, FittedNumbers
from lab.baselines.calibrated_scorer import CalibratedScorer, check_scores
from lab.baselines.labelled_queries import LabelledQueries
from lab.core.fingerprint_marks import computes_cells
from lab.dataset.dataset import Dataset
from lab.evaluation.judge import Judge
from lab.evaluation.measures import ALL, ANSWERED, QUERIES, Metric
from lab.evaluation.tuning_metric import TuningMetric, tuned_by
from lab.targets.base import Target, Truth
from lab.targets.rankings import of_ranks

SCORES_AT_ONCE = 1 << 23
"""Scores of a baseline held in memory at once."""

SMALLEST = 1e-12
"""Chances of a truth are kept above this where their logarithm is taken."""


def judge_of_test(data: Dataset, target: Target, horizon: int) -> Judge:
    """The target's judge of the test split, for one of the horizons."""
    split = data.splits["test"]
    return target.judge(data.view, split.queries, split.labels[horizon])


@computes_cells("baseline")
def fit_baseline(data: Dataset, target: Target, baseline: Baseline, horizon: int) -> CalibratedScorer | FittedNumbers:
    """Fit a baseline on the training and valid splits."""
    split, repeats, by = data.splits, not target.excludes_taken, tuning_metric(data, target, horizon)
    train, valid = (
        LabelledQueries(split[s].queries, split[s].labels[horizon], repeats, by) for s in ("train", "valid")
    )
    fit = baseline.predictor if baseline.predicts == "numbers" else baseline.fit
    return fit(data.view, train, valid, data.view.fold.horizons[horizon])


@computes_cells("baseline")
def tuning_metric(data: Dataset, target: Target, horizon: int) -> TuningMetric:
    """What the settings of a target's baselines are chosen by: the metric that its tables go by."""
    spec = tuned_by(target.measures())
    quick = of_ranks(judge_of_test(data, target, horizon), spec.name) if target.ranks_candidates else None
    return TuningMetric(spec, quick, target.judge, target.ranks_candidates)


@computes_cells("baseline")
def judge_fitted_baseline(
    data: Dataset, target: Target, name: str, fitted: CalibratedScorer | FittedNumbers, horizon: int
) -> Judge:
    """Judge what a fitted baseline of that name says of the test queries."""
    judge, view, queries = judge_of_test(data, target, horizon), data.view, data.splits["test"].queries
    for index in _blocks(data, target):
        if isinstance(fitted, FittedNumbers):
            judge.add_answers(index, fitted.numbers(view, queries[index]))
            continue
        scores = fitted.scores(view, queries[index])
        check_scores(name, fitted.chances(scores), len(index), view.candidates)
        judge.add_scores(index, scores, fitted.log_probabilities(scores))
    return judge


def judge_baseline(data: Dataset, target: Target, baseline: Baseline, horizon: int) -> Judge:
    """Fit a baseline on the training and valid splits and judge what it says of the test queries."""
    return judge_fitted_baseline(data, target, baseline.name, fit_baseline(data, target, baseline, horizon), horizon)


@computes_cells("baseline")
def tuning_metrics(fitted: CalibratedScorer | FittedNumbers) -> tuple[Metric, ...]:
    """How a baseline was tuned, for its cell's record: its settings, their value on valid, and on how many queries."""
    tuning = fitted.tuning
    if tuning is None:
        return ()
    on = {tuning.metric: tuning.value, QUERIES: float(tuning.queries), ANSWERED: float(tuning.answered)}
    return tuple(Metric("valid", ALL, name, value) for name, value in (on | dict(tuning.settings)).items())


@computes_cells("oracle")
def judge_truth(data: Dataset, target: Target, truth: Truth, horizon: int) -> Judge:
    """Judge what the source's own truth says of the test queries."""
    view, queries = data.view, data.splits["test"].queries
    judge = judge_of_test(data, target, horizon)
    take: Callable[[np.ndarray, np.ndarray], None] = (
        _take_chances(judge) if target.ranks_candidates else judge.add_answers
    )
    for index in _blocks(data, target):
        take(index, truth.answers(view, queries[index], view.fold.horizons[horizon]))
    return judge


def _take_chances(judge: Judge) -> Callable[[np.ndarray, np.ndarray], None]:
    return lambda index, scores: judge.add_scores(index, scores, np.log(np.maximum(scores, SMALLEST)))


def _blocks(data: Dataset, target: Target) -> Iterable[np.ndarray]:
    """The test queries in blocks whose scores fit memory."""
    queries = len(data.splits["test"].queries)
    size = max(1, SCORES_AT_ONCE // (data.view.candidates if target.ranks_candidates else target.head.numbers))
    return (np.arange(first, min(first + size, queries)) for first in range(0, queries, size))
