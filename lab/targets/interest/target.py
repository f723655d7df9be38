"""The interest target: which categories a user touches in the window."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any, ClassVar, Literal

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from lab.core.errors import InputError
from lab.core.fingerprint_marks import not_fingerprinted
from lab.core.number_limits import MOST, Limits, at_most
from lab.core.setting_types import check_distinct, check_types
from lab.data.fold.queries import FoldView, Labels, Queries
from lab.data.fold.search import events_until, expand_ranges
from lab.evaluation.judge import Judge
from lab.evaluation.measures import Measures
from lab.targets.base import Target, Truth
from lab.targets.interest.measures import MEASURES

_EVENTS_AT_ONCE = 4_000_000
_ROUNDING = 1e-9


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

    @staticmethod
    @not_fingerprinted
    def number_limits() -> Limits:
        """What each number can be."""
        return {"behaviour_weights": at_most(MOST, finite=True)}

    def __post_init__(self) -> None:
        check_types(self, "target")
        check_distinct(self.behaviours, "target.behaviours")
        if self.behaviour_weights and self.weights != "behaviour":
            raise InputError(
                f"target.behaviour_weights: given, but target.weights is {self.weights!r}; "
                f"use weights='behaviour' or leave them out."
            )
        for name, weight in self.behaviour_weights.items():
            if not 0 <= weight < float("inf"):
                raise InputError(f"target.behaviour_weights.{name}: {weight} is no weight; use a number from 0 on.")

    def labels(self, view: FoldView, queries: Queries, horizon: int) -> Labels:
        histories = view.histories
        begin = events_until(histories.offsets, histories.time, queries.user, queries.cutoff)
        stop = events_until(histories.offsets, histories.time, queries.user, queries.cutoff + horizon)
        value = self._value(view)
        parts = [self._block(view, value, begin, stop, block) for block in _blocks(stop - begin)]
        query, ids, weight = (np.concatenate([part[column] for part in parts]) for column in range(3))
        total = np.bincount(query, weight, len(queries))
        share = (weight / total[query]).astype(np.float32)
        offsets = np.append(0, np.cumsum(np.bincount(query, minlength=len(queries))))
        cold, bare = sum(part[3] for part in parts), sum(part[4] for part in parts)
        return Labels(offsets, ids.astype(np.int32), share, cold, bare)

    def _value(self, view: FoldView) -> np.ndarray:
        """float64[behaviours]: what one event adds to its category's weight.

        A cancellation takes away what the purchase it cancels added: nothing where purchases are not counted.
        """
        histories = view.histories
        names = [b.name for b in histories.behaviours if b.sign > 0]
        for field_, asked in (("behaviours", self.behaviours), ("behaviour_weights", self.behaviour_weights)):
            for name in asked:
                if name not in names:
                    raise InputError(
                        f"target.{field_}: the log has no behaviour {name!r} to count; it has {', '.join(names)}."
                    )
        weight = np.array([self._weight(b.name) for b in histories.behaviours])
        return histories.sign * weight[histories.channel]

    def _weight(self, behaviour: str) -> float:
        if self.behaviours and behaviour not in self.behaviours:
            return 0.0
        return self.behaviour_weights.get(behaviour, 1.0) if self.weights == "behaviour" else 1.0

    def _block(
        self, view: FoldView, value: np.ndarray, begin: np.ndarray, stop: np.ndarray, block: tuple[int, int]
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray, int, int]:
        """Labels of a range of queries: query, candidate, weight, and how many events had no known
        candidate, and of those no category at all."""
        a, b = block
        event, owner = expand_ranges(begin[a:b], stop[a:b])
        candidate = view.candidate[event]
        worth = value[np.asarray(view.histories.behaviour)[event]]
        known = candidate >= 0
        key = (owner[known] + a) * view.candidates + candidate[known]
        keys, place = np.unique(key, return_inverse=True)
        total = np.bincount(place, worth[known], len(keys))
        # What is taken back leaves nothing, but for the rounding of weights like 0.1.
        kept = total > _ROUNDING * value.max()
        keys, total = keys[kept], total[kept]
        weight = np.ones_like(total) if self.weights == "set" else total
        cold = ~known & (worth > 0)
        category = view.histories.category
        bare = cold & (category[event] < 0) if category is not None else np.zeros_like(cold)
        return keys // view.candidates, keys % view.candidates, weight, int(cold.sum()), int(bare.sum())

    def loss(
        self,
        outputs: Float[Array, "B Q C"],
        query: Int[Array, "B L"],
        id: Int[Array, "B L"],
        weight: Float[Array, "B L"],
        smoothing: Float[Array, ""],
        key: Array | None = None,
    ) -> tuple[Float[Array, ""], Float[Array, ""]]:
        """Cross-entropy of softmax(outputs), which are logits, against (1 - smoothing) * labels + smoothing / C."""
        log_p = jax.nn.log_softmax(outputs.astype(jnp.float32))
        picked = jax.vmap(lambda p, q, i: p[q, i])(log_p, query, id)
        of_labels = -(weight * picked).sum()
        labelled = jax.vmap(lambda q, w: jnp.zeros(outputs.shape[1]).at[q].add(w))(query, weight)
        of_uniform = -(labelled * log_p.mean(-1)).sum()
        return (1.0 - smoothing) * of_labels + smoothing * of_uniform, labelled.sum()

    def measures(self) -> Measures:
        return MEASURES

    def judge(self, view: FoldView, queries: Queries, labels: Labels) -> Judge:
        from lab.targets.interest.judge import InterestJudge  # on the host alone

        return InterestJudge(view, queries, labels)

    def baselines(self) -> tuple[Any, ...]:
        from lab.baselines import default_baselines  # on the host alone

        return default_baselines(self.asks)

    def truth(self, source: Any) -> Truth | None:
        from lab.targets.interest.truth import InterestTruth, KnowsInterest

        return InterestTruth(source) if isinstance(source, KnowsInterest) else None

    @property
    def uses_smoothing(self) -> bool:
        return True


def _blocks(size: np.ndarray) -> list[tuple[int, int]]:
    """Ranges of queries whose windows together hold a bounded number of events; one, if empty, of no queries."""
    block = np.cumsum(size) // _EVENTS_AT_ONCE
    edges = [0, *(np.flatnonzero(np.diff(block)) + 1).tolist(), len(size)]
    return list(pairwise(edges))
