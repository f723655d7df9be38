"""Training a chunk of cells that share one program: the host's loop around the compiled calls."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import jax
import numpy as np

from lab.data.batch import Columns, Rows
from lab.training.devices import Layout, zeros_like_cells
from lab.training.feeding import batches, blocks, is_resident
from lab.training.program import Program, Verdict
from lab.training.settings import Training
from lab.training.state import CellArrays, TrainState, stack
from lab.training.step import StepMetrics

Report = Callable[[int], None]
"""Called with the number of steps that each cell of the chunk has just been given."""


@dataclass(frozen=True)
class Feed:
    """The rows and tables of one split."""

    rows: Rows
    tables: Columns


@dataclass(frozen=True)
class Look:
    """What one cell did up to one look at the valid split."""

    step: int
    loss: float
    """Mean training loss of the steps since the look before."""
    gradient_norm: float
    learning_rate: float
    valid_loss: float


@dataclass(frozen=True)
class Trained:
    """One cell after training."""

    params: np.ndarray
    """float32[P], the best parameters, flattened."""
    steps: int
    best_step: int
    best_loss: float
    diverged_at: int
    """The step that was not finite, -1 where all were."""
    curve: tuple[Look, ...]


def dispatches(training: Training) -> list[int]:
    """How many steps each dispatch takes: `evaluate_every`, and the rest."""
    whole, rest = divmod(training.steps, training.evaluate_every)
    return [training.evaluate_every] * whole + [rest] * (rest > 0)


def evaluation_rows(training: Training) -> int:
    """Rows of one block of evaluation: more than a batch, since nothing is kept for a gradient."""
    return 2 * training.batch


def train(program: Program, cells: list[CellArrays], feed: Feed, valid: Feed, report: Report) -> list[Trained]:
    """Train the cells side by side; fewer than the layout holds are filled up with places that do nothing."""
    layout = program.layout
    stacked = stack([*cells, *[cells[0]._replace(live=np.bool_(False))] * (layout.cells_at_once - len(cells))])
    laid, lane = layout.lay_cells(stacked), np.arange(layout.lanes)
    tables = layout.share(feed.tables)
    advance = _resident(program, laid, feed, tables) if is_resident(feed.rows, program.learner.training) else None
    advance = advance or _streamed(program, laid, stacked.seed, feed, tables)
    judge = _judge(program, laid, lane, valid)
    state = program.fresh(stacked, feed.rows, feed.tables)
    looks: list[tuple[Verdict, StepMetrics]] = []
    step = 0
    for count in dispatches(program.learner.training):
        order = layout.lay_order(program.order(stacked.seed, step, count))
        state, metrics = advance(state, order)
        state, verdict = judge(state)
        looks.append((verdict, metrics))
        step += count
        report(count)
        # One dispatch late, so that the device never waits for the host.
        if len(looks) > 1 and layout.take_cells(looks[-2][0].stopped).all():
            break
    return _collect(layout, state, looks, len(cells))


Advance = Callable[[TrainState, np.ndarray], tuple[TrainState, StepMetrics]]


def _resident(program: Program, cells: CellArrays, feed: Feed, tables: Columns) -> Advance:
    """Steps on rows that lie on the device."""
    rows = program.layout.share(feed.rows)
    return lambda state, order: program.run_resident(state, cells, order, rows, tables)


def _streamed(program: Program, cells: CellArrays, seeds: np.ndarray, feed: Feed, tables: Columns) -> Advance:
    """Steps on rows that come from the host, gathered ahead of their use."""
    ahead = batches(program, seeds, feed.rows, dispatches(program.learner.training))
    return lambda state, _: program.run_streamed(state, cells, next(ahead), tables)


def _judge(program: Program, cells: CellArrays, lane: np.ndarray, valid: Feed):
    """A look at the whole valid split."""
    layout = program.layout
    tables = layout.share(valid.tables)
    size = evaluation_rows(program.learner.training)
    laid = [layout.lay_block(block) for _, block in blocks(valid.rows, size, layout)]

    def judge(state: TrainState) -> tuple[TrainState, Verdict]:
        total = zeros_like_cells(cells, 2)
        for block in laid:
            total = program.measure(state, cells, total, block, tables)
        return program.judge(lane, state, total)

    return judge


def _collect(layout: Layout, state: TrainState, looks: list[tuple[Verdict, StepMetrics]], count: int) -> list[Trained]:
    """Bring what the cells have become to the host, cell by cell."""
    end = layout.take_cells(state)
    history = [(layout.take_cells(v), layout.take_cells(m)) for v, m in looks]
    return [
        Trained(
            params=end.best_params[i],
            steps=int(end.step[i]),
            best_step=int(end.best_step[i]),
            best_loss=float(end.best_loss[i]),
            diverged_at=int(end.diverged_at[i]),
            curve=tuple(_look(v, m, i) for v, m in history if _moved(m, i)),
        )
        for i in range(count)
    ]


def _moved(metrics: StepMetrics, i: int) -> bool:
    """Whether the cell took part in a dispatch at all (a stopped one reports no learning rate)."""
    return bool(np.isfinite(metrics.learning_rate[i]).any())


def _look(verdict: Verdict, metrics: StepMetrics, i: int) -> Look:
    return Look(
        step=int(verdict.step[i]),
        loss=float(np.mean(metrics.loss[i], dtype=np.float64)),
        gradient_norm=float(np.mean(metrics.gradient_norm[i], dtype=np.float64)),
        learning_rate=float(metrics.learning_rate[i][-1]),
        valid_loss=float(verdict.loss[i]),
    )


def predict(
    program: Program, cells: list[CellArrays], params: list[np.ndarray], feed: Feed
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Scores of every query slot, block by block: rows int64[b] (-1: none) and float32[cells, b, Q, C]."""
    layout = program.layout
    idle = layout.cells_at_once - len(cells)
    laid = layout.lay_cells(stack([*cells, *[cells[0]] * idle]))
    weights = layout.share_cells(layout.lay_cells(np.stack([*params, *[params[0]] * idle])))
    tables = layout.share(feed.tables)
    for index, block in blocks(feed.rows, evaluation_rows(program.learner.training), layout):
        scores = program.scores(weights, laid, layout.lay_block(block), tables)
        yield index, layout.take_scores(scores)[: len(cells)]
