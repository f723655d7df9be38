"""All parameters of a network as one vector, so that an optimiser is a few operations and not hundreds."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float


@dataclass(frozen=True)
class Flattening:
    """How a tree of float32 parameters lies in a vector of P numbers, leaf after leaf."""

    tree: Any
    """jax.tree_util.PyTreeDef of the parameters."""
    shapes: tuple[tuple[int, ...], ...]

    @classmethod
    def of(cls, params: Any) -> "Flattening":
        """From parameters, or their shapes (jax.eval_shape)."""
        leaves, tree = jax.tree.flatten(params)
        return cls(tree, tuple(tuple(leaf.shape) for leaf in leaves))

    @cached_property
    def size(self) -> int:
        """P."""
        return sum(self._sizes)

    @cached_property
    def _sizes(self) -> list[int]:
        return [int(np.prod(shape)) for shape in self.shapes]

    @cached_property
    def decayed(self) -> np.ndarray:
        """float32[P], 1 where weight decay applies: matrices and tables, not biases and scales."""
        parts = [np.full(n, len(shape) > 1, np.float32) for n, shape in zip(self._sizes, self.shapes, strict=True)]
        return np.concatenate(parts)

    def norm(self, vector: Float[Array, " P"]) -> Float[Array, ""]:
        """The vector's length, summed leaf by leaf: the zeros of groups a cell does not use change no bit of it."""
        parts = jnp.split(vector, np.cumsum(self._sizes)[:-1])
        return jnp.sqrt(sum((jnp.sum(jnp.square(part)) for part in parts), start=jnp.zeros((), vector.dtype)))

    def ravel(self, params: Any) -> Float[Array, " P"]:
        """The parameters as one vector."""
        return jnp.concatenate([leaf.reshape(-1) for leaf in jax.tree.leaves(params)])

    def unravel(self, vector: Any) -> Any:
        """The vector as parameters; of a NumPy vector, views into it."""
        split = np.split if isinstance(vector, np.ndarray) else jnp.split
        parts = split(vector, np.cumsum(self._sizes)[:-1])
        leaves = [part.reshape(shape) for part, shape in zip(parts, self.shapes, strict=True)]
        return jax.tree.unflatten(self.tree, leaves)
