"""The interest target: which categories a user touches in the window."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar, Literal

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from lab.data.categories import Categories
from lab.data.queries import FoldView, Labels, Queries
from lab.data.search import events_until, expand
from lab.errors import InputError
from lab.targets.base import Target

_EVENTS_AT_ONCE = 4_000_000


@dataclass(frozen=True, kw_only=True)
class Interest(Target):
    """Which categories a user touches in the window, as a distribution over categories.

    A category is a label when its events in the window, cancellations counting -1, come to more than
    nothing. Queries whose window is silent have no label: interest is asked of those who come back.
    """

    name: ClassVar[str] = "interest"

    weights: Literal["set", "counts", "behaviour"] = "set"
    """How labels share a query's weight: alike, by number of events, or by the weights of their behaviours."""
    behaviour_weights: Mapping[str, float] = field(default_factory=dict)
    """With weights=behaviour: weight of each behaviour (1 where not named)."""
    behaviours: tuple[str, ...] = ()
    """Count only these behaviours (default: all)."""
    categories: Categories = Categories()
    """What a category is."""

    def __post_init__(self) -> None:
        if self.behaviour_weights and self.weights != "behaviour":
            raise InputError(
                f"target.behaviour_weights: given, but target.weights is {self.weights!r}; "
                f"use weights='behaviour' or leave them out."
            )
        for name, weight in self.behaviour_weights.items():
            if not weight >= 0:
                raise InputError(f"target.behaviour_weights.{name}: {weight} is negative; use 0 or more.")

    def labels(self, view: FoldView, queries: Queries, horizon: int) -> Labels:
        histories = view.histories
        begin = events_until(histories.offsets, histories.time, queries.user, queries.cutoff)
        stop = events_until(histories.offsets, histories.time, queries.user, queries.cutoff + horizon)
        value = self._value(view)
        parts = [self._block(view, value, begin, stop, a, b) for a, b in _blocks(stop - begin)]
        query, ids, weight = (np.concatenate(column) for column in zip(*(p[:3] for p in parts), strict=True))
        total = np.bincount(query, weight, len(queries))
        share = (weight / total[query]).astype(np.float32)
        offsets = np.append(0, np.cumsum(np.bincount(query, minlength=len(queries))))
        return Labels(offsets, ids.astype(np.int32), share, cold=sum(p[3] for p in parts))

    def _value(self, view: FoldView) -> np.ndarray:
        """float64[behaviours]: what one event adds to its category's weight."""
        names = [b.name for b in view.histories.behaviours]
        for field_, asked in (("behaviours", self.behaviours), ("behaviour_weights", self.behaviour_weights)):
            for name in asked:
                if name not in names:
                    raise InputError(f"target.{field_}: the log has no behaviour {name!r}; it has {', '.join(names)}.")
        value = view.histories.sign.astype(np.float64)
        if self.behaviours:
            # A cancellation takes back what it cancels, whichever behaviours are counted.
            counted = np.array([name in self.behaviours for name in names]) | (value < 0)
            value = value * counted
        if self.weights == "behaviour":
            value = value * np.array([self.behaviour_weights.get(name, 1.0) for name in names])
        return value

    def _block(self, view: FoldView, value: np.ndarray, begin: np.ndarray, stop: np.ndarray, a: int, b: int):
        """Labels of queries a..b: query, candidate, weight, and how many events had no known candidate."""
        event, owner = expand(begin[a:b], stop[a:b])
        candidate = view.candidate[event]
        worth = value[np.asarray(view.histories.behaviour)[event]]
        known = candidate >= 0
        key = (owner[known] + a) * view.candidates + candidate[known]
        keys, place = np.unique(key, return_inverse=True)
        total = np.bincount(place, worth[known], len(keys))
        keys, total = keys[total > 0], total[total > 0]
        weight = np.ones_like(total) if self.weights == "set" else total
        return keys // view.candidates, keys % view.candidates, weight, int((~known & (worth > 0)).sum())

    def loss(
        self,
        logits: Float[Array, "B Q C"],
        query: Int[Array, "B L"],
        id: Int[Array, "B L"],
        weight: Float[Array, "B L"],
        smoothing: Float[Array, ""],
    ) -> tuple[Float[Array, ""], Float[Array, ""]]:
        """Cross-entropy of softmax(logits) against (1 - smoothing) * labels + smoothing / C."""
        log_p = jax.nn.log_softmax(logits.astype(jnp.float32))
        picked = jax.vmap(lambda p, q, i: p[q, i])(log_p, query, id)
        of_labels = -(weight * picked).sum()
        labelled = jax.vmap(lambda q, w: jnp.zeros(logits.shape[1]).at[q].add(w))(query, weight)
        of_uniform = -(labelled * log_p.mean(-1)).sum()
        return (1.0 - smoothing) * of_labels + smoothing * of_uniform, labelled.sum()


def _blocks(size: np.ndarray) -> list[tuple[int, int]]:
    """Ranges of queries whose windows together hold a bounded number of events."""
    block = np.cumsum(size) // _EVENTS_AT_ONCE
    edges = np.append(np.flatnonzero(np.diff(block, prepend=-1)), len(size))
    return [(int(a), int(b)) for a, b in zip(edges[:-1], edges[1:], strict=True)]
