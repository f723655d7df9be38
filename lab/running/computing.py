"""The cells of one fold computed: baselines and the oracle first, then the programs' chunks in turn."""

import gc
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from itertools import zip_longest
from textwrap import wrap
from typing import Any

import jax
import numpy as np
from flax import serialization

from lab.baselines.base import Baseline
from lab.baselines.fitted import Fitted
from lab.core.errors import FaultError, LabError
from lab.core.marks import computes
from lab.core.progress import Progress
from lab.data.timeline import span_text
from lab.dataset.dataset import SPLITS, Dataset
from lab.evaluation.judge import Judge
from lab.evaluation.measures import Metric
from lab.experiment.cell_record import CellRecord
from lab.experiment.cells import Cell
from lab.experiment.experiment import Experiment
from lab.results.claims import Claims
from lab.results.conclusions import span
from lab.results.store import Store
from lab.running.assembly import Assembly, assemblies, cell_arrays, feed
from lab.running.checkpoint_schedule import EVERY
from lab.running.judging import fit_baseline, judge_fitted, judge_of_test, judge_truth, tuned
from lab.running.resuming import ChunkKeeper, Going, going_on, together
from lab.running.row_memory import require_feed
from lab.running.work import JUDGE, kind_of, start_of, units_of
from lab.tracking.tracker import Tracker
from lab.training.checkpoints import origin
from lab.training.devices import cpu_devices
from lab.training.fit import Report, predict, train
from lab.training.outcome import Trained

CURVE = ("step", "loss", "valid_loss", "gradient_norm", "learning_rate")

WIDTH = 80
"""Of what is said of a baseline."""

_FAILURES = (LabError, MemoryError, jax.errors.JaxRuntimeError)
"""What ends a cell, or the cells of a chunk, and not the run."""


@dataclass(frozen=True)
class OpenCells:
    """Which cells nobody has ended since this run began, and who works on them."""

    store: Store
    claims: Claims
    before: Mapping[str, tuple[int, int] | None]
    """The stamps of what was there when the run began: what failed then is tried once more, by one process."""

    def is_open(self, cell: Cell) -> bool:
        return self.store.stamp(cell.id) in (None, self.before[cell.id])

    def take(self, cells: Sequence[Cell]) -> list[Cell]:
        """Claim those that are open and free."""
        taken = [cell for cell in cells if self.is_open(cell) and self.claims.take(cell.id)]
        # Another may have ended one between the look and the claim.
        ended = [cell for cell in taken if not self.is_open(cell)]
        self.claims.release([cell.id for cell in ended])
        return [cell for cell in taken if cell not in ended]


