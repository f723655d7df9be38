"""Runs an experiment: prepares the log, then computes every cell that is not on disk yet."""

import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from itertools import zip_longest
from pathlib import Path

import numpy as np
from flax import serialization
from rich.console import Console

from lab.assembly import Assembly, assemble, cell_arrays, feed
from lab.cell_record import CellRecord, Metric
from lab.cells import Cell, grid
from lab.data.cache import prepare
from lab.data.dataset import Dataset, build_dataset
from lab.data.histories import Histories
from lab.data.timeline import Fold, folds
from lab.data.view import look
from lab.errors import InputError, LabError
from lab.experiment import Experiment
from lab.judging import Judge, Truth, judge_baseline, judge_oracle
from lab.plan import print_fold, print_log, print_plan
from lab.progress import Progress
from lab.store import Store
from lab.tables import print_table, write_tables
from lab.tracking import Tracker, Tracking
from lab.training.fit import Trained, predict, train

_BASELINE_STEPS = 100
"""What fitting and judging a baseline counts for in the estimate of what is left, in training steps of a cell."""


@dataclass(frozen=True)
class Place:
    """Where a run happens, on which no number depends."""

    out: Path
    cache: Path | None
    tracking: Tracking
    console: Console


class Run:
    """An experiment whose log is ready."""

    def __init__(self, experiment: Experiment, place: Place) -> None:
        self.place, self.console = place, place.console
        self.histories = prepare(
            experiment.source, experiment.cleaning, experiment.timeline, experiment.horizons, place.cache
        )
        self.experiment, silent = usable(experiment, self.histories)
        for line in silent:
            self.console.print(line, markup=False, highlight=False)
        self.store = Store(place.out / experiment.name)

    @cached_property
    def folds(self) -> tuple[Fold, ...]:
        """Where the cutoffs stand."""
        facts = self.histories.facts
        return folds(self.experiment.timeline, self.experiment.horizons, facts["first"], facts["last"])

    @cached_property
    def cells(self) -> list[Cell]:
        """The whole grid."""
        oracle = isinstance(self.experiment.source, Truth)
        return grid(self.experiment, self.histories.fingerprint, oracle)

    def dataset(self, fold: Fold) -> Dataset:
        """One fold made ready; what it holds is printed."""
        asked = self.experiment
        view, rule = look(self.histories, fold, asked.target.categories)
        groups = [asked.group(name) for name in asked.group_names()]
        settings = asked.training
        data = build_dataset(view, asked.timeline, asked.target, groups, settings.row_length, settings.overlap)
        print_fold(self.console, data, rule)
        return data

    def show_plan(self) -> None:
        """Print what a run would do: cells, programs, parameters, rows, steps."""
        print_log(self.console, self.histories, self.folds)
        for fold in self.folds:
            mine = [cell for cell in self.cells if cell.fold == fold.index]
            untrained = sum(cell.kind != "model" for cell in mine)
            print_plan(self.console, self._assemblies(self.dataset(fold), mine), untrained)

    def compute(self) -> int:
        """Compute what is missing, keep each cell as soon as it is done, and leave tables behind whatever happens.

        Returns 0, or 1 where a cell failed.
        """
        self.store.check_writable()
        print_log(self.console, self.histories, self.folds)
        done = {cell.id for cell in self.cells if self.store.finished(cell.id)}
        missing = [cell for cell in self.cells if cell.id not in done]
        if done:
            self.console.print(f"{len(done)} of {len(self.cells)} cells are there already.", highlight=False)
        try:
            if missing:
                self._compute(missing)
        finally:
            self.summarise()
        return int(any(self.store.read(cell.id).status == "failed" for cell in self.cells))

    def summarise(self) -> None:
        """Rewrite the tables from what is on disk and print the main one."""
        planned = [cell.record("missing") for cell in self.cells]
        print_table(write_tables(self.store, planned), self.console)
        self.console.print(f"Results: {self.store.root}", highlight=False, soft_wrap=True)

    def _compute(self, missing: Sequence[Cell]) -> None:
        total = sum(self._work(cell) for cell in missing)
        say = lambda line: self.console.print(line, markup=False, highlight=False)  # noqa: E731
        with (
            Tracker(self.store.root, self.place.tracking, say) as self._tracker,
            Progress(total, self.experiment.name, self.console) as self._progress,
        ):
            for fold in self.folds:
                mine = [cell for cell in missing if cell.fold == fold.index]
                if mine:
                    self._compute_fold(self.dataset(fold), mine)

    def _work(self, cell: Cell) -> int:
        return self.experiment.training.steps if cell.kind == "model" else _BASELINE_STEPS

    def _compute_fold(self, data: Dataset, cells: Sequence[Cell]) -> None:
        for cell in cells:
            if cell.kind != "model":
                self._progress.advance(0, f"{cell.model}, {cell.horizon:g} days")
                self._keep_untrained(data, cell)
                self._progress.advance(_BASELINE_STEPS, f"{cell.model}, {cell.horizon:g} days")
        for assembly, chunk in interleaved(self._assemblies(data, cells)):
            self._train(data, assembly, chunk)

    def _assemblies(self, data: Dataset, cells: Sequence[Cell]) -> list[Assembly]:
        asked = self.experiment
        mine = {model: [c for c in cells if c.kind == "model" and c.settings == model] for model in asked.models}
        return [assemble(asked, data, model, own) for model, own in mine.items() if own]

    def _keep_untrained(self, data: Dataset, cell: Cell) -> None:
        begun = time.monotonic()
        horizon = self.experiment.horizons.index(cell.horizon)
        try:
            judge = self._judge_untrained(data, cell, horizon)
        except LabError as error:
            return self._keep(cell.record("failed", reason=str(error)))
        metrics, users = judge.result()
        self._keep(cell.record("done", metrics=metrics, timing={"total": time.monotonic() - begun}), users=users)

    def _judge_untrained(self, data: Dataset, cell: Cell, horizon: int) -> Judge:
        if cell.kind == "oracle":
            assert isinstance(self.experiment.source, Truth)
            return judge_oracle(data, self.experiment.source, horizon)
        return judge_baseline(data, cell.settings, horizon)

    def _train(self, data: Dataset, assembly: Assembly, chunk: list[Cell]) -> None:
        """Train, judge and keep the cells of one chunk."""
        begun, told = time.monotonic(), 0
        arrays = [cell_arrays(cell, data.groups) for cell in chunk]
        text = f"{chunk[0].model}, seed {chunk[0].seed}"

        def report(steps: int) -> None:
            nonlocal told
            told += steps
            self._progress.advance(steps * len(chunk), text)

        trained = train(assembly.program, arrays, feed(data, "train"), feed(data, "valid"), report)
        between = time.monotonic()
        judges = judge_trained(data, assembly, chunk, trained)
        end = time.monotonic()
        # What an early stop saved is done too.
        self._progress.advance((self.experiment.training.steps - told) * len(chunk), text)
        timing = {"train": (between - begun) / len(chunk), "judge": (end - between) / len(chunk)}
        for cell, result, judge in zip(chunk, trained, judges, strict=True):
            self._keep_trained(cell, result, judge, timing, assembly)

    def _keep_trained(
        self, cell: Cell, result: Trained, judge: Judge | None, timing: dict[str, float], assembly: Assembly
    ) -> None:
        curve = {name: np.array([asdict(look)[name] for look in result.curve]) for name in CURVE}
        kept = {"timing": timing, "parameters": assembly.parameters}
        if judge is None:
            reason = diverged(result)
            return self._keep(cell.record("diverged", reason=reason, **kept), curve=curve)
        metrics, users = judge.result()
        chosen = (Metric("valid", "all", "loss", result.best_loss), Metric("valid", "all", "step", result.best_step))
        record = cell.record("done", metrics=(*chosen, *metrics), **kept)
        params = assembly.program.learner.flat.unravel(result.params)
        self._keep(record, curve=curve, users=users, checkpoint=serialization.to_bytes(params))

    def _keep(self, record: CellRecord, **files: object) -> None:
        self.store.write(record, **files)  # type: ignore[arg-type]
        self._tracker.cell(record.id)


