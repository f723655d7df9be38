"""What becomes of a cell that is trained: its parameters and its curve."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from lab.training.checkpoints import Found, Spent
from lab.training.program import EvaluationResult
from lab.training.state import TrainState
from lab.training.step import StepMetrics


class LastFinite(NamedTuple):
    """The last update before a cell diverged."""

    step: int
    loss: float
    gradient_norm: float


@dataclass(frozen=True)
class CurvePoint:
    """What one cell did up to one look at the valid split."""

    step: int
    loss: float
    """Mean training loss of the steps since the look before; likewise the norm. NaN where none was finite."""
    gradient_norm: float
    learning_rate: float
    """Of the last of these steps."""
    valid_loss: float
    """NaN once the cell has diverged."""


@dataclass(frozen=True)
class TrainingResult:
    """One cell after training."""

    params: np.ndarray
    """float32[P], the best parameters, flattened."""
    steps: int
    best_step: int
    best_loss: float
    diverged_at: int
    """The step that was not finite, -1 where all were."""
    last_finite: LastFinite | None
    """Of the last step that was finite."""
    curve: tuple[CurvePoint, ...]
    seconds: float
    """Its share of the time of training."""
    waited: float
    """Its share of the time for which the devices had nothing to do because rows were not there yet, at most."""


def collect(end: TrainState, history: Sequence[Found], spent: Spent) -> list[TrainingResult]:
    """What the cells have become, from their last states and all their looks, on the host."""
    return [
        TrainingResult(
            params=np.asarray(end.best_params[i]),
            steps=int(end.step[i]),
            best_step=int(end.best_step[i]),
            best_loss=float(end.best_loss[i]),
            diverged_at=int(end.diverged_at[i]),
            last_finite=_last_finite([m for _, m in history], i),
            curve=tuple(_look(v, m, i) for v, m in history if _was_taken(m, i).any()),
            seconds=spent[i][0],
            waited=spent[i][1],
        )
        for i in range(len(spent))
    ]


def _was_taken(metrics: StepMetrics, i: int) -> np.ndarray:
    """Which steps of a dispatch the cell took at all."""
    return np.isfinite(metrics.learning_rate[i])


def _finite(metrics: StepMetrics, i: int) -> np.ndarray:
    """Which of them were finite."""
    return _was_taken(metrics, i) & np.isfinite(metrics.loss[i]) & np.isfinite(metrics.gradient_norm[i])


def _last_finite(history: list[StepMetrics], i: int) -> LastFinite | None:
    moved = [_finite(m, i) for m in history]
    steps = int(np.concatenate(moved).sum())
    if not steps:
        return None
    metrics, finite = next((m, f) for m, f in zip(reversed(history), reversed(moved), strict=True) if f.any())
    loss, norm = (float(part[i][finite][-1]) for part in metrics[:2])
    return LastFinite(steps - 1, loss, norm)


def _look(verdict: EvaluationResult, metrics: StepMetrics, i: int) -> CurvePoint:
    finite, rates = _finite(metrics, i), metrics.learning_rate[i]
    means = [np.mean(part[i][finite], dtype=np.float64) if finite.any() else np.nan for part in metrics[:2]]
    return CurvePoint(
        step=int(verdict.step[i]),
        loss=float(means[0]),
        gradient_norm=float(means[1]),
        learning_rate=float(rates[_was_taken(metrics, i)][-1]),
        valid_loss=float(verdict.loss[i]),
    )
