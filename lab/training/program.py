"""The compiled functions that all cells of one shape share."""

from functools import cached_property
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from lab.data.rows.batch import Columns, LabelArrays, Rows
from lab.training.devices import Layout, fetch
from lab.training.state import CellArrays, TrainState, row_order
from lab.training.step import Learner, StepMetrics


class EvaluationResult(NamedTuple):
    """What a look at the valid split found."""

    step: Any
    stopped: Any
    loss: Any
    """Mean valid loss, NaN for a cell that had already stopped."""


class Program:
    """A learner laid over devices: every method is one compiled call on stacked cells.

    Cells and states are `cell` arguments of the layout; rows and tables are shared, and may lie on the
    device already (`Layout.share`).
    """

    def __init__(self, learner: Learner, layout: Layout, rows: int, batch: int) -> None:
        self.learner, self.layout = learner, layout
        self.rows, self.batch = rows, batch
        """How many rows the training split has, and how many an update takes."""

    def halved(self) -> "Program":
        """The same for half as many cells at once."""
        return Program(self.learner, self.layout.halved(), self.rows, self.batch)

    @property
    def steps(self) -> int:
        """Steps of a dispatch; the last one rests after those that are left."""
        return min(self.learner.training.evaluate_every, self.learner.training.steps)

    def order(self, seeds: np.ndarray, step: int) -> np.ndarray:
        """int32[S, N, B]: which rows each cell's next steps see."""
        return np.stack([row_order(int(seed), step, self.steps, self.batch, self.rows) for seed in seeds])

    @cached_property
    def _fresh(self):
        # Dozens of small draws: optimising their code takes far longer than running them, once a cell.
        return jax.jit(self.learner.init, compiler_options={"xla_backend_optimization_level": 0})

    def fresh(self, cells: CellArrays, rows: Rows, tables: Columns) -> TrainState:
        """States before training of stacked cells [S, ...], laid out for the devices."""
        one = jax.tree.map(lambda leaf: leaf[:1], rows)
        count = len(cells.seed)
        each = [self._fresh(jax.tree.map(lambda leaf, i=i: leaf[i], cells), one, tables) for i in range(count)]
        stacked = jax.tree.map(lambda *leaves: np.stack(leaves), *[fetch(state) for state in each])
        return self.layout.share_cells(self.layout.lay_cells(stacked))

    @cached_property
    def run_resident(self):
        """(state, cells, order, count, rows, tables) -> state, metrics: `count` steps on rows of the device."""

        def run(state: TrainState, cells: CellArrays, order: Any, count: Any, rows: Rows, tables: Columns) -> Any:
            def one(state: TrainState, cell: CellArrays, order: Any) -> Any:
                return self._steps(state, cell, order, count, tables, lambda i: jax.tree.map(lambda a: a[i], rows))

            return self.layout.over_cells(one)(state, cells, order)

        takes = ("cell", "cell", "batch", "share", "share", "share")
        return self.layout.pmap(run, takes, ("cell", "cell"), donate=(0,))

    @cached_property
    def run_streamed(self):
        """(state, cells, batches, count, tables) -> state, metrics: the rows of `count` steps come from the host."""

        def run(state: TrainState, cells: CellArrays, batches: Rows, count: Any, tables: Columns) -> Any:
            def one(state: TrainState, cell: CellArrays, batches: Rows) -> Any:
                return self._steps(state, cell, batches, count, tables, lambda rows: rows)

            return self.layout.over_cells(one)(state, cells, batches)

        return self.layout.pmap(run, ("cell", "cell", "batch", "share", "share"), ("cell", "cell"), donate=(0,))

    def _steps(self, state: TrainState, cell: CellArrays, xs: Any, count: Any, tables: Columns, fetch: Any) -> Any:
        def body(state: TrainState, indexed: Any) -> tuple[TrainState, StepMetrics]:
            index, x = indexed
            # A stopped cell costs nothing where cells run one after the other.
            resting = state.stopped | (index >= count)
            update = lambda state: self.learner.update(state, cell, fetch(x), tables)  # noqa: E731
            return jax.lax.cond(resting, self.learner.skip, update, state)

        return jax.lax.scan(body, state, (jnp.arange(self.steps), xs))

    @cached_property
    def answers(self):
        """(params, stopped, cells, block, tables) -> answers [S, b, Q, ...] for each lane; zeros for a stopped cell."""

        def run(params: Any, stopped: Any, cells: CellArrays, rows: Rows, tables: Columns) -> Any:
            def one(params: Any, stopped: Any, cell: CellArrays) -> Any:
                look = lambda params: self.learner.answers(params, cell, rows, tables)  # noqa: E731
                nothing = jax.tree.map(lambda a: jnp.zeros(a.shape, a.dtype), jax.eval_shape(look, params))
                return jax.lax.cond(stopped, lambda _: nothing, look, params)

            return self.layout.over_cells(one)(params, stopped, cells)

        return self.layout.pmap(run, ("cell", "cell", "cell", self.layout.block, "share"), "batch")

    @cached_property
    def measure(self):
        """(cells, total, answers, labels) -> total: adds a block's shortfall and its number of labelled queries.

        Apart from the answers, so that it is one program, and adds up in one order, whatever groups a network has.
        """

        def run(cells: CellArrays, total: Any, answers: Any, label: LabelArrays) -> Any:
            def one(cell: CellArrays, total: Any, answers: Any) -> Any:
                return total + jnp.stack(self.layout.total(self.learner.shortfall(answers, cell, label)))

            return self.layout.over_cells(one)(cells, total, answers)

        return self.layout.pmap(run, ("cell", "cell", "batch", self.layout.block), "cell")

    @cached_property
    def judge(self):
        """(lane, state, total) -> state, Verdict: keep the best parameters, stop the patient."""

        def run(lane: Any, state: TrainState, total: Any) -> tuple[TrainState, EvaluationResult]:
            def one(state: TrainState, total: Any) -> tuple[TrainState, EvaluationResult]:
                loss = total[0] / jnp.maximum(total[1], 1.0)
                after = self.learner.judge(state, loss)
                return after, EvaluationResult(after.step, after.stopped, jnp.where(state.stopped, jnp.nan, loss))

            return self.layout.over_cells(one)(state, total)

        return self.layout.pmap(run, ("batch", "cell", "cell"), ("cell", "cell"), donate=(1,))
