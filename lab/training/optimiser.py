"""AdamW with warm-up and cosine, whose rates are data and may differ from cell to cell."""

import jax.numpy as jnp
import optax
from jaxtyping import Array, Float, Int

from lab.training.settings import Training
from lab.training.state import CellArrays

ADAM = optax.scale_by_adam()
"""The direction of arXiv:1412.6980."""


def clipped(gradient: Float[Array, " P"], norm: Float[Array, ""], limit: float) -> Float[Array, " P"]:
    """The gradient, shortened to the limit where its norm is larger."""
    return gradient * jnp.minimum(1.0, limit / jnp.maximum(norm, 1e-30))


def learning_rate(training: Training, cell: CellArrays, step: Int[Array, ""]) -> Float[Array, ""]:
    """Linear rise over the warm-up, then half a cosine down to zero at the last step."""
    rise = max(round(training.warmup * training.steps), 1)
    done = (step - rise) / max(training.steps - rise, 1)
    factor = jnp.where(step < rise, (step + 1) / rise, 0.5 * (1 + jnp.cos(jnp.pi * jnp.clip(done, 0.0, 1.0))))
    return cell.learning_rate * factor


def apply_update(
    params: Float[Array, " P"],
    direction: Float[Array, " P"],
    rate: Float[Array, ""],
    decay: Float[Array, " P"],
) -> Float[Array, " P"]:
    """p - rate * (direction + decay * p), the decoupled weight decay of arXiv:1711.05101."""
    return params - rate * (direction + decay * params)