CURVE = ("step", "loss", "valid_loss", "gradient_norm", "learning_rate")


def interleaved(assemblies: Iterable[Assembly]) -> Iterator[tuple[Assembly, list[Cell]]]:
    """The chunks of all programs in turn, so that the first results cover every model."""
    queues = [[(assembly, chunk) for chunk in assembly.chunks()] for assembly in assemblies]
    for round_ in zip_longest(*queues):
        yield from (one for one in round_ if one is not None)


def judge_trained(
    data: Dataset, assembly: Assembly, chunk: Sequence[Cell], trained: Sequence[Trained]
) -> list[Judge | None]:
    """Score the test queries by each cell's best parameters; None for a cell that diverged."""
    horizons = [cell.experiment.horizons.index(cell.horizon) for cell in chunk]
    judges = [None if t.diverged_at >= 0 else Judge(data, h) for t, h in zip(trained, horizons, strict=True)]
    arrays = [cell_arrays(cell, data.groups) for cell in chunk]
    test = data.splits["test"]
    for rows, scores in predict(assembly.program, arrays, [t.params for t in trained], feed(data, "test")):
        slot = np.where(rows[:, None] >= 0, test.slot[rows], -1)
        asked = slot >= 0
        for judge, of_cell in zip(judges, scores, strict=True):
            if judge is not None:
                # Logits are log probabilities up to a constant.
                judge.add(slot[asked], of_cell[asked], of_cell[asked])
    return judges


def diverged(result: Trained) -> str:
    """Why a cell ended, in a sentence."""
    finite = [look for look in result.curve if np.isfinite(look.loss)]
    last = f"; the last finite loss was {finite[-1].loss:.4g} at step {finite[-1].step}" if finite else ""
    return f"The loss was not finite at step {result.diverged_at}{last}."


def usable(experiment: Experiment, histories: Histories) -> tuple[Experiment, list[str]]:
    """The experiment without the feature groups that the log has no column for, and a line on each."""
    lacking = {}
    for name in experiment.group_names():
        absent = [column for column in experiment.group(name).needs if getattr(histories, column) is None]
        if absent:
            lacking[name] = absent[0]
    if not lacking:
        return experiment, []
    features = {}
    for name, groups in experiment.features.items():
        features[name] = tuple(group for group in groups if group not in lacking)
        if not features[name]:
            raise InputError(f"features.{name}: none of its groups ({', '.join(groups)}) has a column in this log.")
    said = [f"{group}: left out, the log has no {column} column." for group, column in lacking.items()]
    groups = tuple(group for group in experiment.groups if group.name not in lacking)
    return replace(experiment, features=features, groups=groups), said
