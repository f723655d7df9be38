"""The time group: how long since what, and where in the day, the week and the year."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from flax import linen as nn
from jaxtyping import Array, Float

from lab.core.fingerprint_marks import not_fingerprinted
from lab.core.number_limits import Limits, whole
from lab.data.fold.queries import FoldView
from lab.data.rows.steps import Steps
from lab.data.timeline import DAY
from lab.features.base import FeatureGroup, Shape, State

_YEAR = 365.2425


def _circle(phase: np.ndarray) -> list[np.ndarray]:
    """A point on the circle, so that the last hour of a day is next to the first."""
    return [np.sin(2 * np.pi * phase), np.cos(2 * np.pi * phase)]


def days_between(later: np.ndarray, earlier: np.ndarray) -> np.ndarray:
    """float64 days; the difference is taken in whole microseconds, so that it is exact."""
    return (later - earlier) / DAY


class Projection(nn.Module):
    """Numbers [B, T, F] to the width, through one small hidden layer."""

    hidden: int
    shape: Shape

    @nn.compact
    def __call__(self, columns: dict[str, Float[Array, "B T F"]]) -> Float[Array, "B T D"]:
        numbers = columns["numbers"].astype(self.shape.dtype)
        hidden = nn.relu(nn.Dense(self.hidden, dtype=self.shape.dtype, name="hidden")(numbers))
        return nn.Dense(self.shape.width, dtype=self.shape.dtype, name="out")(hidden)


@dataclass(frozen=True, kw_only=True)
class Time(FeatureGroup):
    """Gap to the step before, age of the last event, time since the first; hour, weekday, season."""

    name: ClassVar[str] = "time"
    side: ClassVar = "step"
    needs: ClassVar = ("times",)

    hidden: int = 32
    """Width of the hidden layer that reads the numbers."""

    @staticmethod
    @not_fingerprinted
    def number_limits() -> Limits:
        """What each number can be."""
        return {"hidden": whole(1, 4_096)}

    def transform(self, view: FoldView, steps: Steps, state: State) -> dict[str, np.ndarray]:
        first = steps.time[steps.offsets[:-1]][steps.owner]
        begins = np.zeros(len(steps), bool)
        begins[steps.offsets[:-1]] = True
        gap = np.where(begins, 0.0, days_between(steps.time, np.roll(steps.time, 1)))
        day = steps.time / DAY
        numbers = [
            np.log1p(gap),
            np.log1p(self._since_last_event(steps)),
            np.log1p(days_between(steps.time, first)),
            *_circle(day % 1),
            *_circle((np.floor(day) + 4) % 7 / 7),  # 1970-01-01 was a Thursday
            *_circle((np.floor(day) + 4) % 7 / 7 * 2),
            *_circle(day % _YEAR / _YEAR),
        ]
        return {"numbers": np.stack(numbers, -1).astype(np.float32)}

    @staticmethod
    def _since_last_event(steps: Steps) -> np.ndarray:
        """Days since the event before each step; 0 at a history's first."""
        place = np.arange(len(steps))
        latest = np.maximum.accumulate(np.where(steps.is_event, place, -1))
        before = np.append(-1, latest[:-1])
        inside = before >= steps.offsets[steps.owner]
        return np.where(inside, days_between(steps.time, steps.time[np.maximum(before, 0)]), 0.0)

    def module(self, state: State, shape: Shape) -> nn.Module:
        return Projection(self.hidden, shape)
