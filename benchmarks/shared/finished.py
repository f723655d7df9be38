"""A finished run, as benchmarks read it: its cells, what they are compared with, and where its log lies."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from lab.core.errors import InputError
from lab.core.shell import shell_command
from lab.experiment.cell_record import CellRecord
from lab.experiment.experiment import Experiment
from lab.experiment.loading import load_experiment
from lab.experiment.settings import experiment_from_settings
from lab.pins.pin import check_files, read_pin
from lab.results.store import Store
from lab.targets.interest.measures import MEASURES

USUAL = "decayed"
"""The baseline that models are compared with where the run has it."""

METRIC = MEASURES.leading


def done_cells(results: Path, models: Sequence[str] = ()) -> tuple[Store, list[CellRecord]]:
    """A run's store and the cells that are done, of some models or of all, the oracle left out.

    Raises InputError where there is no such folder, and where no model's is done.
    """
    if not results.is_dir():
        raise InputError(f"{results}: there is no such folder; name one that a run left, such as results/NAME.")
    store = Store(results)
    every = [one for one in store.records() if one.status == "done" and one.kind != "oracle"]
    trained = list(dict.fromkeys(one.model for one in every if one.kind == "model"))
    if not trained:
        raise InputError(
            f"{results}: no finished cell of a model lies there; give the folder of a run on this machine."
        )
    if unknown := [model for model in models if model not in trained]:
        raise InputError(f"--models: {results} has no finished cell of {unknown[0]!r}; it has {', '.join(trained)}.")
    return store, [one for one in every if one.kind == "baseline" or one.model in (models or trained)]


def line_of(cell: CellRecord) -> tuple[str, str, str]:
    """Model, feature set and variant, by which `lab.experiment.cell_record.line_name` names a line."""
    return cell.model, cell.features, cell.variant


def leader(cells: Sequence[CellRecord]) -> CellRecord:
    """A cell of the line with the highest mean NDCG@10 of the test."""
    lines: dict[tuple[str, str, str], list[CellRecord]] = {}
    for one in cells:
        lines.setdefault(line_of(one), []).append(one)
    return max(lines.values(), key=lambda line: sum(one.value("test", "all", METRIC) for one in line) / len(line))[0]


def baseline_of(cells: Sequence[CellRecord], asked: str | None) -> str:
    """The baseline to compare with: the one that is asked for, else the usual one, else the best that the run has.

    Raises InputError where that is none.
    """
    found = [one for one in cells if one.kind == "baseline"]
    names = list(dict.fromkeys(one.model for one in found))
    if not names:
        raise InputError("The run has no baseline that is done, and there is nothing to compare with.")
    if asked is not None and asked not in names:
        raise InputError(f"{asked}: the run has no such baseline that is done; it has {', '.join(names)}.")
    return asked or (USUAL if USUAL in names else leader(found).model)


def experiment_at(results: Path, log: str | None, file: Path | None) -> Experiment:
    """The run's experiment, its log at `log` where that is given; `file` has the classes that do not ship."""
    declared = load_experiment(file)[0] if file else None
    experiment = experiment_from_settings(read_pin(results / "pin.json")["experiment"], declared)
    source: Any = experiment.source
    if log is not None:
        if not hasattr(source, "path"):
            raise InputError(f"--log: {log!r} is given, but source {source.name} reads no file; leave it out.")
        source = replace(source, path=log)
    return replace(experiment, source=source)


def require_log(source: Any, module: str, results: Path) -> None:
    """Raise InputError, with the line of `module` to run, where a run's log is not there, or another in its place."""
    pin = read_pin(results / "pin.json")
    try:
        check_files(source, pin)
    except InputError as error:
        log = Path(str(pin["experiment"]["source"]["path"])).name
        again = shell_command(module, str(results), "--log", f"FOLDER/{log}")
        raise InputError(f"{error} A run keeps the names of its files alone; say where they lie:\n  {again}") from None
