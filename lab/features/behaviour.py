"""The behaviour group: what was done (view, cart, favourite, purchase, ...)."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from flax import linen as nn

from lab.data.fold.queries import FoldView
from lab.data.rows.steps import Steps
from lab.features.base import FeatureGroup, Shape, State
from lab.features.category import Lookup, at_steps


@dataclass(frozen=True, kw_only=True)
class Behaviour(FeatureGroup):
    """What was done: one vector for each of the source's behaviours."""

    name: ClassVar[str] = "behaviour"
    side: ClassVar = "step"

    def fit(self, known: FoldView) -> State:
        return {"count": len(known.histories.behaviours)}

    def transform(self, view: FoldView, steps: Steps, state: State) -> dict[str, np.ndarray]:
        return {"id": at_steps(np.asarray(view.histories.behaviour) + np.int8(1), steps)}

    def module(self, state: State, shape: Shape) -> nn.Module:
        return Lookup(state["count"], shape)
