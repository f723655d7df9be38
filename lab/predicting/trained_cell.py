"""Finished cells of a results folder, loaded to predict with."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import jax
import numpy as np
from flax import serialization

from lab.core.errors import InputError
from lab.data.rows.batch import Columns
from lab.data.rows.layout import PackedRows
from lab.data.sources.base import Source
from lab.dataset.dataset import Dataset
from lab.experiment.cells import Cell
from lab.experiment.loading import load_experiment
from lab.experiment.settings import experiment_from_settings, source_as_code
from lab.models.base import Model
from lab.pins.pin import check_files, read_pin
from lab.results.cell_files import CHECKPOINT
from lab.results.store import Store
from lab.running.assembly import assemblies, cell_arrays, feed
from lab.running.row_groups import group_by_rows
from lab.running.run_settings import RunSettings
from lab.running.runner import Run
from lab.tracking.tracker import Tracking
from lab.training.feeding import Feed
from lab.training.fit import predict
from lab.training.program import Program


@dataclass(frozen=True)
class TrainedCell:
    """A trained model with its parameters, and the fold it was trained on."""

    cell: Cell
    data: Dataset
    program: Program
    params: np.ndarray
    """float32[P], flattened."""

    def scores(self, packed: PackedRows, tables: Columns) -> np.ndarray:
        """float32[Q, C], the logits of all candidates at every query of the packed rows, in the queries' order.

        Raises InputError for a target that has too many candidates for that.
        """
        if self.cell.experiment.target.factored:
            raise InputError(
                f"{self.cell.id}: is of target {self.cell.experiment.target.name}, which never holds the scores of all "
                f"candidates; lab.predicting.next_items has those that it names first."
            )
        asked = np.empty((len(packed.steps.asked), self.data.view.candidates), np.float32)
        for rows, (scores,) in self._blocks(Feed(packed, tables)):
            slot = np.where(rows[:, None] >= 0, packed.slots[rows], -1)
            asked[slot[slot >= 0]] = scores[slot >= 0]
        return asked

    def answers(self) -> Any:
        """What the target keeps of the scores at each query of the test, each [Q, ...], in the queries' order."""
        test, places, parts = self.data.splits["test"], [], []
        for rows, found in self._blocks(feed(self.data, "test")):
            slot = np.where(rows[:, None] >= 0, test.slot[rows], -1)
            asked = slot >= 0
            places.append(slot[asked])
            parts.append(jax.tree.map(lambda part, asked=asked: part[0][asked], found))
        order = np.argsort(np.concatenate(places), kind="stable")
        return jax.tree.map(lambda *each: np.concatenate(each)[order], *parts)

    def _blocks(self, feed: Feed) -> Iterator[tuple[np.ndarray, Any]]:
        return predict(self.program, [cell_arrays(self.cell, self.data)], [self.params], feed)


def load_cell(
    results: Path, cell: str, *, file: Path | None = None, source: Source | None = None, cache: Path | None = None
) -> TrainedCell:
    """Load a cell of results/<experiment> by its id, the name of its folder under cells/.

    The pin beside it says which experiment it is of. `file` is the experiment's own file, needed where it has
    classes of its own or a log made in Python; `source` says where a log lies that is not where the pin has it;
    `cache` is where prepared logs are kept. Raises InputError for a cell without parameters, and for one that
    today's settings, data, code or packages would not give.
    """
    (loaded,) = load_cells(results, [cell], file=file, source=source, cache=cache)
    return loaded


def load_cells(
    results: Path,
    cells: Sequence[str],
    *,
    file: Path | None = None,
    source: Source | None = None,
    cache: Path | None = None,
) -> list[TrainedCell]:
    """Load several cells, each as `load_cell` does; those of one fold share its data, those of one model a program."""
    run = _run(Path(results), file, source, cache)
    store = Store(Path(results))
    chosen = [_find_cell(run, store, cell) for cell in cells]
    loaded: dict[str, TrainedCell] = {}
    for fold in run.folds:
        for causal, mine in group_by_rows(chosen, fold):
            data = run.dataset(fold, mine, causal)
            for ready in assemblies(run.experiment, data, mine):
                for one in ready.cells:
                    params = _params(ready.program, store.checkpoint(one.id))
                    loaded[one.id] = TrainedCell(one, data, ready.program, params)
    return [loaded[cell] for cell in cells]


def _find_cell(run: Run, store: Store, cell: str) -> Cell:
    """The trained cell of that id. Raises InputError where the run has none, or none that is done."""
    found = next((one for one in run.cells if one.id == cell), None)
    if found is None:
        trained = [one.id for one in run.cells if one.kind == "model" and store.is_finished(one.id)]
        raise InputError(_unknown(store, cell, trained))
    if not isinstance(found.settings, Model) or not store.has(cell, CHECKPOINT):
        raise InputError(f"{store.folder(cell)}: has no parameters; load a cell of a trained model that is done.")
    return found


def _run(results: Path, file: Path | None, source: Source | None, cache: Path | None) -> Run:
    from rich.console import Console

    declared = load_experiment(file)[0] if file else None
    pin = read_pin(results / "pin.json")
    experiment = experiment_from_settings(pin["experiment"], declared)
    if source is not None:
        experiment = replace(experiment, source=source)
    try:
        check_files(experiment.source, pin)
    except InputError as error:
        code = source_as_code(experiment.source)
        raise InputError(f"{error} A pin keeps the names of files alone; say where they lie: source={code}.") from None
    return Run(experiment, RunSettings(results.parent, cache, Tracking(mode="off"), Console(quiet=True)))


def _unknown(store: Store, cell: str, known: Sequence[str]) -> str:
    if (store.root / "cells" / cell).is_dir():
        return (
            f"{store.root / 'cells' / cell}: its settings, data, code or packages are not those found here, so its "
            "parameters might mean something else now; compute it again, or load it where it was computed "
            "(python -m lab.run FILE --status says what moved)."
        )
    some = ", ".join(known[:3]) + (", ..." if len(known) > 3 else "")
    return f"{store.root}: holds no cell {cell!r}; its trained cells are {some or 'none'}."


def _params(program: Program, checkpoint: bytes) -> np.ndarray:
    flat = program.learner.flat
    empty = flat.unravel(np.zeros(flat.size, np.float32))
    params: Any = serialization.from_bytes(empty, checkpoint)
    return np.asarray(flat.ravel(params))