@dataclass(frozen=True)
class Computation:
    """One fold's data, and where its cells go as soon as each is done."""

    experiment: Experiment
    data: Dataset
    store: Store
    tracker: Tracker
    progress: Progress
    open: OpenCells
    checkpoint_every: float = EVERY
    """Seconds between two checkpoints of a chunk in training."""
    _started: list[Assembly] = field(default_factory=list)
    """Programs whose first call is behind them."""

    def compute(self, cells: Sequence[Cell]) -> None:
        """Compute and keep those of the cells that no other process has. One that fails is kept as failed."""
        ready = assemblies(self.experiment, self.data, cells)
        for one in ready:
            require_feed(one.program, self.data.splits["train"].packed, len(self.data.rest) > 0)
        for cell in cells:
            if cell.kind != "model":
                if self.open.take([cell]):
                    self._compute_untrained(cell)
                else:
                    self._leave([cell])
        fitting: dict[int, Assembly] = {}
        for assembly, chunk in interleaved(ready, self.store):
            mine = self.open.take(chunk)
            self._leave([cell for cell in chunk if cell not in mine])
            if mine:
                fitting[id(assembly)] = self._compute_trained(fitting.get(id(assembly), assembly), mine)

    def _leave(self, cells: Sequence[Cell]) -> None:
        """Wait for no time of cells that another process has."""
        for cell in cells:
            self.progress.advance(units_of(cell), kind=kind_of(cell), timed=False)
            self.progress.advance(cell.kind == "model", kind=JUDGE, timed=False)

    def _compute_untrained(self, cell: Cell) -> None:
        text = f"{cell.title}, next {span(cell.horizon)}"
        self.progress.advance(0, text)
        begun = time.monotonic()
        try:
            judge, known = self._judge_untrained(cell)
            judged = judge.result()
        except _FAILURES as error:
            self._keep(cell.record("failed", reason=reason(error)))
        else:
            timing = {"total": time.monotonic() - begun}
            self._keep(cell.record("done", metrics=(*known, *judged.metrics), timing=timing), judged=judged)
        self.progress.advance(1, text, kind_of(cell))

    def _judge_untrained(self, cell: Cell) -> tuple[Judge, tuple[Metric, ...]]:
        """Who has judged it, and what is known of its tuning."""
        horizon = self.experiment.horizons.index(cell.horizon)
        require_labels(self.data, horizon)
        if cell.kind == "oracle":
            truth = self.experiment.target.truth(self.experiment.source)
            assert truth is not None
            return judge_truth(self.data, self.experiment.target, truth, horizon), ()
        assert isinstance(cell.settings, Baseline)
        cell.settings.require_memory(len(self.data.splits["train"].queries), self.data.view.candidates)
        asked = self.data, self.experiment.target
        fitted = fit_baseline(*asked, cell.settings, horizon)
        if isinstance(fitted, Fitted):
            said = f"{cell.title}, next {span(cell.horizon)}: {fitted.words()}"
            for line in wrap(said, WIDTH, subsequent_indent="  ", break_long_words=False):
                self.progress.say(line)
        return judge_fitted(*asked, cell.settings.name, fitted, horizon), tuned(fitted)

    def _compute_trained(self, assembly: Assembly, cells: Sequence[Cell]) -> Assembly:
        """Compute cells, as many at once as memory holds; returns what they fitted into, for those to come."""
        left = list(going_on(cells, self.store, origin(assembly.program), self.progress.say))
        while left:
            first, rest = left.pop(0).split(assembly.program.layout.cells_at_once)
            left = [rest, *left] if rest.cells else left
            if not self._compute_chunk(assembly, first):
                left = [first, *left]
                assembly = replace(assembly, program=assembly.program.halved())
                # What the attempt held must be gone before the next one asks.
                gc.collect()
        return assembly

    def _compute_chunk(self, assembly: Assembly, going: Going) -> bool:
        """Train, judge and keep the cells of one chunk. False where memory did not suffice and fewer may fit."""
        chunk, layout = going.cells, assembly.program.layout
        text = ", ".join(dict.fromkeys(f"{cell.title}, seed {cell.seed}" for cell in chunk))
        told, kind, fresh = 0, kind_of(chunk[0]), assembly not in self._started
        calls = -1 if going.start else 0
        self.progress.advance(0, text)

        def report(steps: int) -> None:
            nonlocal told, calls
            calls += 1
            if fresh and calls == 1:
                self._started.append(assembly)
                self.progress.advance(1, text, start_of(chunk[0]))
            told += steps
            # The first call compiles, and the second is made while the device still works on the first.
            self.progress.advance(steps * len(chunk), text, kind, timed=calls > 2 * fresh)

        try:
            kept = self._train(assembly, going, report)
        except _FAILURES as error:
            if is_of_memory(error) and layout.halved() != layout:
                self.progress.advance(-told * len(chunk), text, kind, timed=False)
                at_once = f"{chunk[0].title}: memory does not suffice for {layout.cells_at_once} cells at once"
                self.progress.say(f"{at_once}; half as many are tried.")
                return False
            kept = [(cell.record("failed", reason=reason(error)), {}) for cell in chunk]
        self.progress.advance(len(chunk), text, JUDGE)
        # What an early stop saved is done too.
        self.progress.advance((units_of(chunk[0]) - told) * len(chunk), text, kind)
        for record, files in kept:
            self._keep(record, **files)
        return True

    def _train(self, assembly: Assembly, going: Going, report: Report) -> list[tuple[CellRecord, dict]]:
        data, chunk = self.data, going.cells
        for cell in chunk:
            require_labels(data, self.experiment.horizons.index(cell.horizon))
        keeper = ChunkKeeper(chunk, self.store, self.open.claims, self.checkpoint_every, self.progress.say)
        arrays = [cell_arrays(cell, data) for cell in chunk]
        rows = feed(data, "train"), feed(data, "valid")
        trained = train(assembly.program, arrays, *rows, report, going.start, keeper)
        begun = time.monotonic()
        judges = judge_trained(data, assembly, chunk, trained)
        each = {"judge": (time.monotonic() - begun) / len(chunk), "checkpoints": keeper.seconds / len(chunk)}
        return [
            _outcome(assembly, cell, result, judge, each)
            for cell, result, judge in zip(chunk, trained, judges, strict=True)
        ]

    def _keep(self, record: CellRecord, **files: Any) -> None:
        # Who slept for long may have been taken for dead; then the cell is another's.
        if self.open.claims.holds(record.id):
            self.store.write(record, **files)
            self.tracker.cell(record.id)
            self.open.claims.release([record.id])
        else:
            self.progress.say(f"{record.id}: another process took it over meanwhile; its result is kept, not this one.")


