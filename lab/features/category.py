"""The category group: which category a step touched."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from flax import linen as nn
from jaxtyping import Array, Float, Int

from lab.data.queries import FoldView
from lab.data.steps import Steps
from lab.features.base import FeatureGroup, Shape, State


def of_events(values: np.ndarray, steps: Steps) -> np.ndarray:
    """A per-event column [N] brought to the steps [N'], 0 at ticks."""
    return np.where(steps.is_event, values[steps.event], values.dtype.type(0))


class Lookup(nn.Module):
    """A learned vector for each id; id 0 (a tick, or no value) adds nothing."""

    size: int
    """Ids 1..size."""
    shape: Shape

    @nn.compact
    def __call__(self, columns: dict[str, Int[Array, "B T"]]) -> Float[Array, "B T D"]:
        ids = columns["id"].astype("int32")
        table = self.param("table", nn.initializers.normal(0.1), (self.size + 1, self.shape.width))
        vectors = table.astype(self.shape.dtype)[ids]
        return vectors * (ids > 0)[..., None].astype(self.shape.dtype)


@dataclass(frozen=True, kw_only=True)
class Category(FeatureGroup):
    """Which category the step touched: 1..C, C + 1 for one unknown at the valid cutoff."""

    name: ClassVar[str] = "category"
    side: ClassVar = "step"

    def transform(self, view: FoldView, steps: Steps, state: State) -> dict[str, np.ndarray]:
        unknown = np.int32(view.candidates + 1)
        ids = np.where(view.candidate < 0, unknown, view.candidate + 1).astype(np.int32)
        return {"id": of_events(ids, steps)}

    def module(self, state: State, shape: Shape) -> nn.Module:
        return Lookup(shape.candidates + 1, shape)
