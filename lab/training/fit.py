"""Training a chunk of cells that share one program: the host's loop around the compiled calls."""

import time
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import closing
from functools import partial
from operator import itemgetter
from typing import Any, Protocol

import jax
import numpy as np

from lab.core.fingerprint_marks import computes_cells
from lab.data.rows.batch import Rows
from lab.training.checkpoints import Checkpoint, EvaluationHistory, Spent, make_checkpoints, stacked_states
from lab.training.devices import zeros_like_cells
from lab.training.feeding import Feed, batches, blocks, is_resident, spread_rows
from lab.training.outcome import TrainingResult, collect
from lab.training.program import EvaluationResult, Program
from lab.training.settings import Training
from lab.training.state import CellArrays, TrainState, stack
from lab.training.step import StepMetrics
from lab.training.timed_iterator import TimedIterator
from lab.training.visits import BEGIN, Position

Report = Callable[[int], None]
"""Called with the number of steps that each cell of the chunk has just been given."""


def dispatch_sizes(training: Training) -> list[int]:
    """How many steps each dispatch takes: `evaluate_every`, and the rest."""
    whole, rest = divmod(training.steps, training.evaluate_every)
    return [training.evaluate_every] * whole + [rest] * (rest > 0)


def evaluation_rows(training: Training) -> int:
    """Rows of one block of evaluation: more than a batch, since nothing is kept for a gradient."""
    return 2 * training.batch


def without_labels(program: Program, block: Rows) -> Rows:
    """What is scored: without labels, which are judged elsewhere, and whose number must not ask for another program;
    but with them where all that is kept of the scores is where the labels stand."""
    return block if program.learner.target.factored else block._replace(label=None)


class CheckpointKeeper(Protocol):
    """Who keeps cells in the middle of their training."""

    def due(self) -> bool:
        """Whether it is time to."""
        ...

    def keep(self, take: Callable[[], list[Checkpoint]]) -> None:
        """Bring the cells to the host and keep them; nothing is computed meanwhile."""
        ...


@computes_cells("model")
def train(
    program: Program,
    cells: list[CellArrays],
    feed: Feed,
    valid: Feed,
    report: Report,
    start: Sequence[Checkpoint] = (),
    keeper: CheckpointKeeper | None = None,
) -> list[TrainingResult]:
    """Train the cells side by side; fewer than the layout holds are filled up with places that do nothing.

    With `start`, a checkpoint for each cell and all of one position, they go on from there.
    """
    layout, training, begun = program.layout, program.learner.training, time.monotonic()
    stacked = stack([*cells, *[cells[0]._replace(live=np.bool_(False))] * (layout.cells_at_once - len(cells))])
    laid = layout.share_cells(layout.lay_cells(stacked))
    judge = _judge(program, laid, valid)
    position = start[0].position if start else BEGIN
    state = _first_state(program, stacked, feed, start)
    looks = EvaluationHistory(layout, len(cells), start)
    before, counts = dispatch_sizes(training)[: position.dispatch], dispatch_sizes(training)[position.dispatch :]
    if start:
        report(sum(before))
    with closing(_advances(program, laid, stacked.seed, feed, position)) as advances:
        timed = TimedIterator(advances, lambda: not looks.ahead or looks.ahead[-1][0].stopped.is_ready())
        spent = partial(_spent, start, begun, timed, len(cells))
        for count, (advance, position) in zip(counts, timed, strict=True):
            state, metrics = advance(state, np.int32(count))
            state, verdict = judge(state)
            looks.ahead.append((verdict, metrics))
            report(count)
            if keeper is not None and keeper.due():
                jax.block_until_ready(state)
                keeper.keep(partial(make_checkpoints, program, position, state, looks, spent()))
            # One dispatch late, so that the device never waits for the host.
            if looks.all_stopped():
                break
    return collect(layout.take_cells(state), looks.take(), spent())


