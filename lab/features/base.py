"""What every feature group is: columns that come and go together.

A group *fits* its vocabularies and scales on what was known at the valid cutoff, *transforms* steps to
arrays, and brings a small linen module that reads them. Groups speak on one of two sides:

- `step`: the module turns columns [B, T, ...] into an embedding [B, T, D], added to the others';
- `candidate`: the module gives every candidate a score [B, Q, C], added to the encoder's.

Either way the network multiplies what a group gives by `on[g]`, 0 or 1, so that an absent group adds
exactly nothing, and linen draws each group's parameters from a random stream of the group's own name.
"""

from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import numpy as np
from flax import linen as nn

from lab.data.fold.queries import FoldView
from lab.data.rows.steps import Steps

State = dict[str, Any]
"""What a group has fitted: plain arrays and numbers."""


@dataclass(frozen=True)
class Shape:
    """The sizes a group's module is built for."""

    width: int
    """D."""
    candidates: int
    """C."""
    dtype: Any
    """What the network computes in."""


@dataclass(frozen=True, kw_only=True)
class FeatureGroup:
    """Settings of a group; a subclass names itself and fills in the four methods."""

    name: ClassVar[str]
    side: ClassVar[Literal["step", "candidate"]]
    needs: ClassVar[tuple[str, ...]] = ()
    """Optional columns of the log without which the group has nothing to say: category, price, quantity; `times`, for
    one that speaks of the clock or of days, which a log in order, or timeline.protocol='leave_one_out', does not have.
    """

    def needs_for(self, *, items: bool) -> tuple[str, ...]:
        """The same for one target; `items`: whether what it predicts are the items themselves."""
        return self.needs

    def fit(self, known: FoldView) -> State:
        """Fit on `known`, which holds the events up to the valid cutoff and no others."""
        return {}

    def transform(self, view: FoldView, steps: Steps, state: State) -> dict[str, np.ndarray]:
        """Columns of a step-side group, each aligned with the steps ([N', ...], zeros where it is silent).

        Of a step they may tell what is known at it: earlier steps and itself. For hours, days and gaps read
        `steps.time` or `view.histories.clock`: `view.histories.time` orders events, and how it moves those that share
        a time apart tells how many follow.
        """
        return {}

    def transform_events(self, view: FoldView, state: State) -> dict[str, np.ndarray]:
        """Columns of a candidate-side group, aligned with the events [N, ...]: what is known after each."""
        return {}

    def tables(self, view: FoldView, steps: Steps, state: State) -> dict[str, np.ndarray]:
        """Arrays of a candidate-side group that no row owns, such as a score for every (tick, candidate)."""
        return {}

    def module(self, state: State, shape: Shape) -> nn.Module:
        """The linen module that reads the columns; sizes come from `state`, weights never do.

        Step side: called with the group's columns [B, T, ...], returns Float[B, T, D].
        Candidate side: called with an `Asking` (see lab.models.network), returns Float[B, Q, C].
        """
        raise TypeError(f"{type(self).__name__} defines no module")
