"""How a baseline's scores become probabilities: a share of the uniform distribution, chosen on valid by log loss."""

from dataclasses import dataclass

import numpy as np

from lab.baselines.calibrated_scorer import CalibratedScorer, Scorer, Tuning, check_scores, chosen_settings, shares
from lab.baselines.labelled_queries import LabelledQueries
from lab.baselines.tuning import FIRST, Axis, blocks, spread
from lab.data.fold.queries import FoldView
from lab.evaluation.judge import mean

SMOOTHINGS = Axis("smoothing", (0.001, 0.003, 0.01, 0.03, 0.1, 0.2, 0.4), "share")
"""Shares of the uniform distribution to begin with."""

SCORES = 1 << 22
"""Scores that a baseline without choices is looked at by, where that is more than the first look of those with some."""


@dataclass(frozen=True)
class LogLossTerms:
    """What the log loss of M labels among C candidates follows from."""

    candidates: int
    weight: np.ndarray
    """float32[M], of each label."""
    share: np.ndarray
    """float64[M], of the label."""
    ranked: np.ndarray
    """float64[M], of all candidates that are ranked at its query."""
    count: np.ndarray
    """int64[M]: how many those are."""

    def loss(self, smoothing: float) -> float:
        uniform = smoothing / self.candidates
        own, every = ((1 - smoothing) * self.share + uniform, (1 - smoothing) * self.ranked + uniform * self.count)
        return float(-(self.weight * (np.log(own) - np.log(every))).sum())


def calibrate(name: str, scorer: Scorer, view: FoldView, valid: LabelledQueries) -> CalibratedScorer:
    """The baseline of that name fitted, on as many of the answered valid queries as its settings were chosen on.

    Raises InputError where its scores are no scores.
    """
    least = max(FIRST, SCORES // view.candidates)
    queries = min(max((choice.queries for choice in getattr(scorer, "choices", ())), default=least), len(valid))
    bare, values, parts = CalibratedScorer(scorer, 0.0), np.empty(queries), []
    for some, asked in blocks(view, valid, spread(len(valid))[:queries]):
        scores = bare.scores(view, asked.queries)
        chances = check_scores(name, bare.chances(scores), len(asked), view.candidates)
        values[some] = asked.metric(view, bare.chances)(scores)
        parts.append(_log_loss_terms(view, asked, shares(chances)))
    joined = (np.concatenate(column) for column in zip(*parts, strict=True))
    smoothing = best_smoothing(LogLossTerms(view.candidates, *joined))
    settings = chosen_settings(scorer) | {"smoothing": smoothing}
    return CalibratedScorer(scorer, smoothing, Tuning(settings, valid.by.spec.name, mean(values), queries, len(valid)))


def _log_loss_terms(view: FoldView, asked: LabelledQueries, of_all: np.ndarray) -> tuple[np.ndarray, ...]:
    """The columns of `LogLossTerms`, of some queries whose candidates have the shares float64[Q, C]."""
    (query, label), out = asked.label_pairs, asked.excluded(view)
    whole, every = np.ones(len(query)), np.full(len(query), view.candidates)
    if out is not None:
        whole, every = of_all.sum(axis=1, where=~out)[query], (~out).sum(axis=1)[query]
    return asked.labels.weights, of_all[query, label], whole, every


def best_smoothing(labelled: LogLossTerms) -> float:
    """The one with the least log loss among SMOOTHINGS, which go on where the least is at an end.

    But not to less than one in so many labels: from these nothing can be told of what happens more rarely.
    """
    loss = {smoothing: labelled.loss(smoothing) for smoothing in SMOOTHINGS.values}
    while True:
        best = min(loss, key=lambda one: loss[one])
        following = SMOOTHINGS.beyond(sorted(loss), best)
        if following is None or following < 1 / len(labelled.share):
            return best
        loss[following] = labelled.loss(following)
