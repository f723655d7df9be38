"""Arrays in blocks of one size, which a scan goes over so that what each gives is never held at once."""

import jax.numpy as jnp
from jaxtyping import Array, Shaped


def cut_blocks(array: Shaped[Array, "N ..."], size: int, filling: float = 0) -> Shaped[Array, "blocks size ..."]:
    """The array in blocks, the last one filled up."""
    blocks = -(-len(array) // size)
    padding = [(0, blocks * size - len(array))] + [(0, 0)] * (array.ndim - 1)
    return jnp.pad(array, padding, constant_values=filling).reshape(blocks, size, *array.shape[1:])
