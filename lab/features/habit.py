"""The habit group: a user's own decayed counts of each category, as scores for the candidates.

The counts are those of `lab.features.counts`, at several time constants and for each behaviour.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import jax.numpy as jnp
import numpy as np
from flax import linen as nn
from jaxtyping import Array, Float

from lab.core.errors import InputError
from lab.core.fingerprint_marks import not_fingerprinted
from lab.core.number_limits import MOST_DAYS, Limits, at_most
from lab.core.setting_types import check_types
from lab.data.fold.queries import FoldView
from lab.features.base import FeatureGroup, Shape, State
from lab.features.counts import counts_at_queries, decayed_counts
from lab.features.weights import weights
from lab.models.layers import dropout

if TYPE_CHECKING:
    from lab.models.network import QueryContext

_SCALES = (0.125, 1.0, 4.0, 16.0, 64.0)
"""Time constants, in shortest horizons."""

_NEARNESS = (2.0, 8.0, 32.0)
"""Scales, in events, on which it counts how long ago a candidate was last touched."""

_FLOOR = 1e-4
"""Added to shares before their logarithm is taken: a count a ten thousandth of all is as good as none."""

_TYPICAL = -5.2
"""About the middle of the logarithms of shares, so that the gate need not make up for their level."""

_MIXES = 4
"""In how many ways the time constants and behaviours of a count are weighed for exploring."""


class HabitScore(nn.Module):
    """Scores candidates by the counts of what was touched, in two parts.

    going back:  gate(h_q) + own_gate[c] + sum over i of (w(h_q) + own[c])[i] * f[c, i]   for a seen c, else 0
    exploring:   (sum over seen c' of sum over m of a[c', m] * from_m[c']) . to[c]   for every candidate c

    Features f of a seen candidate, at each time constant: log(1 + n) of its count n over all behaviours; the
    log of its share among the user's counts, which tells apart what is long ago where log(1 + n) no longer
    does; log(1 + n) of each behaviour; then how near the last touch was and how rare c is. a = f @ mix. The
    gate is the log-odds of going back against exploring, which the encoder sets query by query; what is a candidate's
    own is its rhythm, how soon and how surely it is wanted again, and begins at nothing. The second part is a
    low-rank table of what goes with what, weighted by the user's whole past however long ago it left the row.
    """

    days: tuple[float, ...]
    shape: Shape

    @nn.compact
    def __call__(self, context: "QueryContext") -> Float[Array, "B Q C"]:
        features = jnp.concatenate([self._counts(context), self._nearness(context), self._rarity(context)], axis=-1)
        features = jnp.where(context.alive[..., None], features, 0.0)
        return context.spread(self._going_back(context, features)) + self._exploring(context, features)

    def _going_back(self, context: "QueryContext", features: Float[Array, "B Q E F"]) -> Float[Array, "B Q E"]:
        size = features.shape[-1]
        base = weights(self, "weight", self._first_weights(size))
        gate = weights(self, "gate", np.zeros(1))
        steer = nn.Dense(size + 1, kernel_init=nn.initializers.zeros, dtype=self.shape.dtype, name="steer")
        steering = steer(context.hidden).astype(jnp.float32)
        weight, gate = base + steering[..., :-1], gate + steering[..., -1:]
        shared = gate + jnp.einsum("bqef,bqf->bqe", features, weight)
        return shared + self._rhythm(context, features)

    def _rhythm(self, context: "QueryContext", features: Float[Array, "B Q E F"]) -> Float[Array, "B Q E"]:
        """What each candidate adds to the weights and the gate that all share, looked up once an entry."""
        own = self.param("own", nn.initializers.zeros, (self.shape.candidates, features.shape[-1] + 1))
        own = own[context.entry.candidate]
        return own[:, None, :, -1] + jnp.einsum("bqef,bef->bqe", features, own[..., :-1])

    def _first_weights(self, size: int) -> np.ndarray:
        """float[F], near a good count to begin with: what was touched leads, and hardly by how common it is."""
        first = np.zeros(size)
        first[: 2 * len(self.days)] = 0.5 / len(self.days)
        first[-1 - len(_NEARNESS) :] = [*[0.3] * len(_NEARNESS), 0.8]
        return first

    def _exploring(self, context: "QueryContext", features: Float[Array, "B Q E F"]) -> Float[Array, "B Q C"]:
        rank, candidates = self.shape.width, self.shape.candidates
        mix = self.param("mix", nn.initializers.normal(0.1), (features.shape[-1], _MIXES))
        sources = self.param("from", nn.initializers.normal(0.1), (candidates, _MIXES * rank))
        targets = self.param("to", nn.initializers.zeros, (rank, candidates))
        amount = jnp.einsum("bqef,fm->bqem", features, mix)
        touched = sources[context.entry.candidate].reshape(*context.entry.candidate.shape, _MIXES, rank)
        profile = jnp.einsum("bqem,bemr->bqr", amount, touched)
        length = jnp.sqrt(1.0 + jnp.square(profile).mean(-1, keepdims=True))
        return dropout(profile / length, context.dropout, self) @ targets

    def _nearness(self, context: "QueryContext") -> Float[Array, "B Q E N"]:
        """exp(-d / scale), d the user's events since the candidate was last touched: 1 for the very last one."""
        place = context.columns["place"].astype(jnp.float32)
        latest = jnp.max(jnp.where(context.alive, place[:, None], 0.0), axis=-1, keepdims=True)
        since = jnp.maximum(latest - place[:, None], 0.0)
        return jnp.exp(since[..., None] * jnp.asarray([-1.0 / scale for scale in _NEARNESS], jnp.float32))

    def _rarity(self, context: "QueryContext") -> Float[Array, "B Q E 1"]:
        """-log share of each candidate in the known log: a weight of 1 takes the head's first bias back."""
        rarity = -context.prior[context.entry.candidate]
        return jnp.broadcast_to(rarity[:, None, :, None], (*context.alive.shape, 1))

    def _counts(self, context: "QueryContext") -> Float[Array, "B Q E F"]:
        counts = counts_at_queries(context, context.columns["count"], self.days)
        total = jnp.where(context.alive[..., None], counts.sum(-2), 0.0)
        share = total / jnp.maximum(total.sum(-2, keepdims=True), 1e-6)
        by_behaviour = jnp.log1p(counts).reshape(*counts.shape[:3], -1)
        return jnp.concatenate([jnp.log1p(total), jnp.log(share + _FLOOR) - _TYPICAL, by_behaviour], axis=-1)


@dataclass(frozen=True, kw_only=True)
class Habit(FeatureGroup):
    """The user's own decayed counts of each category and behaviour, at several time constants."""

    name: ClassVar[str] = "habit"
    side: ClassVar = "candidate"

    days: tuple[float, ...] = ()
    """Time constants in days; the network learns how to mix them. Default: 1/8, 1, 4, 16 and 64 times the shortest
    horizon, since what a log can tell of short spans or of long ones grows with how far ahead it can be asked."""

    @staticmethod
    @not_fingerprinted
    def number_limits() -> Limits:
        """What each number can be."""
        return {"days": at_most(MOST_DAYS)}

    def __post_init__(self) -> None:
        check_types(self, "groups.habit")
        if self.days and not min(self.days) > 0:
            raise InputError(f"groups.habit.days: {self.days} must be positive numbers of days.")

    def fit(self, known: FoldView) -> State:
        return {"days": self.days or known.fold.spans(_SCALES)}

    def transform_events(self, view: FoldView, state: State) -> dict[str, np.ndarray]:
        histories = view.histories
        place = np.arange(histories.events) - histories.offsets[histories.user_of_event]
        return {
            "count": decayed_counts(view, state["days"]).reshape(histories.events, -1),
            "place": place.astype(np.float32),
        }

    def module(self, state: State, shape: Shape) -> nn.Module:
        return HabitScore(state["days"], shape)
