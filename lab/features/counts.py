"""A user's decayed counts of each category: exact at every event, and decayed on from there to a query.

For candidate c, behaviour k and time constant tau_s, the count known at a query at time t is

    n[c, k, s] = sum over the user's events i on c with behaviour k and t_i <= t of sign_i * exp(-(t - t_i) / tau_s)

It is kept at each event for that event's own candidate (linear in the events) and decayed from there to
the query inside the network, exactly, since a sum of exponentials decays as one. A cancellation takes one
away from the purchases, but never below nothing: what it cannot take then, it does not take from later ones.
"""

from typing import TYPE_CHECKING

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from lab.data.fold.queries import FoldView
from lab.data.timeline import DAY

if TYPE_CHECKING:
    from lab.models.network import QueryContext


def counts_at_queries(
    context: "QueryContext", count: Float[Array, "B E N"], days: tuple[float, ...]
) -> Float[Array, "B Q E K S"]:
    """Counts of the entries, kept at their events as [K * S], as they are at each query; nothing learns from them."""
    rate = jnp.asarray([-1.0 / tau for tau in days], jnp.float32)
    elapsed = jnp.maximum(context.time[:, :, None] - context.entry.time[:, None, :], 0.0)
    decay = jnp.exp(elapsed[..., None] * rate)
    count = count.astype(jnp.float32).reshape(*count.shape[:2], -1, len(days))
    return jax.lax.stop_gradient(jnp.maximum(count[:, None] * decay[..., None, :], 0.0))


def decayed_counts(view: FoldView, days: tuple[float, ...]) -> np.ndarray:
    """float32[N, K, S]: the user's decayed counts of each event's own candidate, that event included.

    Zero for events on no known candidate.
    """
    histories = view.histories
    counts = np.zeros((histories.events, len(histories.behaviours), len(days)), np.float32)
    order, begin, size = _runs(view)
    rate = -1.0 / (np.asarray(days) * DAY)
    time = np.asarray(histories.clock)
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
