"""What a cell is to the training loop: arrays in, arrays carried."""

from typing import Any, NamedTuple

import jax
import numpy as np
from jaxtyping import Array, Bool, Float, Int, PRNGKeyArray


class CellArrays(NamedTuple):
    """Everything that tells one cell of a compiled program from another. Leading axis S when stacked.

    Host or device arrays, scalars but for `on`.
    """

    seed: Any
    """uint32."""
    on: Any
    """float32[G], 1 for each feature group the cell uses."""
    horizon: Any
    """int32, which of the experiment's horizons."""
    learning_rate: Any
    """float32; its peak."""
    weight_decay: Any
    """float32."""
    prior: Any
    """float32, precision of the prior on matrices and tables over the number of independent label windows."""
    dropout: Any
    """float32."""
    label_smoothing: Any
    """float32."""
    live: Any
    """bool; False for a place that only fills up the last chunk."""


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


def row_order(seed: int, first_step: int, steps: int, batch: int, rows: int) -> np.ndarray:
    """int32[steps, batch]: the rows that the steps from `first_step` on see.

    Each epoch is a permutation of all rows; what does not fill a last batch waits for another epoch.
    """
    per_epoch = rows // batch
    step = first_step + np.arange(steps)
    epochs = range(first_step // per_epoch, int(step[-1]) // per_epoch + 1)
    drawn = [_epoch(seed, epoch, rows)[: per_epoch * batch].reshape(per_epoch, batch) for epoch in epochs]
    return np.concatenate(drawn)[step - epochs[0] * per_epoch]


def _epoch(seed: int, epoch: int, rows: int) -> np.ndarray:
    words = np.random.SeedSequence([seed, *b"order", epoch])
    return np.random.Generator(np.random.PCG64(words)).permutation(rows).astype(np.int32)
