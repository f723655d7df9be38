"""Rotary positions from both the order of steps and their time.

Queries and keys are turned by angles (Su et al. 2021, arXiv 2104.09864), so that their product depends on
how far apart two steps lie, not on where they lie. Half of the pairs turn with the step's number in its
history, half with its time in days: "split-by-dim" of Wei et al. 2025, arXiv 2510.20455.
"""

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float

LONGEST_ORDER = 10_000
"""Wavelengths by order run from 2 pi steps to about 2 pi times this many."""
TIME_PERIODS = (0.25, 4096.0)
"""Shortest and longest period by time, days: from six hours to eleven years."""


def positions(starts: Bool[Array, "B T"]) -> Float[Array, "B T"]:
    """The number of each step in its own history, from 0."""
    position = jnp.broadcast_to(jnp.arange(starts.shape[1], dtype=jnp.int32)[None], starts.shape)
    return (position - jax.lax.cummax(jnp.where(starts, position, 0), axis=1)).astype(jnp.float32)


def cos_sin(starts: Bool[Array, "B T"], time: Float[Array, "B T"], pairs: int) -> tuple[Array, Array]:
    """Cosines and sines Float32[B, T, pairs] of the angles of each step; the first half by order."""
    by_order = LONGEST_ORDER ** -(np.arange(pairs // 2) / (pairs // 2)) / (2 * np.pi)
    by_time = 1 / np.geomspace(*TIME_PERIODS, pairs - pairs // 2)
    cycles = jnp.concatenate(
        [
            positions(starts)[..., None] * jnp.asarray(by_order, jnp.float32)[None, None],
            time[..., None] * jnp.asarray(by_time, jnp.float32)[None, None],
        ],
        -1,
    )
    cycles = cycles - jnp.floor(cycles)  # whole turns off first: cosines of large floats are slow
    # A loop, so that XLA's CPU backend does not compute them anew wherever something is turned by them.
    cos, sin = jax.lax.map(lambda back: jnp.cos((cycles - back) * (2 * np.pi)), jnp.array([0, 0.25], jnp.float32))
    return cos, sin


def rotate(
    x: Float[Array, "B T N H K"], cos: Float[Array, "B T P"], sin: Float[Array, "B T P"]
) -> Float[Array, "B T N H K"]:
    """Each pair (a, b) = (x[p], x[P + p]) turned by its angle: (a cos - b sin, b cos + a sin), K = 2 P."""
    # Written with a flip of the two halves, not their concatenation: XLA's CPU backend makes it one loop.
    halves = x.reshape(*x.shape[:-1], 2, x.shape[-1] // 2)
    cos = cos[:, :, None, None, None].astype(x.dtype)
    sin = jnp.stack([-sin, sin], 2)[:, :, None, None].astype(x.dtype)
    return (halves * cos + jnp.flip(halves, -2) * sin).reshape(x.shape)
