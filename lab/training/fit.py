"""Training a chunk of cells that share one program: the host's loop around the compiled calls."""

from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from lab.data.batch import Rows
from lab.training.devices import Layout, zeros_like_cells
from lab.training.feeding import Feed, batches, blocks, is_resident, spread_rows
from lab.training.program import Program, Verdict
from lab.training.settings import Training
from lab.training.state import CellArrays, TrainState, stack
from lab.training.step import StepMetrics
from lab.training.waiting import Waiting

Report = Callable[[int], None]
"""Called with the number of steps that each cell of the chunk has just been given."""


class Finite(NamedTuple):
    """The last update before a cell diverged."""

    step: int
    loss: float
    gradient_norm: float


@dataclass(frozen=True)
class Look:
    """What one cell did up to one look at the valid split."""

    step: int
    loss: float
    """Mean training loss of the steps since the look before; likewise the norm. NaN where none was finite."""
    gradient_norm: float
    learning_rate: float
    """Of the last of these steps."""
    valid_loss: float
    """NaN once the cell has diverged."""


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
    last_finite: Finite | None
    """Of the last step that was finite."""
    curve: tuple[Look, ...]
    waited: float
    """Seconds for which the devices had nothing to do because rows were not there yet, at most."""


def dispatches(training: Training) -> list[int]:
    """How many steps each dispatch takes: `evaluate_every`, and the rest."""
    whole, rest = divmod(training.steps, training.evaluate_every)
    return [training.evaluate_every] * whole + [rest] * (rest > 0)


def evaluation_rows(training: Training) -> int:
    """Rows of one block of evaluation: more than a batch, since nothing is kept for a gradient."""
    return 2 * training.batch


def without_labels(block: Rows) -> Rows:
    """What is scored: labels are judged elsewhere, and their number must not ask for another program."""
    return block._replace(label=None)


def train(program: Program, cells: list[CellArrays], feed: Feed, valid: Feed, report: Report) -> list[Trained]:
    """Train the cells side by side; fewer than the layout holds are filled up with places that do nothing."""
    layout, training = program.layout, program.learner.training
    stacked = stack([*cells, *[cells[0]._replace(live=np.bool_(False))] * (layout.cells_at_once - len(cells))])
    laid = layout.share_cells(layout.lay_cells(stacked))
    judge = _judge(program, laid, valid)
    state = program.fresh(stacked, feed.rows.take(np.zeros(1, np.int64)), feed.tables)
    looks: list[tuple[Verdict, StepMetrics]] = []
    with closing(_advances(program, laid, stacked.seed, feed)) as advances:
        timed = Waiting(advances, lambda: not looks or looks[-1][0].stopped.is_ready())
        for count, advance in zip(dispatches(training), timed, strict=True):
            state, metrics = advance(state, np.int32(count))
            state, verdict = judge(state)
            looks.append((verdict, metrics))
            report(count)
            # One dispatch late, so that the device never waits for the host.
            if len(looks) > 1 and layout.take_cells(looks[-2][0].stopped).all():
                break
    return _collect(layout, state, looks, len(cells), timed.seconds / len(cells))


Advance = Callable[[TrainState, np.int32], tuple[TrainState, StepMetrics]]


def _advances(program: Program, cells: CellArrays, seeds: np.ndarray, feed: Feed) -> Generator[Advance, None, None]:
    """One dispatch after the other, on rows of the device or rows that come from the host."""
    count = len(dispatches(program.learner.training))
    tables = program.layout.share(feed.tables)
    if feed.rest or not is_resident(feed.rows, feed.rows.count, program.learner.training):
        with closing(batches(program, seeds, feed, count)) as gathered:
            for rows in gathered:
                yield lambda state, n, rows=rows: program.run_streamed(state, cells, rows, n, tables)
        return
    rows = program.layout.share(feed.rows.whole())
    for index in range(count):
        order = program.layout.lay_order(program.order(seeds, index * program.steps))
        yield lambda state, n, order=order: program.run_resident(state, cells, order, n, rows, tables)


