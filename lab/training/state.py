"""What a cell is to the training loop: arrays in, arrays carried."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int, PRNGKeyArray


class CellArrays(NamedTuple):
    """Everything that tells one cell of a compiled program from another. Leading axis S when stacked."""

    seed: Int[Array, ""]
    on: Float[Array, " G"]
    """1 for each feature group the cell uses."""
    horizon: Int[Array, ""]
    """Which of the experiment's horizons."""
    learning_rate: Float[Array, ""]
    weight_decay: Float[Array, ""]
    dropout: Float[Array, ""]
    label_smoothing: Float[Array, ""]
    live: Bool[Array, ""]
    """False for a place that only fills up the last chunk."""


class TrainState(NamedTuple):
    """What an update reads and writes."""

    params: Float[Array, " P"]
    """All parameters, flattened (lab.training.flat)."""
    optimiser: Any
    step: Int[Array, ""]
    best_params: Float[Array, " P"]
    best_loss: Float[Array, ""]
    """Lowest valid loss so far."""
    best_step: Int[Array, ""]
    worse: Int[Array, ""]
    """Looks at the valid split since the best."""
    stopped: Bool[Array, ""]
    """True once the cell is done early, or diverged, or was never live."""
    diverged_at: Int[Array, ""]
    """The step whose loss or gradient was not finite, -1 where none was."""


def stream(seed: Int[Array, ""], part: str) -> PRNGKeyArray:
    """The cell's random stream for one of its parts, from the seed and the part's name alone."""
    return jax.random.fold_in(jax.random.key(seed), _hash(part))


def _hash(name: str) -> int:
    """FNV-1a, 32 bits."""
    value = 0x811C9DC5
    for byte in name.encode():
        value = ((value ^ byte) * 0x01000193) & 0xFFFFFFFF
    return value


def stack(cells: list[CellArrays]) -> CellArrays:
    """Cells side by side on a new leading axis, as host arrays."""
    return jax.tree.map(lambda *leaves: np.stack(leaves), *cells)


def row_order(seed: Int[Array, ""], first_step: Int[Array, ""], steps: int, batch: int, rows: int) -> Int[Array, "N B"]:
    """Which rows the steps from `first_step` on see: each epoch is a permutation of the rows, its rest left out."""
    per_epoch = rows // batch
    step = first_step + jnp.arange(steps)
    first_epoch = first_step // per_epoch
    epochs = first_epoch + jnp.arange(steps // per_epoch + 2)
    key = stream(seed, "order")
    orders = jax.vmap(lambda e: jax.random.permutation(jax.random.fold_in(key, e), rows))(epochs)
    place = (step % per_epoch)[:, None] * batch + jnp.arange(batch)
    return orders[(step // per_epoch - first_epoch)[:, None], place]
