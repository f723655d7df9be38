"""The habit group: a user's own decayed counts of each category, as scores for the candidates.

For candidate c, behaviour k and time constant tau_s, the count known at a query at time t is

    n[c, k, s] = sum over the user's events i on c with behaviour k and t_i <= t of sign_i * exp(-(t - t_i) / tau_s)

It is kept at each event for that event's own candidate (linear in the events) and decayed from there to
the query inside the network, exactly, since a sum of exponentials decays as one. A cancellation takes one
away from the purchases, but never below nothing: what it cannot take then, it does not take from later ones.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import jax
import jax.numpy as jnp
import numpy as np
from flax import linen as nn
from jaxtyping import Array, Float

from lab.data.queries import FoldView
from lab.data.timeline import DAY
from lab.errors import InputError
from lab.features.base import FeatureGroup, Shape, State
from lab.models.layers import dropout

if TYPE_CHECKING:
    from lab.models.network import Asking

_SCALES = (0.125, 1.0, 4.0, 16.0, 64.0)
"""Time constants, in shortest horizons."""

_NEARNESS = (2.0, 8.0, 32.0)
"""Scales, in events, on which it counts how long ago a candidate was last touched."""

_MIXES = 4
"""In how many ways the time constants and behaviours of a count are weighed for exploring."""


class HabitScore(nn.Module):
    """Scores candidates by the counts of what was touched, in two parts.

    going back:  gate(h_q) + sum over k, s of w(h_q)[k, s] * f[c, k, s]          for a seen candidate c, else 0
    exploring:   (sum over seen c' of sum over m of a[c', m] * from_m[c']) . to[c]   for every candidate c

    with f = log(1 + n), followed by how near the last touch was and how rare c is, and a = f @ mix. The gate
    is the log-odds of going back against exploring, which the encoder sets query by query; the second part is
    a low-rank table of what goes with what, weighted by the user's whole past however long ago it left the row.
    """

    days: tuple[float, ...]
    behaviours: int
    shape: Shape

    @nn.compact
    def __call__(self, asking: "Asking") -> Float[Array, "B Q C"]:
        counts = self._counts_at_queries(asking)
        counts = jnp.log1p(jnp.maximum(counts, 0.0)).reshape(*counts.shape[:3], -1)
        features = jnp.concatenate([counts, self._nearness(asking), self._rarity(asking)], axis=-1)
        features = jnp.where(asking.alive[..., None], features, 0.0)
        return asking.spread(self._going_back(asking, features)) + self._exploring(asking, features)

    def _going_back(self, asking: "Asking", features: Float[Array, "B Q E F"]) -> Float[Array, "B Q E"]:
        size = features.shape[-1]
        base = self.param("weight", self._first_weights, (size,))
        steer = nn.Dense(size + 1, kernel_init=nn.initializers.zeros, dtype=self.shape.dtype, name="steer")
        steering = steer(asking.hidden).astype(jnp.float32)
        weight, gate = base + steering[..., :-1], steering[..., -1:]
        return gate + jnp.einsum("bqef,bqf->bqe", features, weight)

    def _first_weights(self, key: Array, shape: tuple[int, ...]) -> Float[Array, " F"]:
        """Near a good count to begin with: what was touched leads, by its counts and hardly by how common it is."""
        weights = jnp.full(shape, 1.0 / len(self.days))
        return weights.at[-1 - len(_NEARNESS) :].set(jnp.asarray([*[0.3] * len(_NEARNESS), 0.8]))

    def _exploring(self, asking: "Asking", features: Float[Array, "B Q E F"]) -> Float[Array, "B Q C"]:
        rank, candidates = self.shape.width, self.shape.candidates
        mix = self.param("mix", nn.initializers.normal(0.1), (features.shape[-1], _MIXES))
        sources = self.param("from", nn.initializers.normal(0.1), (candidates, _MIXES * rank))
        targets = self.param("to", nn.initializers.zeros, (rank, candidates))
        amount = jnp.einsum("bqef,fm->bqem", features, mix)
        touched = sources[asking.entry.candidate].reshape(*asking.entry.candidate.shape, _MIXES, rank)
        profile = jnp.einsum("bqem,bemr->bqr", amount, touched)
        length = jnp.sqrt(1.0 + jnp.square(profile).mean(-1, keepdims=True))
        return dropout(profile / length, asking.dropout, self) @ targets

    def _nearness(self, asking: "Asking") -> Float[Array, "B Q E N"]:
        """exp(-d / scale), d the user's events since the candidate was last touched: 1 for the very last one."""
        place = asking.columns["place"].astype(jnp.float32)
        latest = jnp.max(jnp.where(asking.alive, place[:, None], 0.0), axis=-1, keepdims=True)
        since = jnp.maximum(latest - place[:, None], 0.0)
        return jnp.exp(since[..., None] * jnp.asarray([-1.0 / scale for scale in _NEARNESS], jnp.float32))

    def _rarity(self, asking: "Asking") -> Float[Array, "B Q E 1"]:
        """-log share of each candidate in the known log: a weight of 1 takes the head's first bias back."""
        rarity = -asking.prior[asking.entry.candidate]
        return jnp.broadcast_to(rarity[:, None, :, None], (*asking.alive.shape, 1))

    def _counts_at_queries(self, asking: "Asking") -> Float[Array, "B Q E K S"]:
        rate = jnp.asarray([-1.0 / tau for tau in self.days], jnp.float32)
        elapsed = jnp.maximum(asking.time[:, :, None] - asking.entry.time[:, None, :], 0.0)
        decay = jnp.exp(elapsed[..., None] * rate)
        count = asking.columns["count"].astype(jnp.float32)
        count = count.reshape(*count.shape[:2], self.behaviours, len(self.days))
        return jax.lax.stop_gradient(count[:, None] * decay[..., None, :])


@dataclass(frozen=True, kw_only=True)
class Habit(FeatureGroup):
    """The user's own decayed counts of each category and behaviour, at several time constants."""

    name: ClassVar[str] = "habit"
    side: ClassVar = "candidate"

    days: tuple[float, ...] = ()
    """Time constants in days; the network learns how to mix them. Default: 1/8, 1, 4, 16 and 64 times the shortest
    horizon, since what a log can tell of short spans or of long ones grows with how far ahead it can be asked."""

    def __post_init__(self) -> None:
        if self.days and not min(self.days) > 0:
            raise InputError(f"groups.habit.days: {self.days} must be positive numbers of days.")

    def fit(self, known: FoldView) -> State:
        return {"behaviours": len(known.histories.behaviours), "days": self.days or known.fold.spans(_SCALES)}

    def transform_events(self, view: FoldView, state: State) -> dict[str, np.ndarray]:
        histories = view.histories
        place = np.arange(histories.events) - histories.offsets[histories.user_of_event]
        return {
            "count": decayed_counts(view, state["days"]).reshape(histories.events, -1),
            "place": place.astype(np.float32),
        }

    def module(self, state: State, shape: Shape) -> nn.Module:
        return HabitScore(state["days"], state["behaviours"], shape)


def decayed_counts(view: FoldView, days: tuple[float, ...]) -> np.ndarray:
    """float32[N, K, S]: the user's decayed counts of each event's own candidate, that event included.

    Zero for events on no known candidate.
    """
    histories = view.histories
    counts = np.zeros((histories.events, len(histories.behaviours), len(days)), np.float32)
    order, begin, size = _runs(view)
    rate = -1.0 / (np.asarray(days) * DAY)
    time = np.asarray(histories.time)
    channel = histories.channel[histories.behaviour]
    sign = histories.sign[histories.behaviour].astype(np.float64)
    state = np.zeros((len(begin), len(histories.behaviours), len(days)))
    before = time[order[begin]] if len(begin) else np.empty(0, np.int64)
    # Runs are sorted longest first, so those that still have an r-th event are a prefix.
    for r in range(int(size[0]) if len(size) else 0):
        live = int(np.searchsorted(-size, -r, side="left"))
        event = order[begin[:live] + r]
        now = time[event]
        state[:live] *= np.exp((now - before[:live])[:, None] * rate)[:, None, :]
        state[np.arange(live), channel[event]] += sign[event, None]
        np.maximum(state[:live], 0.0, out=state[:live])
        counts[event] = state[:live]
        before[:live] = now
    return counts


def _runs(view: FoldView) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Events grouped by (user, candidate) in time order: their order, each run's begin and size, longest first."""
    event = np.flatnonzero(view.candidate >= 0)
    user, candidate = view.histories.user_of_event[event], view.candidate[event]
    order = event[np.lexsort((event, candidate, user))]
    user, candidate = view.histories.user_of_event[order], view.candidate[order]
    new = np.ones(len(order), bool)
    new[1:] = (user[1:] != user[:-1]) | (candidate[1:] != candidate[:-1])
    begin = np.flatnonzero(new)
    size = np.diff(np.append(begin, len(order)))
    longest = np.argsort(-size, kind="stable")
    return order, begin[longest], size[longest]
