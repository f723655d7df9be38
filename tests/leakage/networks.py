"""Networks in which every part of a history speaks."""

from typing import Any

import jax
import numpy as np

from lab.models.network import Network


def some_params(network: Network, *arguments: Any) -> Any:
    """Parameters that are all away from zero, so that every part speaks; nothing is drawn, nothing compiled."""
    shapes = jax.eval_shape(network.init, jax.random.key(0), *arguments, None)["params"]
    return jax.tree.map(
        lambda leaf: 0.3 * np.cos(1 + np.arange(leaf.size, dtype=np.float32)).reshape(leaf.shape), shapes
    )