def _spent(start: Sequence[Checkpoint], begun: float, timed: TimedIterator, count: int) -> Spent:
    """Each cell's share of what was spent since `begun`, and what was spent on it before."""
    share, waited = (time.monotonic() - begun) / count, timed.seconds / count
    before = [(one.seconds, one.waited) for one in start] or [(0.0, 0.0)] * count
    return [(seconds + share, idle + waited) for seconds, idle in before]


def _first_state(program: Program, cells: CellArrays, feed: Feed, start: Sequence[Checkpoint]) -> TrainState:
    if not start:
        return program.fresh(cells, feed.rows.take(np.zeros(1, np.int64)), feed.tables)
    layout = program.layout
    return layout.share_cells(layout.lay_cells(stacked_states(start, layout.cells_at_once)))


Advance = Callable[[TrainState, np.int32], tuple[TrainState, StepMetrics]]


def _advances(
    program: Program, cells: CellArrays, seeds: np.ndarray, feed: Feed, start: Position
) -> Generator[tuple[Advance, Position], None, None]:
    """One dispatch after the other and where it ends, on rows of the device or rows that come from the host."""
    count = len(dispatch_sizes(program.learner.training))
    tables = program.layout.share(feed.tables)
    if feed.rest or not is_resident(feed.rows, feed.rows.count, program.learner.training):
        with closing(batches(program, seeds, feed, count, start)) as gathered:
            for rows, after in gathered:
                yield (lambda state, n, rows=rows: program.run_streamed(state, cells, rows, n, tables)), after
        return
    rows = program.layout.share(feed.rows.whole())
    for index in range(start.dispatch, count):
        order = program.layout.lay_order(program.order(seeds, index * program.steps))
        after = Position(index + 1, *divmod((index + 1) * program.steps, program.rows // program.batch))
        yield (lambda state, n, order=order: program.run_resident(state, cells, order, n, rows, tables)), after


def _judge(
    program: Program, cells: CellArrays, valid: Feed
) -> Callable[[TrainState], tuple[TrainState, EvaluationResult]]:
    """A look at the valid split, or at rows spread evenly over it; they lie on the device where they fit."""
    layout, training = program.layout, program.learner.training
    index = spread_rows(valid.rows, training.valid_rows)
    tables, lane = layout.share(valid.tables), np.arange(layout.lanes)

    def lay() -> Iterable[Any]:
        size = evaluation_rows(training)
        return (layout.lay_block(block) for _, block in blocks(valid.rows, index, size, layout, valid.sizes))

    resident = list(lay()) if is_resident(valid.rows, len(index), training) else None

    def judge(state: TrainState) -> tuple[TrainState, EvaluationResult]:
        total = zeros_like_cells(cells, 2)
        for block in lay() if resident is None else resident:
            answers = program.answers(state.params, state.stopped, cells, without_labels(program, block), tables)
            total = program.measure(cells, total, answers, block.label)
        return program.judge(lane, state, total)

    return judge


@computes_cells("model")
def predict(
    program: Program, cells: list[CellArrays], params: list[np.ndarray], feed: Feed
) -> Iterator[tuple[np.ndarray, Any]]:
    """Answers of every query slot, block by block: rows int64[b] (-1: none) and, of most targets, the logits
    float32[cells, b, Q, C]."""
    layout = program.layout
    idle = layout.cells_at_once - len(cells)
    stacked = stack([*cells, *[cells[0]._replace(live=np.bool_(False))] * idle])
    laid, stopped = (layout.share_cells(layout.lay_cells(part)) for part in (stacked, ~stacked.live))
    weights = layout.share_cells(layout.lay_cells(np.stack([*params, *[params[0]] * idle])))
    tables = layout.share(feed.tables)
    size = evaluation_rows(program.learner.training)
    for index, block in blocks(feed.rows, np.arange(feed.rows.count), size, layout, feed.sizes):
        answers = program.answers(weights, stopped, laid, layout.lay_block(without_labels(program, block)), tables)
        # Places beyond what the fullest row needs are there for the program's sake alone.
        trim = itemgetter((slice(len(cells)), slice(None), slice(feed.rows.sizes.queries)))
        yield index, jax.tree.map(trim, layout.take_answers(answers))
