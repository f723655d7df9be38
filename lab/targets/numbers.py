"""Labels that are numbers, as a loss sees them."""

from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int


def asked_numbers(
    outputs: Float[Array, "B Q K"], query: Int[Array, "B L"], id: Int[Array, "B L"], weight: Float[Array, "B L"]
) -> tuple[Float[Array, "B Q"], Float[Array, "B Q K"]]:
    """Which queries are asked (1, else 0), and their numbers; from labels that `Labels.of_numbers` made.

    Padding labels weigh nothing and so add nothing.
    """
    slots, count = outputs.shape[1:]

    def one_row(at: Array, place: Array, value: Array) -> Any:
        return jnp.zeros((slots, count + 1)).at[at, place].add(value)

    laid = jax.vmap(one_row)(query, id, weight)
    return laid[..., 0], laid[..., 1:]