def _judge(program: Program, cells: CellArrays, valid: Feed) -> Callable[[TrainState], tuple[TrainState, Verdict]]:
    """A look at the valid split, or at rows spread evenly over it; they lie on the device where they fit."""
    layout, training = program.layout, program.learner.training
    index = spread_rows(valid.rows, training.valid_rows)
    tables, lane = layout.share(valid.tables), np.arange(layout.lanes)

    def lay() -> Iterable[Any]:
        size = evaluation_rows(training)
        return (layout.lay_block(block) for _, block in blocks(valid.rows, index, size, layout, valid.sizes))

    resident = list(lay()) if is_resident(valid.rows, len(index), training) else None

    def judge(state: TrainState) -> tuple[TrainState, Verdict]:
        total = zeros_like_cells(cells, 2)
        for block in lay() if resident is None else resident:
            scores = program.scores(state.params, state.stopped, cells, without_labels(block), tables)
            total = program.measure(cells, total, scores, block.label)
        return program.judge(lane, state, total)

    return judge


def _collect(
    layout: Layout, state: TrainState, looks: list[tuple[Verdict, StepMetrics]], count: int, waited: float
) -> list[Trained]:
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
            last_finite=_last_finite([m for _, m in history], i),
            curve=tuple(_look(v, m, i) for v, m in history if _taken(m, i).any()),
            waited=waited,
        )
        for i in range(count)
    ]


def _taken(metrics: StepMetrics, i: int) -> np.ndarray:
    """Which steps of a dispatch the cell took at all."""
    return np.isfinite(metrics.learning_rate[i])


def _finite(metrics: StepMetrics, i: int) -> np.ndarray:
    """Which of them were finite."""
    return _taken(metrics, i) & np.isfinite(metrics.loss[i]) & np.isfinite(metrics.gradient_norm[i])


def _last_finite(history: list[StepMetrics], i: int) -> Finite | None:
    moved = [_finite(m, i) for m in history]
    steps = int(np.concatenate(moved).sum())
    if not steps:
        return None
    metrics, finite = next((m, f) for m, f in zip(reversed(history), reversed(moved), strict=True) if f.any())
    loss, norm = (float(part[i][finite][-1]) for part in metrics[:2])
    return Finite(steps - 1, loss, norm)


def _look(verdict: Verdict, metrics: StepMetrics, i: int) -> Look:
    finite, rates = _finite(metrics, i), metrics.learning_rate[i]
    means = [np.mean(part[i][finite], dtype=np.float64) if finite.any() else np.nan for part in metrics[:2]]
    return Look(
        step=int(verdict.step[i]),
        loss=float(means[0]),
        gradient_norm=float(means[1]),
        learning_rate=float(rates[_taken(metrics, i)][-1]),
        valid_loss=float(verdict.loss[i]),
    )


def predict(
    program: Program, cells: list[CellArrays], params: list[np.ndarray], feed: Feed
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Scores of every query slot, block by block: rows int64[b] (-1: none) and float32[cells, b, Q, C]."""
    layout = program.layout
    idle = layout.cells_at_once - len(cells)
    stacked = stack([*cells, *[cells[0]._replace(live=np.bool_(False))] * idle])
    laid, stopped = (layout.share_cells(layout.lay_cells(part)) for part in (stacked, ~stacked.live))
    weights = layout.share_cells(layout.lay_cells(np.stack([*params, *[params[0]] * idle])))
    tables = layout.share(feed.tables)
    size = evaluation_rows(program.learner.training)
    for index, block in blocks(feed.rows, np.arange(feed.rows.count), size, layout, feed.sizes):
        scores = program.scores(weights, stopped, laid, layout.lay_block(without_labels(block)), tables)
        # Places beyond what the fullest row needs are there for the program's sake alone.
        yield index, layout.take_scores(scores)[: len(cells), :, : feed.rows.sizes.queries]
