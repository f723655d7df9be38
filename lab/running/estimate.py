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
from lab.core.words import plural
from lab.dataset.dataset import Dataset
from lab.experiment.cells import Cell
from lab.experiment.experiment import Experiment
from lab.models.base import Model
from lab.running.assembly import Assembly, cell_arrays, feed
from lab.running.guesses import COMPILING, JUDGING, LOOKING, STARTING, fit_seconds, step_seconds
from lab.running.judging import judge_baseline, judge_truth
from lab.running.trained_cells import judge_trained
from lab.training.devices import zeros_like_cells
from lab.training.feeding import Feed, blocks, is_resident, spread_rows
from lab.training.fit import dispatch_sizes, evaluation_rows, without_labels
from lab.training.outcome import TrainingResult
from lab.training.program import Program
from lab.training.state import CellArrays, TrainState, stack
from lab.training.visits import round_up_sizes

STEPS = 5
"""Steps that are timed, after one that compiles."""

SHARE = 0.1
"""Of what is estimated, that estimating may take; what would take longer is guessed."""


@dataclass(frozen=True)
class Part:
    """What the cells of one program, or of one baseline, come to."""

    name: str
    seconds: float
    compiling: float
    """Seconds by which first calls take longer: to trace, and to compile or to read what was compiled before."""
    words: str


@dataclass
class Budget:
    """What an estimate may spend: a share of the run that it foresees."""

    foreseen: float
    """Seconds of the run, as far as they are known by now."""
    begun: float
    """When the estimate began, by the clock."""
    clock: Callable[[], float] = time.monotonic

    def allows(self, seconds: float) -> bool:
        """Whether work of so many seconds stays within it."""
        return self.clock() - self.begun + seconds <= SHARE * self.foreseen

    def learn(self, guessed: float, measured: float) -> None:
        """Take a part of the run for what was measured of it."""
        self.foreseen += measured - guessed


class Estimator:
    """Tells the parts of a run: measured where the budget lets it, else guessed by what was measured of the others."""

    def __init__(self, experiment: Experiment, data: Dataset, budget: Budget) -> None:
        self._experiment, self._data, self._budget = experiment, data, budget
        self._events = data.view.histories.events
        self._measured = [1.0, 1.0]
        """Seconds measured, and guessed of the same: by how much this machine differs from the one of the guesses."""

    def parts(self, ready: Sequence[Assembly], cells: Sequence[Cell]) -> list[Part]:
        """The programs, the longest first as they count most, and the baselines."""
        ordered = sorted(ready, key=lambda one: -guessed(one)[0])
        programs = {id(one): self._program(one) for one in ordered}
        return [*(programs[id(one)] for one in ready), *self._untrained(cells)]

    def _program(self, assembly: Assembly) -> Part:
        seconds, cost = (one * self._factor for one in guessed(assembly))
        if not self._budget.allows(cost):
            return Part(assembly.name, seconds, COMPILING * self._factor, _as_guessed(assembly, seconds))
        part, step = of_program(self._data, assembly)
        self._measured[0] += step
        self._measured[1] += guessed_step(assembly)
        self._budget.learn(seconds, part.seconds + part.compiling)
        return part

    def _untrained(self, cells: Sequence[Cell]) -> Iterator[Part]:
        """The baselines and the oracle, one of each really fitted and judged where there is time."""
        untrained = [cell for cell in cells if cell.kind != "model"]
        for name, count in Counter(cell.title for cell in untrained).items():
            cell = next(cell for cell in untrained if cell.title == name)
            seconds, how = fit_seconds(cell.model, self._events) * self._factor, ", guessed"
            if self._budget.allows(seconds):
                measured, _ = _timed(lambda cell=cell: _judged(self._experiment, self._data, cell))
                self._budget.learn(count * seconds, count * measured)
                seconds, how = measured, ""
            yield Part(name, count * seconds, 0.0, f"{count} of {seconds:.2g} s{how}")

    @property
    def _factor(self) -> float:
        return self._measured[0] / self._measured[1]


