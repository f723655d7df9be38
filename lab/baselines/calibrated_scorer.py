"""A fitted baseline: its scores, what was chosen for it, and how scores become probabilities."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from lab.core.errors import InputError
from lab.data.fold.queries import FoldView, Queries


class Scorer(Protocol):
    """A fitted baseline. Its fields are what was fitted.

    It may have `choices`, what was chosen on valid (`lab.baselines.tuning.Choice`), which the cell's record and the
    run then tell; and a method `chances`, from scores to what is proportional to probabilities.
    """

    def scores(self, view: FoldView, queries: Queries) -> np.ndarray:
        """float32[Q, C], finite, and not negative but where there are `chances`.

        At each query from events with time <= its cutoff alone.
        """
        ...


@dataclass(frozen=True)
class Tuning:
    """What was chosen on valid, and by what."""

    settings: Mapping[str, float]
    metric: str
    """The metric that they were chosen by."""
    value: float
    """Its mean over the valid queries that they were chosen on."""
    queries: int
    """How many these are."""
    answered: int
    """Of how many that have a label."""

    def text(self) -> str:
        """In a line: `popularity_days 30, smoothing 0.1: recall@10 0.1877 on 1,163 valid queries`."""
        settings = ", ".join(f"{name} {value:.6g}" for name, value in self.settings.items())
        of = "" if self.queries == self.answered else f" of the {self.answered:,}"
        return f"{settings}: {self.metric} {self.value:.4f} on {self.queries:,}{of} valid queries"


def chosen_settings(fitted: Any) -> dict[str, float]:
    """The settings of a scorer or predictor that were chosen on valid, by name."""
    return {name: value for choice in getattr(fitted, "choices", ()) for name, value in choice.settings.items()}


@dataclass(frozen=True)
class CalibratedScorer:
    """A fitted baseline and how its scores become probabilities."""

    scorer: Scorer
    smoothing: float
    """The share of the uniform distribution in the probabilities, chosen on valid by log loss."""
    tuning: Tuning | None = None
    """How it was tuned, the smoothing included."""

    def scores(self, view: FoldView, queries: Queries) -> np.ndarray:
        """float32[Q, C], higher is better."""
        return self.scorer.scores(view, queries)

    def chances(self, scores: np.ndarray) -> np.ndarray:
        """float32[Q, C], not negative: what is proportional to the probabilities that scores stand for."""
        of = getattr(self.scorer, "chances", None)
        return scores if of is None else of(scores)

    def log_probabilities(self, scores: np.ndarray) -> np.ndarray:
        """float32[Q, C] of log((1 - e) * chance / sum of chances + e / C); uniform where all chances are 0."""
        return np.log(smooth(shares(self.chances(scores)), self.smoothing)).astype(np.float32)


def check_scores(name: str, scores: np.ndarray, queries: int, candidates: int) -> np.ndarray:
    """The scores of a baseline of that name.

    Raises InputError where they are not one for each query and candidate, or one is below 0, infinite or no number.
    """
    if np.shape(scores) != (queries, candidates):
        raise InputError(
            f"baseline {name}: its scores have the shape {np.shape(scores)}; ({queries}, {candidates}) is wanted, a "
            f"row for each query and a column for each candidate."
        )
    wrong = ~(np.isfinite(scores) & (scores >= 0))
    if wrong.any():
        raise InputError(
            f"baseline {name}: scores a candidate {scores[wrong][0]:g}; a score is a finite number, 0 or more, that is "
            f"higher for what is likelier."
        )
    return scores


def shares(chances: np.ndarray) -> np.ndarray:
    """float64[Q, C]: rows scaled to sum to 1, uniform ones where all is 0."""
    total = chances.sum(axis=1, keepdims=True, dtype=np.float64)
    return np.where(total > 0, chances / np.where(total > 0, total, 1), 1 / chances.shape[1])


def smooth(shares: np.ndarray, smoothing: float) -> np.ndarray:
    return (1 - smoothing) * shares + smoothing / shares.shape[1]
