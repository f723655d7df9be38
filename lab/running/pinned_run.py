"""The run of a pin: its log made ready here, and cells of it computed again."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console

from lab.core.errors import InputError
from lab.experiment.cell_record import place_of
from lab.experiment.experiment import Experiment
from lab.pins.pin import pinned_cell
from lab.running.run_settings import RunSettings
from lab.running.runner import Run
from lab.tracking.tracker import Tracking


def prepare_pinned_run(pin: Mapping[str, Any], experiment: Experiment, out: Path, cache: Path | None) -> Run:
    """The run, its log ready. Raises InputError where that is not the pinned one, whatever its files are."""
    run = Run(experiment, RunSettings(out, cache, Tracking(mode="off"), Console()))
    was, now = pin["data"]["fingerprint"], run.histories.fingerprint
    if was != now:
        raise InputError(f"source: the histories made of it have the fingerprint {now}, those of the pin {was}.")
    return run


def compute_pinned_cells(run: Run, chosen: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The chosen cells computed here, each as a pin holds it."""
    mine = {place_of(cell.record("missing")): cell for cell in run.cells}
    cells = [mine[place_of(one)] for one in chosen]
    run.store.check_writable()
    with run.tracker() as tracker:
        run.compute_cells([cell for cell in cells if not run.store.is_finished(cell.id)], tracker)
    return [pinned_cell(run.store, run.store.read(cell.id)) for cell in cells]
