"""The cells of one fold computed: baselines and the oracle first, then the programs' chunks in turn."""

import gc
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import zip_longest
from textwrap import wrap
from typing import Any

from lab.baselines.base import Baseline
from lab.core.progress import Progress
from lab.dataset.dataset import Dataset
from lab.evaluation.judge import Judge
from lab.evaluation.measures import Metric
from lab.experiment.cell_record import CellRecord
from lab.experiment.cells import Cell
from lab.experiment.experiment import Experiment
from lab.results.conclusions import span
from lab.results.store import Store
from lab.running.assembly import Assembly, assemblies, cell_arrays, feed
from lab.running.checkpoint_schedule import CHECKPOINT_SECONDS
from lab.running.failures import FAILURES, check_labels, failure_reason, is_out_of_memory
from lab.running.judging import fit_baseline, judge_fitted_baseline, judge_truth, tuning_metrics
from lab.running.open_cells import OpenCells
from lab.running.resuming import ChunkCheckpoints, ResumeGroup, group_by_checkpoint, resume_groups
from lab.running.row_memory import require_feeds
from lab.running.trained_cells import cell_outcome, judge_trained
from lab.running.work import JUDGE, compile_kind, work_kind, work_units
from lab.tracking.tracker import Tracker
from lab.training.checkpoints import program_origin
from lab.training.fit import Report, train

WIDTH = 80
"""Of what is said of a baseline."""


@dataclass(frozen=True)
class Computation:
    """One fold's data, and where its cells go as soon as each is done."""

    experiment: Experiment
    data: Dataset
    store: Store
    tracker: Tracker
    progress: Progress
    open: OpenCells
    checkpoint_every: float = CHECKPOINT_SECONDS
    """Seconds between two checkpoints of a chunk in training."""
    _started: list[Assembly] = field(default_factory=list)
    """Programs whose first call is behind them."""

    def compute(self, cells: Sequence[Cell]) -> None:
        """Compute and keep those of the cells that no other process has. One that fails is kept as failed."""
        ready = assemblies(self.experiment, self.data, cells)
        require_feeds(ready, self.data)
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
            self.progress.advance(work_units(cell), kind=work_kind(cell), timed=False)
            self.progress.advance(cell.kind == "model", kind=JUDGE, timed=False)

    def _compute_untrained(self, cell: Cell) -> None:
        text = f"{cell.title}, next {span(cell.horizon)}"
        self.progress.advance(0, text)
        begun = time.monotonic()
        try:
            judge, known = self._judge_untrained(cell)
            judged = judge.result()
        except FAILURES as error:
            self._keep(cell.record("failed", reason=failure_reason(error)))
        else:
            timing = {"total": time.monotonic() - begun}
            self._keep(cell.record("done", metrics=(*known, *judged.metrics), timing=timing), judged=judged)
        self.progress.advance(1, text, work_kind(cell))

    def _judge_untrained(self, cell: Cell) -> tuple[Judge, tuple[Metric, ...]]:
        """Who has judged it, and what is known of its tuning."""
        horizon = self.experiment.horizons.index(cell.horizon)
        check_labels(self.data, horizon)
        if cell.kind == "oracle":
            truth = self.experiment.target.truth(self.experiment.source)
            assert truth is not None
            return judge_truth(self.data, self.experiment.target, truth, horizon), ()
        assert isinstance(cell.settings, Baseline)
        cell.settings.require_memory(len(self.data.splits["train"].queries), self.data.view.candidates)
        asked = self.data, self.experiment.target
        fitted = fit_baseline(*asked, cell.settings, horizon)
        if fitted.tuning is not None:
            said = f"{cell.title}, next {span(cell.horizon)}: {fitted.tuning.text()}"
            for line in wrap(said, WIDTH, subsequent_indent="  ", break_long_words=False):
                self.progress.say(line)
        return judge_fitted_baseline(*asked, cell.settings.name, fitted, horizon), tuning_metrics(fitted)

    def _compute_trained(self, assembly: Assembly, cells: Sequence[Cell]) -> Assembly:
        """Compute cells, as many at once as memory holds; returns what they fitted into, for those to come."""
        left = list(resume_groups(cells, self.store, program_origin(assembly.program), self.progress.say))
        while left:
            first, rest = left.pop(0).split(assembly.program.layout.cells_at_once)
            left = [rest, *left] if rest.cells else left
            if not self._compute_chunk(assembly, first):
                left = [first, *left]
                assembly = replace(assembly, program=assembly.program.halved())
                # What the attempt held must be gone before the next one asks.
                gc.collect()
        return assembly

    def _compute_chunk(self, assembly: Assembly, going: ResumeGroup) -> bool:
        """Train, judge and keep the cells of one chunk. False where memory did not suffice and fewer may fit."""
        chunk, layout = going.cells, assembly.program.layout
        text = ", ".join(dict.fromkeys(f"{cell.title}, seed {cell.seed}" for cell in chunk))
        told, kind, fresh = 0, work_kind(chunk[0]), assembly not in self._started
        calls = -1 if going.start else 0
        self.progress.advance(0, text)

        def report(steps: int) -> None:
            nonlocal told, calls
            calls += 1
            if fresh and calls == 1:
                self._started.append(assembly)
                self.progress.advance(1, text, compile_kind(chunk[0]))
            told += steps
            # The first call compiles, and the second is made while the device still works on the first.
            self.progress.advance(steps * len(chunk), text, kind, timed=calls > 2 * fresh)

        try:
            kept = self._train(assembly, going, report)
        except FAILURES as error:
            if is_out_of_memory(error) and layout.halved() != layout:
                self.progress.advance(-told * len(chunk), text, kind, timed=False)
                at_once = f"{chunk[0].title}: memory does not suffice for {layout.cells_at_once} cells at once"
                self.progress.say(f"{at_once}; half as many are tried.")
                return False
            kept = [(cell.record("failed", reason=failure_reason(error)), {}) for cell in chunk]
        self.progress.advance(len(chunk), text, JUDGE)
        # What an early stop saved is done too.
        self.progress.advance((work_units(chunk[0]) - told) * len(chunk), text, kind)
        for record, files in kept:
            self._keep(record, **files)
        return True

    def _train(self, assembly: Assembly, going: ResumeGroup, report: Report) -> list[tuple[CellRecord, dict]]:
        data, chunk = self.data, going.cells
        for cell in chunk:
            check_labels(data, self.experiment.horizons.index(cell.horizon))
        keeper = ChunkCheckpoints(chunk, self.store, self.open.claims, self.checkpoint_every, self.progress.say)
        arrays = [cell_arrays(cell, data) for cell in chunk]
        rows = feed(data, "train"), feed(data, "valid")
        trained = train(assembly.program, arrays, *rows, report, going.start, keeper)
        begun = time.monotonic()
        judges = judge_trained(data, assembly, chunk, trained)
        each = {"judge": (time.monotonic() - begun) / len(chunk), "checkpoints": keeper.seconds / len(chunk)}
        return [
            cell_outcome(assembly, cell, result, judge, each)
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
        groups = group_by_checkpoint([store.checkpoints(cell.id).numbers() for cell in assembly.cells])
        parts = [[assembly.cells[i] for i in group] for _, group in groups]
        queues.append([(assembly, chunk) for part in parts for chunk in assembly.chunks(part)])
    for round_ in zip_longest(*queues):
        yield from (one for one in round_ if one is not None)