def interleaved(assembled: Iterable[Assembly], store: Store) -> Iterator[tuple[Assembly, list[Cell]]]:
    """The chunks of all programs in turn, so that the first results cover every model.

    Cells that were begun come first, those together that can go on from one place.
    """
    queues = []
    for assembly in assembled:
        groups = together([store.unfinished(cell.id).numbers() for cell in assembly.cells])
        parts = [[assembly.cells[i] for i in group] for _, group in groups]
        queues.append([(assembly, chunk) for part in parts for chunk in assembly.chunks(part)])
    for round_ in zip_longest(*queues):
        yield from (one for one in round_ if one is not None)


@computes("model")
def judge_trained(
    data: Dataset, assembly: Assembly, chunk: Sequence[Cell], trained: Sequence[Trained]
) -> list[Judge | None]:
    """Score the test queries by each cell's best parameters; None for a cell that diverged."""
    horizons = [cell.experiment.horizons.index(cell.horizon) for cell in chunk]
    target = assembly.program.learner.target
    judges = [
        None if t.diverged_at >= 0 else judge_of_test(data, target, h) for t, h in zip(trained, horizons, strict=True)
    ]
    arrays = [cell_arrays(cell, data) for cell in chunk]
    test = data.splits["test"]
    for rows, answers in predict(assembly.program, arrays, [t.params for t in trained], feed(data, "test")):
        slot = np.where(rows[:, None] >= 0, test.slot[rows], -1)
        asked = slot >= 0
        kept = jax.tree.map(lambda answer, asked=asked: answer[:, asked], answers)
        for place, judge in enumerate(judges):
            if judge is not None:
                judge.answers(slot[asked], jax.tree.map(lambda answer, place=place: answer[place], kept))
    return judges


@computes("model")
def _outcome(
    assembly: Assembly, cell: Cell, result: Trained, judge: Judge | None, timing: dict[str, float]
) -> tuple[CellRecord, dict]:
    """A trained cell's record and files."""
    curve = {name: np.array([asdict(look)[name] for look in result.curve]) for name in CURVE}
    timing = {"train": result.seconds, "waited": result.waited} | timing
    known = {"timing": timing, "parameters": assembly.parameters, "devices": cpu_devices()}
    if judge is None:
        return cell.record("diverged", reason=diverged(result), **known), {"curve": curve}
    judged = judge.result()
    chosen = (Metric("valid", "all", "loss", result.best_loss), Metric("valid", "all", "step", result.best_step))
    params = assembly.program.learner.flat.unravel(result.params)
    files = {"curve": curve, "judged": judged, "checkpoint": serialization.to_bytes(params)}
    return cell.record("done", metrics=(*chosen, *judged.metrics), **known), files


def diverged(result: Trained) -> str:
    """Why a cell ended, in a sentence."""
    last = result.last_finite
    before = (
        f"; at step {last.step} it was {last.loss:.4g}, the norm of its gradient {last.gradient_norm:.4g}"
        if last
        else ""
    )
    return f"The loss was not finite at step {result.diverged_at}{before}."


def is_of_memory(error: Exception) -> bool:
    """Whether the host's or a device's memory did not suffice."""
    said = str(error).split("\n")[0]
    # A CPU that has begun to compute says the latter, as an internal error.
    return isinstance(error, MemoryError) or "RESOURCE_EXHAUSTED" in said or "Out of memory" in said


def reason(error: Exception) -> str:
    """What ended a cell, in a sentence."""
    if isinstance(error, LabError):
        return str(error)
    said = " ".join(str(error).split("\n")[0].split()).rstrip(".") or type(error).__name__
    if is_of_memory(error):
        return (
            f"The memory did not suffice ({said}); use a smaller training.batch, training.cells_at_once, "
            f"training.row_length or model width, or a larger training.accumulate."
        )
    return f"The device failed ({said})."


def require_labels(data: Dataset, horizon: int) -> None:
    """Raise FaultError where some split has no answer at all within a horizon."""
    for name in SPLITS:
        if not len(data.splits[name].labels[horizon].ids):
            raise FaultError(
                f"In the {name} split no one touches a known {'item' if data.view.items else 'category'} within "
                f"{span_text(data.view.fold.horizons[horizon])}, so that nothing can be asked there; leave it out of "
                f"horizons."
            )
