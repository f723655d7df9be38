"""How far a grid is, told from what lies on disk."""

from dataclasses import replace
from io import StringIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rich.console import Console

from lab.core.errors import FaultError
from lab.data.timeline import LAST_EVENT
from lab.experiment.cells import Cell, grid
from lab.results.cell_files import USERS
from lab.results.claims import Claims
from lab.results.damage import refuse_damaged
from lab.results.store import Store
from lab.running.status import SELDOM, STATES, print_states, states
from lab.training.checkpoints import Checkpoint, to_bytes
from lab.training.optimiser import ADAM
from lab.training.program import EvaluationResult
from lab.training.settings import Training
from lab.training.state import TrainState
from lab.training.step import StepMetrics
from lab.training.visits import Position
from tests.results.made import evaluation, same_everywhere
from tests.small_experiment import small_experiment

FIVE = Training(steps=5)


def cells_of(data: str = "data", **changed: object) -> list[Cell]:
    return grid(replace(small_experiment(), **changed), data, oracle=False)  # type: ignore[arg-type]


def status_text(store: Store, cells: list[Cell]) -> str:
    console = Console(file=StringIO(), width=80)
    print_states(states(store, cells), store, console)
    return console.file.getvalue()  # type: ignore[attr-defined]


def test_each_cell_stands_as_it_is_on_disk(tmp_path: Path) -> None:
    store, cells = Store(tmp_path), cells_of()
    for cell, status in zip(cells, ("done", "failed", "diverged"), strict=False):
        store.write(cell.record(status))  # type: ignore[arg-type]
    with Claims(tmp_path) as claims:
        assert claims.take(cells[3].id)
        found = [one.state for one in states(store, cells)]
        assert found[:5] == ["done", "failed", "diverged", "running", "missing"]
    assert [one.state for one in states(store, cells)][3] == "missing"


def in_training(step: int, loss: float) -> bytes:
    """A checkpoint of one parameter."""
    one: Any = np.zeros(1, np.float32)
    state = TrainState(one, ADAM.init(one), one[0] + step, one, *[one[0]] * 5)._replace(best_loss=np.float32(loss))
    looks, steps = EvaluationResult(one, one, one), StepMetrics(one, one, one)
    return to_bytes(Checkpoint("here", Position(1, 0, step, None), state, looks, steps, step / 2, 0.0))


def test_what_was_stopped_in_its_training_is_told_with_its_newest_whole_step(tmp_path: Path) -> None:
    store, cells = Store(tmp_path), [cell for cell in cells_of() if cell.kind == "model"]
    for cell, step, loss in zip(cells[:3], (4_000, 4_000, 50), (0.75, 0.8125, 0.9), strict=True):
        store.checkpoints(cell.id).write(step, in_training(step, loss))
    newest = store.folder(cells[0].id) / "unfinished.004100"
    newest.write_bytes(b"torn")
    text = status_text(store, cells)
    lines = " ".join(text.split())
    assert "stopped at step 50: 1 cell after 25 s, valid loss 0.9000; a run goes on from there." in lines
    assert "stopped at step 4,000: 2 cells after 33 min 20 s, valid loss 0.7500 to 0.8125; a run" in lines
    with Claims(tmp_path) as claims:
        assert claims.take(cells[2].id)
        assert [one.state for one in states(store, cells)][:4] == ["stopped", "stopped", "running", "missing"]
        assert "running, at step 50 or beyond: 1 cell after 25 s, valid loss 0.9000." in status_text(store, cells)
    assert newest.exists()


def test_of_the_next_event_there_are_no_days(tmp_path: Path) -> None:
    cells = cells_of()
    assert "days" in status_text(Store(tmp_path), cells)
    text = status_text(Store(tmp_path), [replace(cell, horizon=LAST_EVENT) for cell in cells])
    assert "days" not in text and text.split("\n")[0].split() == [state for state in STATES if state not in SELDOM]


def test_an_empty_folder_misses_every_cell(tmp_path: Path) -> None:
    assert {one.state for one in states(Store(tmp_path / "none"), cells_of())} == {"missing"}


@pytest.mark.parametrize(
    ("planned", "moved"),
    [
        (cells_of(data="other", training=FIVE), ("data",)),
        (cells_of(training=Training(steps=7)), ("training.steps",)),
        (cells_of(data="other", training=Training(steps=7)), ("data", "training.steps")),
    ],
    ids=["data", "settings", "both"],
)
def test_what_moved_is_named(tmp_path: Path, planned: list[Cell], moved: tuple[str, ...]) -> None:
    store, before = Store(tmp_path), cells_of(training=FIVE)
    store.write(next(cell for cell in before if cell.kind == "model").record("done"))
    assert [one.moved for one in states(store, planned) if one.state == "stale"] == [moved]


@pytest.mark.parametrize("name", ["code", "packages"])
def test_code_and_packages_that_moved_are_named(tmp_path: Path, name: str) -> None:
    store, cells = Store(tmp_path), cells_of()
    record = cells[-1].record("done")
    store.write(replace(record, id="older", fingerprints={**record.fingerprints, name: "as it was"}))
    assert [one.moved for one in states(store, cells) if one.state == "stale"] == [(name,)]
    text = status_text(store, cells)
    assert f"stale in {name}: 1 cell on disk; a run computes what is stale anew." in text
    assert max(map(len, text.splitlines())) <= 80


def test_damaged_cells_are_counted_and_all_named_and_the_others_are_told(tmp_path: Path) -> None:
    store, cells = Store(tmp_path), cells_of()
    for cell in cells[:4]:
        store.write(cell.record("done"), judged=evaluation(same_everywhere(0.3)))
    assert "damaged" not in status_text(store, cells)
    one, cut, gone = (store.folder(cell.id) for cell in cells[1:4])
    (one / "cell.json").write_text('{"id": ')
    (cut / USERS).write_bytes((cut / USERS).read_bytes()[:-8])
    (gone / USERS).unlink()
    assert [one.state for one in states(store, cells)][:5] == ["done", *3 * ["damaged"], "missing"]
    lines = status_text(store, cells).splitlines()
    assert lines[0].split() == ["days", "done", "running", "damaged", "missing"]
    # No name is broken over two lines.
    assert {line.split("  ")[0] for line in lines[1:-5]} >= {f"{m} width=8 · more" for m in ("LSTM", "GRU")}
    assert "3 cells on disk" in lines[-4] and "delete the folders of these cells and run again" in lines[-4]
    assert lines[-3:] == [f"{one}: cell.json", f"{cut}: {USERS}", f"{gone}: {USERS}"]
    with pytest.raises(FaultError) as refused:
        refuse_damaged(store, [cell.id for cell in cells])
    assert str(refused.value).splitlines() == lines[-4:]
