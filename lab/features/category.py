"""The category group: which category a step touched."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from flax import linen as nn
from jaxtyping import Array, Float, Int

from lab.data.fold.queries import FoldView
from lab.data.fold.vocabulary import fit_vocabulary
from lab.data.rows.steps import Steps
from lab.features.base import FeatureGroup, Shape, State


def at_steps(values: np.ndarray, steps: Steps) -> np.ndarray:
    """A per-event column [N] brought to the steps [N'], 0 at ticks."""
    return np.where(steps.is_event, values[steps.event], values.dtype.type(0))


def candidate_ids(view: FoldView) -> np.ndarray:
    """int32[N]: the candidate of each event as an id, 1..C, C + 1 for one unknown at the valid cutoff."""
    return np.where(view.candidate < 0, np.int32(view.candidates + 1), view.candidate + 1).astype(np.int32)


class Lookup(nn.Module):
    """A learned vector for each id; id 0 (a tick, or no value) adds nothing."""

    size: int
    """Ids 1..size."""
    shape: Shape

    def setup(self) -> None:
        self.table = self.param("table", nn.initializers.normal(0.1), (self.size + 1, self.shape.width))

    def __call__(self, columns: dict[str, Int[Array, "B T"]]) -> Float[Array, "B T D"]:
        ids = columns["id"].astype("int32")
        vectors = self.table.astype(self.shape.dtype)[ids]
        return vectors * (ids > 0)[..., None].astype(self.shape.dtype)

    def candidates(self) -> Float[Array, "C D"]:
        """The vectors of the candidates, where they are what is looked up."""
        return self.table[1 : self.shape.candidates + 1]


@dataclass(frozen=True, kw_only=True)
class Category(FeatureGroup):
    """Which category the step touched: 1..C, C + 1 for one unknown at the valid cutoff.

    The target's, so that it is what is predicted; where that is the item, the category that the log states.
    """

    name: ClassVar[str] = "category"
    side: ClassVar = "step"

    def needs_for(self, *, items: bool) -> tuple[str, ...]:
        # Without a column of the log's own it would be the item group once more.
        return ("category",) if items else ()

    def fit(self, known: FoldView) -> State:
        histories = known.histories
        if not known.items or histories.category is None or histories.category_names is None:
            return {}
        return {"vocabulary": fit_vocabulary(np.asarray(histories.category), histories.category_names)}

    def transform(self, view: FoldView, steps: Steps, state: State) -> dict[str, np.ndarray]:
        if "vocabulary" in state:
            return {"id": at_steps(state["vocabulary"].encode(np.asarray(view.histories.category)), steps)}
        return {"id": at_steps(candidate_ids(view), steps)}

    def module(self, state: State, shape: Shape) -> nn.Module:
        return Lookup(len(state["vocabulary"]) + 1 if "vocabulary" in state else shape.candidates + 1, shape)
