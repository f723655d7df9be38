"""What a run's work is made of: kinds, each of which takes about as long every time it is done."""

from collections import Counter
from collections.abc import Iterable, Sequence

from lab.experiment.cells import Cell
from lab.models.base import Model
from lab.running import guesses

DATA, JUDGE = "data", "judge"
"""Making a fold's rows ready, and judging a trained cell."""


def work_kind(cell: Cell) -> str:
    """The kind of a cell's own work: fitting a baseline, or a model's training step."""
    return f"{'train' if cell.kind == 'model' else 'fit'} {cell.model}"


def compile_kind(cell: Cell) -> str:
    """The kind of a program's first call, which compiles it."""
    return f"start {cell.model}"


def work_units(cell: Cell) -> int:
    """How much of its kind a cell is: training steps, or one fit."""
    return cell.experiment.training.steps if cell.kind == "model" else 1


def count_work(parts: Iterable[Sequence[Cell]]) -> Counter[str]:
    """Kind -> units, of cells in parts that share their rows."""
    units: Counter[str] = Counter()
    for part in parts:
        units[DATA] += 1
        units.update({compile_kind(cell): 1 for cell in part if cell.kind == "model"})
        for cell in part:
            units[work_kind(cell)] += work_units(cell)
            units[JUDGE] += cell.kind == "model"
    return units


def expected_seconds(parts: Iterable[Sequence[Cell]], events: int) -> dict[str, float]:
    """Kind -> seconds that one unit takes about, for a log of so many events, on the cores of this machine."""
    found = {DATA: guesses.EVENT * events}
    for cell in (cell for part in parts for cell in part):
        if isinstance(cell.settings, Model):
            training = cell.experiment.training
            step = guesses.step_seconds(cell.settings, training.batch * training.row_length) / guesses.cores()
            found |= {work_kind(cell): step, compile_kind(cell): guesses.COMPILING, JUDGE: guesses.JUDGING * step}
        else:
            found[work_kind(cell)] = guesses.fit_seconds(cell.model, events)
    return found
