"""The few weights by which groups mix what they know: shared by all users and candidates, and quick to move."""

import jax
import jax.numpy as jnp
import numpy as np
from flax import linen as nn
from jaxtyping import Array, Float

PACE = 20.0
"""How much further than another parameter such a weight moves in an update. Adam moves each by about its learning
rate however clear the gradient, so that in all of a short training none could move by more than a few tenths;
what weighs a count has to go further, and every query of the log says where."""


def weights(module: nn.Module, name: str, first: np.ndarray, share: float = 1.0) -> Float[Array, " F"]:
    """A learned vector of the module that begins at `first` and moves at a share of the pace.

    The pace is in the value alone and not in the gradient, which Adam would bring back to its own length, and
    which would outweigh all others in the norm that clips them.
    """
    moved = module.param(name, nn.initializers.zeros, first.shape)
    ahead = jax.lax.stop_gradient((share * PACE - 1.0) * moved)
    return jnp.asarray(first, jnp.float32) + moved + ahead
