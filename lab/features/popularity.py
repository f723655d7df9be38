"""The popularity group: what everyone took lately, as scores for the candidates."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import jax.numpy as jnp
import numpy as np
from flax import linen as nn
from jaxtyping import Array, Float

from lab.core.errors import InputError
from lab.core.fingerprint_marks import not_fingerprinted
from lab.core.number_limits import MOST, MOST_DAYS, Limits, at_most
from lab.core.setting_types import check_types
from lab.data.fold.queries import FoldView
from lab.data.rows.steps import Steps
from lab.data.timeline import microseconds
from lab.features.base import FeatureGroup, Shape, State
from lab.features.weights import weights

if TYPE_CHECKING:
    from lab.models.network import QueryContext


_SCALES = (1.0, 4.0, 16.0)
"""Windows, in shortest horizons."""


class PopularityScore(nn.Module):
    """A learned mixture of the log shares at several windows, the same for every user at a tick."""

    windows: int
    shape: Shape

    @nn.compact
    def __call__(self, context: "QueryContext") -> Float[Array, "B Q C"]:
        weight = weights(self, "weight", np.full(self.windows, 1.0 / self.windows))
        score = jnp.einsum("kcp,p->kc", context.tables["deviation"], weight)
        return score[context.calendar]


@dataclass(frozen=True, kw_only=True)
class Popularity(FeatureGroup):
    """How much more (or less) of each category everyone took lately than over all of the known log."""

    name: ClassVar[str] = "popularity"
    side: ClassVar = "candidate"

    days: tuple[float, ...] = ()
    """Windows in days. Default: 1, 4 and 16 times the shortest horizon."""
    smoothing: float = 20.0
    """Events of the long-run shares that a window's counts are mixed with."""

    @staticmethod
    @not_fingerprinted
    def number_limits() -> Limits:
        """What each number can be."""
        return {"days": at_most(MOST_DAYS), "smoothing": at_most(MOST)}

    def __post_init__(self) -> None:
        check_types(self, "groups.popularity")
        if self.days and not min(self.days) > 0:
            raise InputError(f"groups.popularity.days: {self.days} must be positive numbers of days.")
        if not self.smoothing > 0:
            raise InputError(f"groups.popularity.smoothing: {self.smoothing} must be above 0.")

    def fit(self, known: FoldView) -> State:
        return {"share": known.shares(), "days": self.days or known.fold.spans(_SCALES)}

    def tables(self, view: FoldView, steps: Steps, state: State) -> dict[str, np.ndarray]:
        """deviation float32[K', C, P]: log of a window's smoothed share over the long-run share at each of K ticks.

        K' is the next power of two, so that one program serves calendars of about one length; no tick is in the rest.
        """
        share = state["share"]
        planes = []
        for days in state["days"]:
            counts = _window_counts(view, steps.calendar, microseconds(days))
            smoothed = counts + self.smoothing * share
            planes.append(np.log(smoothed / smoothed.sum(1, keepdims=True)) - np.log(share))
        deviation = np.stack(planes, -1).astype(np.float32)
        ticks = len(deviation)
        return {"deviation": np.pad(deviation, [(0, (1 << (ticks - 1).bit_length()) - ticks), (0, 0), (0, 0)])}

    def module(self, state: State, shape: Shape) -> nn.Module:
        return PopularityScore(len(state["days"]), shape)


def _window_counts(view: FoldView, calendar: np.ndarray, window: int) -> np.ndarray:
    """float64[K, C]: net events of each candidate in (tick - window, tick], floored at 0."""
    histories = view.histories
    event = np.flatnonzero((view.candidate >= 0) & view.sampled)
    clock = np.asarray(histories.clock)
    event = event[np.argsort(clock[event], kind="stable")]
    time, candidate = clock[event], view.candidate[event]
    sign = histories.sign[np.asarray(histories.behaviour)[event]].astype(np.float64)
    low = np.searchsorted(time, calendar - window, side="right")
    high = np.searchsorted(time, calendar, side="right")
    counts = [np.bincount(candidate[a:b], sign[a:b], view.candidates) for a, b in zip(low, high, strict=True)]
    return np.maximum(np.stack(counts), 0.0)
