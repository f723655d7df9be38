"""How long a run will take on this machine: a little of each of its parts done here, timed, and multiplied."""

import math
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import jax
import numpy as np

from lab.baselines.base import Baseline
from lab.core.words import counted
from lab.dataset.dataset import Dataset
from lab.experiment.cells import Cell
from lab.experiment.experiment import Experiment
from lab.running.assembly import Assembly, cell_arrays, feed
from lab.running.computing import judge_trained
from lab.running.judging import judge_baseline, judge_truth
from lab.training.devices import zeros_like_cells
from lab.training.feeding import Feed, blocks, is_resident, spread_rows
from lab.training.fit import dispatches, evaluation_rows, scored
from lab.training.outcome import Trained
from lab.training.program import Program
from lab.training.state import CellArrays, TrainState, stack
from lab.training.visits import roomy

STEPS = 5
"""Steps that are timed, after one that compiles."""


@dataclass(frozen=True)
class Part:
    """What the cells of one program, or of one baseline, come to."""

    name: str
    seconds: float
    compiling: float
    """Seconds by which first calls took longer: to trace, and to compile or to read what was compiled before."""
    words: str


def of_programs(data: Dataset, assemblies: Sequence[Assembly]) -> Iterator[Part]:
    """The trained cells of a dataset, program by program."""
    return (_of_program(data, assembly) for assembly in assemblies)


def of_untrained(experiment: Experiment, data: Dataset, cells: Sequence[Cell]) -> Iterator[Part]:
    """The baselines and the oracle of a dataset, one of each really fitted and judged."""
    untrained = [cell for cell in cells if cell.kind != "model"]
    counts = Counter(cell.title for cell in untrained)
    for name in counts:
        cell = next(cell for cell in untrained if cell.title == name)
        seconds, _ = _timed(lambda cell=cell: _judged(experiment, data, cell))
        yield Part(name, counts[name] * seconds, 0.0, f"{counts[name]} of {seconds:.2g} s")


def _judged(experiment: Experiment, data: Dataset, cell: Cell) -> Any:
    horizon = experiment.horizons.index(cell.horizon)
    if isinstance(cell.settings, Baseline):
        return judge_baseline(data, experiment.target, cell.settings, horizon).result()
    truth = experiment.target.truth(experiment.source)
    assert truth is not None
    return judge_truth(data, experiment.target, truth, horizon).result()


def _of_program(data: Dataset, assembly: Assembly) -> Part:
    """A chunk trained for a few steps and judged, every part of it twice."""
    trial, training = Trial(data, assembly), assembly.program.learner.training
    first, start = trial.start(), trial.start()
    compiling = first - start + trial.steps(1)
    step = trial.steps(STEPS) / (STEPS if assembly.program.layout.on_cpu else assembly.program.steps)
    (first, block), judging = (trial.look(), trial.look()), (trial.judge(), trial.judge())
    compiling += max(first - block, 0) + max(judging[0] - judging[1], 0) - step
    look = trial.blocks * block
    count, chunks = len(dispatches(training)), len(assembly.chunks())
    each = start + training.steps * step + count * look + judging[1]
    words = (
        f"{chunks} x {each:.3g} s: {counted(training.steps, 'step')} of {1000 * step:.3g} ms, "
        f"{counted(count, 'look')} of {look:.2g} s, judging {judging[1]:.2g} s"
    )
    return Part(assembly.name, chunks * each, max(compiling, 0.0), words)


class Trial:
    """A chunk of cells on its way through the calls of their training; every method gives seconds."""

    def __init__(self, data: Dataset, assembly: Assembly) -> None:
        self._data, self._assembly, self._program = data, assembly, assembly.program
        self._chunk = assembly.chunks()[0]
        arrays, layout = [cell_arrays(cell, data) for cell in self._chunk], self._program.layout
        idle = [arrays[0]._replace(live=np.bool_(False))] * (layout.cells_at_once - len(arrays))
        self._stacked = stack([*arrays, *idle])
        self._laid = layout.share_cells(layout.lay_cells(self._stacked))
        self._rows, self._valid = feed(data, "train"), feed(data, "valid")
        self._tables = [layout.share(one.tables) for one in (self._rows, self._valid)]
        self._advance = _advance(self._program, self._laid, self._stacked.seed, self._rows, self._tables[0])
        self._state: Any = None
        training = self._program.learner.training
        self._index, self._size = spread_rows(self._valid.rows, training.valid_rows), evaluation_rows(training)

    @property
    def blocks(self) -> int:
        """Of rows that a look at the valid split reads."""
        return math.ceil(len(self._index) / self._size)

    def start(self) -> float:
        row = self._rows.rows.take(np.zeros(1, np.int64))
        seconds, self._state = _timed(lambda: self._program.fresh(self._stacked, row, self._rows.tables))
        return seconds

    def steps(self, count: int) -> float:
        seconds, (self._state, _) = _timed(lambda: self._advance(self._state, np.int32(count)))
        return seconds

    def look(self) -> float:
        """The first block of a look at the valid split."""
        program, layout = self._program, self._program.layout
        _, rows = next(blocks(self._valid.rows, self._index, self._size, layout, self._valid.sizes))
        block = layout.lay_block(rows)

        def one() -> tuple[TrainState, Any]:
            state = self._state
            answers = program.answers(state.params, state.stopped, self._laid, scored(program, block), self._tables[1])
            total = program.measure(self._laid, zeros_like_cells(self._laid, 2), answers, block.label)
            return program.judge(np.arange(layout.lanes), state, total)

        seconds, (self._state, _) = _timed(one)
        return seconds

    def judge(self) -> float:
        end = self._program.layout.take_cells(self._state)
        trained = [Trained(params, 0, 0, 0.0, -1, None, (), 0.0, 0.0) for params in end.params[: len(self._chunk)]]
        begun = time.perf_counter()
        for judge in judge_trained(self._data, self._assembly, self._chunk, trained):
            assert judge is not None
            judge.result()
        return time.perf_counter() - begun


def _advance(
    program: Program, cells: CellArrays, seeds: np.ndarray, feed: Feed, tables: Any
) -> Callable[[TrainState, np.int32], Any]:
    """A dispatch, on rows that lie where a run of this size has them; rows from the host are there already."""
    order = program.layout.lay_order(program.order(seeds, 0))
    if feed.rest or not is_resident(feed.rows, feed.rows.count, program.learner.training):
        taken = feed.rows.take(order, roomy(feed.rows.sizes) if feed.rest else feed.rows.sizes)
        return lambda state, count: program.run_streamed(state, cells, taken, count, tables)
    rows = program.layout.share(feed.rows.whole())
    return lambda state, count: program.run_resident(state, cells, order, count, rows, tables)


def _timed(call: Callable[[], Any]) -> tuple[float, Any]:
    begun = time.perf_counter()
    done = jax.block_until_ready(call())
    return time.perf_counter() - begun, done