def guessed_step(assembly: Assembly) -> float:
    """Seconds of a step of a chunk."""
    program, layout = assembly.program, assembly.program.layout
    model = assembly.cells[0].settings
    assert isinstance(model, Model)
    tokens = program.batch * program.learner.training.row_length / layout.batch_shares
    return step_seconds(model, tokens, layout.on_cpu) * layout.cells_per_device


def guessed(assembly: Assembly) -> tuple[float, float]:
    """Seconds of all chunks of a program, and seconds to measure a little of one."""
    step, steps = guessed_step(assembly), assembly.program.learner.training.steps
    timed = STEPS + 1 if assembly.program.layout.on_cpu else 2 * assembly.program.steps
    each = STARTING + step * (steps + JUDGING)
    return len(assembly.chunks()) * each, COMPILING + STARTING + timed * step


def _as_guessed(assembly: Assembly, seconds: float) -> str:
    chunks = len(assembly.chunks())
    return f"{chunks} x {seconds / chunks:.3g} s, guessed from its size: to time it would take too long"


def _judged(experiment: Experiment, data: Dataset, cell: Cell) -> Any:
    horizon = experiment.horizons.index(cell.horizon)
    if isinstance(cell.settings, Baseline):
        return judge_baseline(data, experiment.target, cell.settings, horizon).result()
    truth = experiment.target.truth(experiment.source)
    assert truth is not None
    return judge_truth(data, experiment.target, truth, horizon).result()


def of_program(data: Dataset, assembly: Assembly) -> tuple[Part, float]:
    """A chunk trained for a few steps, and seconds of one; looks and judging take a share of a step for each row.

    These would be programs of their own, whose compilation takes longer than what they tell.
    """
    trial, training = Trial(data, assembly), assembly.program.learner.training
    start = trial.start()
    first = trial.steps(1)
    step = trial.steps(STEPS) / (STEPS if assembly.program.layout.on_cpu else assembly.program.steps)
    block = LOOKING * step * evaluation_rows(training) / (2 * assembly.program.batch)
    tested = math.ceil(data.splits["test"].packed.count / evaluation_rows(training))
    look, judging = trial.blocks * block, max(tested * block, 0.05)
    count, chunks = len(dispatch_sizes(training)), len(assembly.chunks())
    each = min(start, STARTING) + training.steps * step + count * look + judging
    words = (
        f"{chunks} x {each:.3g} s: {plural(training.steps, 'step')} of {1000 * step:.3g} ms, "
        f"{plural(count, 'look')} of {look:.2g} s, judging {judging:.2g} s"
    )
    compiling = max(start - STARTING, 0.0) + 1.5 * max(first - step, 0.0)
    return Part(assembly.name, chunks * each, compiling, words), step


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
            answers = program.answers(
                state.params, state.stopped, self._laid, without_labels(program, block), self._tables[1]
            )
            total = program.measure(self._laid, zeros_like_cells(self._laid, 2), answers, block.label)
            return program.judge(np.arange(layout.lanes), state, total)

        seconds, (self._state, _) = _timed(one)
        return seconds

    def judge(self) -> float:
        end = self._program.layout.take_cells(self._state)
        trained = [
            TrainingResult(params, 0, 0, 0.0, -1, None, (), 0.0, 0.0) for params in end.params[: len(self._chunk)]
        ]
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
        taken = feed.rows.take(order, round_up_sizes(feed.rows.sizes) if feed.rest else feed.rows.sizes)
        return lambda state, count: program.run_streamed(state, cells, taken, count, tables)
    rows = program.layout.share(feed.rows.whole())
    return lambda state, count: program.run_resident(state, cells, order, count, rows, tables)


def _timed(call: Callable[[], Any]) -> tuple[float, Any]:
    begun = time.perf_counter()
    done = jax.block_until_ready(call())
    return time.perf_counter() - begun, done
