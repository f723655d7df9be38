"""The price group: how dear a step's item was, in all and for its category."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from flax import linen as nn

from lab.core.fingerprint_marks import not_fingerprinted
from lab.core.number_limits import Limits, whole
from lab.data.fold.queries import FoldView
from lab.data.rows.steps import Steps
from lab.features.base import FeatureGroup, Shape, State
from lab.features.category import at_steps
from lab.features.time import Projection

_CLIP = 5.0


def _median_and_spread(values: np.ndarray) -> tuple[float, float]:
    """Median and 1.4826 times the median absolute deviation (a normal's standard deviation); (0, 1) of nothing."""
    if not len(values):
        return 0.0, 1.0
    median = float(np.median(values))
    spread = 1.4826 * float(np.median(np.abs(values - median)))
    return median, spread if spread > 0 else 1.0


@dataclass(frozen=True, kw_only=True)
class Price(FeatureGroup):
    """Log price on a robust scale, over all events and against its category's median; log quantity where known."""

    name: ClassVar[str] = "price"
    side: ClassVar = "step"
    needs: ClassVar[tuple[str, ...]] = ("price",)

    hidden: int = 16
    """Width of the hidden layer that reads the numbers."""

    @staticmethod
    @not_fingerprinted
    def number_limits() -> Limits:
        """What each number can be."""
        return {"hidden": whole(1, 4_096)}

    def fit(self, known: FoldView) -> State:
        price = _log(known.histories.price)
        present = np.isfinite(price)
        median, spread = _median_and_spread(price[present])
        inside = present & (known.candidate >= 0)
        return {"median": median, "spread": spread, "category": self._medians(known, price, inside, median)}

    @staticmethod
    def _medians(known: FoldView, price: np.ndarray, inside: np.ndarray, fallback: float) -> np.ndarray:
        """float64[C + 1]: each category's median log price; the last, for an unknown one, is the log's."""
        medians = np.full(known.candidates + 1, fallback)
        order = np.lexsort((price[inside], known.candidate[inside]))
        candidate, ordered = known.candidate[inside][order], price[inside][order]
        present, first, count = np.unique(candidate, return_index=True, return_counts=True)
        medians[present] = (ordered[first + (count - 1) // 2] + ordered[first + count // 2]) / 2
        return medians

    def transform(self, view: FoldView, steps: Steps, state: State) -> dict[str, np.ndarray]:
        price = _log(view.histories.price)
        present = np.isfinite(price)
        numbers = [
            np.where(present, (price - state["median"]) / state["spread"], 0.0),
            np.where(present, (price - state["category"][view.candidate]) / state["spread"], 0.0),
            present.astype(np.float64),
        ]
        if view.histories.quantity is not None:
            quantity = np.asarray(view.histories.quantity, np.float64)
            numbers.append(np.where(quantity > 0, np.log1p(np.maximum(quantity, 0)), 0.0))
        columns = [at_steps(np.clip(n, -_CLIP, _CLIP).astype(np.float32), steps) for n in numbers]
        return {"numbers": np.stack(columns, -1)}

    def module(self, state: State, shape: Shape) -> nn.Module:
        return Projection(self.hidden, shape)


def _log(price: np.ndarray | None) -> np.ndarray:
    """float64[N], NaN where there is no positive price."""
    assert price is not None  # `needs` has been checked
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(price > 0, np.log(price, dtype=np.float64), np.nan)
