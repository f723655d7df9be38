"""One update, pure: (state, batch) -> (state, metrics)."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from lab.data.rows.batch import Columns, LabelArrays, Rows
from lab.models.network import Network
from lab.targets.base import Target
from lab.training.flat import Flattening
from lab.training.optimiser import ADAM, apply_update, clipped, learning_rate
from lab.training.settings import Training
from lab.training.state import CellArrays, TrainState, stream

NEGATIVES = 0x6E656761
"""Folded into an update's key for what a target draws, apart from dropout."""


class StepMetrics(NamedTuple):
    """What one update reports."""

    loss: Float[Array, ""]
    """Mean over the batch's labelled queries."""
    gradient_norm: Float[Array, ""]
    learning_rate: Float[Array, ""]


def initial_params(network: Network, cell: CellArrays, rows: Rows, tables: Columns) -> Any:
    """The cell's parameters before training, from its seed; `rows` gives shapes and nothing else."""
    return network.init(stream(cell.seed, "init"), rows, tables, cell.on, None)["params"]


@dataclass(frozen=True)
class Learner:
    """The pure functions of one program: a network, a target and how it is trained."""

    network: Network
    target: Target
    training: Training
    flat: Flattening
    total: Callable[[Any], Any] = lambda tree: tree
    """Sums a tree over the devices that share a batch; the identity where none do."""
    place: Callable[[], Any] = lambda: jnp.zeros((), jnp.int32)
    """Which share of the batch this device has."""

    def init(self, cell: CellArrays, rows: Rows, tables: Columns) -> TrainState:
        """A fresh state; `rows` gives shapes and nothing else."""
        params = self.flat.ravel(initial_params(self.network, cell, rows, tables))
        optimiser = ADAM.init(params)
        zero = jnp.zeros((), jnp.int32)
        infinite = jnp.asarray(jnp.inf, jnp.float32)
        # Not the same buffers twice: the state is donated.
        best = jnp.copy(params)
        return TrainState(params, optimiser, zero, best, infinite, zero, zero, ~cell.live, zero - 1)

    def losses(
        self, params: Any, cell: CellArrays, rows: Rows, tables: Columns, key: Array | None
    ) -> tuple[Float[Array, ""], Float[Array, ""]]:
        """Sum of losses over the labelled queries of the rows, and their number; dropout only with a key."""
        dropout, rngs = (None, {}) if key is None else (cell.dropout, {"dropout": key})
        outputs = self._outputs(params, cell, rows, tables, dropout, rngs)
        smoothing = cell.label_smoothing if key is not None else jnp.zeros((), jnp.float32)
        drawn = None if key is None else jax.random.fold_in(key, NEGATIVES)
        return self.target.loss(outputs, *_of_horizon(cell, rows.label), smoothing, drawn)

    def shortfall(
        self, answers: Any, cell: CellArrays, label: LabelArrays
    ) -> tuple[Float[Array, ""], Float[Array, ""]]:
        """What training stops by, from answers, for the labels of the cell's horizon: its sum, and of how many."""
        return self.target.shortfall(answers, *_of_horizon(cell, label))

    def gradient(
        self, params: Any, cell: CellArrays, rows: Rows, tables: Columns, step: Int[Array, ""]
    ) -> tuple[Float[Array, ""], Any]:
        """Mean loss and its gradient over the batch, in `accumulate` pieces one after the other.

        The pieces are numbered across the devices that share a batch, and each has dropout of its own.
        """
        pieces = self.training.accumulate
        key = jax.random.fold_in(stream(cell.seed, "dropout"), step)

        def piece(index: Array, part: Rows) -> tuple[tuple[Array, Array], Any]:
            k = jax.random.fold_in(key, self.place() * pieces + index)
            return jax.value_and_grad(self.losses, has_aux=True)(params, cell, part, tables, k)

        if pieces == 1:
            total = piece(jnp.zeros((), jnp.int32), rows)
        else:
            parts = jax.tree.map(lambda a: a.reshape(pieces, a.shape[0] // pieces, *a.shape[1:]), rows)
            first = jax.tree.map(lambda a: a[0], parts)
            zeros = jax.tree.map(jnp.zeros_like, jax.eval_shape(piece, jnp.zeros((), jnp.int32), first))

            def add(total: Any, indexed: Any) -> tuple[Any, None]:
                return jax.tree.map(jnp.add, total, piece(*indexed)), None

            total, _ = jax.lax.scan(add, zeros, (jnp.arange(pieces), parts))
        (loss, count), grads = self.total(total)
        count = jnp.maximum(count, 1.0)
        return loss / count, grads / count

    def update(
        self, state: TrainState, cell: CellArrays, rows: Rows, tables: Columns
    ) -> tuple[TrainState, StepMetrics]:
        """One step of AdamW on the mean loss and the prior.

        A loss or gradient that is not finite moves nothing and stops the cell.
        """
        loss, grads = self.gradient(state.params, cell, rows, tables, state.step)
        norm = self.flat.norm(grads)
        rate = learning_rate(self.training, cell, state.step)
        # The prior's part comes after the norm, which groups that a cell does not use must not touch.
        grads = clipped(grads + cell.prior * self.flat.decayed * state.params, norm, self.training.clip)
        direction, optimiser = ADAM.update(grads, state.optimiser)
        params = apply_update(state.params, jnp.asarray(direction), rate, cell.weight_decay * self.flat.decayed)
        finite = jnp.isfinite(loss) & jnp.isfinite(norm)
        state = state._replace(
            params=jnp.where(finite, params, state.params),
            optimiser=jax.tree.map(lambda new, old: jnp.where(finite, new, old), optimiser, state.optimiser),
            step=state.step + finite.astype(jnp.int32),
            stopped=~finite,
            diverged_at=jnp.where(finite, -1, state.step),
        )
        return state, StepMetrics(loss, norm, rate)

    def skip(self, state: TrainState) -> tuple[TrainState, StepMetrics]:
        """A step that is not taken: its metrics are NaN, the learning rate too."""
        return state, StepMetrics(*[jnp.full((), jnp.nan, jnp.float32)] * len(StepMetrics._fields))

    def judge(self, state: TrainState, loss: Float[Array, ""]) -> TrainState:
        """Keep the parameters if the valid loss is the best so far; stop after `patience` that were not."""
        finite = jnp.isfinite(loss)
        better = (loss < state.best_loss) & ~state.stopped
        worse = jnp.where(better, 0, state.worse + (~state.stopped).astype(jnp.int32))
        patience = self.training.patience
        return state._replace(
            best_params=jnp.where(better, state.params, state.best_params),
            best_loss=jnp.where(better, loss, state.best_loss),
            best_step=jnp.where(better, state.step, state.best_step),
            worse=worse,
            stopped=state.stopped | (worse >= patience if patience else False) | ~finite,
            diverged_at=jnp.where(finite | state.stopped, state.diverged_at, state.step),
        )

    def answers(self, params: Any, cell: CellArrays, rows: Rows, tables: Columns) -> Any:
        """What is kept of every query slot: logits of all candidates, [B, Q, C], unless the target keeps less."""
        label = None if rows.label is None else _of_horizon(cell, rows.label)
        return self.target.answers(self._outputs(params, cell, rows, tables, None, {}), rows, label)

    def _outputs(self, params: Any, cell: CellArrays, rows: Rows, tables: Columns, dropout: Any, rngs: Any) -> Any:
        return self.network.apply({"params": self.flat.unravel(params)}, rows, tables, cell.on, dropout, rngs=rngs)


def _of_horizon(cell: CellArrays, label: LabelArrays) -> LabelArrays:
    """Queries, candidates and weights [B, L] of the labels of the cell's horizon."""
    return LabelArrays(*(jnp.take(part, cell.horizon, axis=1) for part in label))
