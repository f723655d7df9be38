"""How far a grid is: which cells are done, in work, stopped, failed, damaged, missing, or of other settings or code."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from rich.console import Console
from rich.table import Table

from lab.cell_record import CellRecord, place_of
from lab.cells import Cell
from lab.claims import Claims
from lab.data.timeline import LAST_EVENT
from lab.data.words import counted
from lab.errors import FaultError
from lab.stale import moved
from lab.store import Store, days
from lab.training.checkpoints import from_bytes

STATES = ("done", "running", "stopped", "failed", "diverged", "stale", "damaged", "missing")
SELDOM = ("stopped", "damaged")
"""States that have a column only where some cell is in them."""


@dataclass(frozen=True)
class State:
    """One planned cell as it stands."""

    cell: Cell
    state: str
    """One of STATES."""
    moved: tuple[str, ...] = ()
    """Of a stale cell: the fingerprints and settings by which what is on disk differs from what is planned."""
    fault: str = ""
    """Of a damaged cell: what is wrong with its record, and the cure."""
    step: int = 0
    """Of a cell in training or stopped in it: how far it was when it was kept last."""


def states(store: Store, cells: Sequence[Cell]) -> list[State]:
    """How each cell stands. A cell is stale where only one of another identity lies at its place of the grid."""
    records, damaged = store.readable()
    stored = {record.id: record for record in records}
    at_place: dict[tuple, list[CellRecord]] = {}
    for record in stored.values():
        at_place.setdefault(place_of(record), []).append(record)
    claims, begun = Claims(store.root), set(store.begun())
    return [
        State(cell, "damaged", fault=str(damaged[cell.id]))
        if cell.id in damaged
        else _state(cell, stored.get(cell.id), at_place, claims, _step(store, cell.id) if cell.id in begun else 0)
        for cell in cells
    ]


def _step(store: Store, cell: str) -> int:
    """The step of a cell's newest checkpoint that is whole; 0 where none is."""
    kept = store.unfinished(cell)
    for number in kept.numbers():
        try:
            return int(from_bytes(kept.read(number)).state.step)
        except FaultError:  # a run says so, and goes on from the one before it
            continue
    return 0


def _state(
    cell: Cell, record: CellRecord | None, at_place: Mapping[tuple, list[CellRecord]], claims: Claims, step: int
) -> State:
    if record is not None and record.status in ("done", "diverged"):
        return State(cell, record.status)
    if not claims.free(cell.id):
        return State(cell, "running", step=step)
    if record is not None:
        return State(cell, record.status)
    if step:
        return State(cell, "stopped", step=step)
    planned = cell.record("missing")
    others = [moved(planned, other) for other in at_place.get(place_of(planned), [])]
    # Of several the nearest: what it takes to explain it.
    return (
        State(cell, "stale", min(others, key=lambda names: (len(names), names))) if others else State(cell, "missing")
    )


def print_states(found: Sequence[State], console: Console) -> None:
    """A row for each line of the grid, and what moved where something is stale."""
    total = Counter(one.state for one in found)
    shown = [name for name in STATES if name not in SELDOM or total[name]]
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column("", overflow="fold")
    timed = any(one.cell.horizon != LAST_EVENT for one in found)  # of leave-one-out each horizon is the next event
    for name in (*(["days"] if timed else []), *shown):
        table.add_column(name, justify="right", no_wrap=True)
    lines: dict[tuple[str, float], Counter[str]] = {}
    for one in found:
        lines.setdefault((one.cell.title, one.cell.horizon), Counter())[one.state] += 1
    for (name, horizon), counts in lines.items():
        table.add_row(name, *([days(horizon)] if timed else []), *(str(counts[state] or "-") for state in shown))
    table.add_row("all", *([""] if timed else []), *(str(total[state] or "-") for state in shown))
    console.print(table)
    for one in found:
        if one.fault:
            console.print(one.fault, markup=False, highlight=False, soft_wrap=True)  # a path stays whole
    for line in _explained(found):
        console.print(line, markup=False, highlight=False)


def _explained(found: Sequence[State]) -> Iterator[str]:
    """How far cells in training are, and what a run does with cells that were stopped, or that are stale."""
    for step, count in sorted(Counter(one.step for one in found if one.state == "running" and one.step).items()):
        yield f"running, at step {step:,} or beyond: {counted(count, 'cell')}."
    for step, count in sorted(Counter(one.step for one in found if one.state == "stopped").items()):
        yield f"stopped at step {step:,}: {counted(count, 'cell')}; a run goes on from there."
    for names, count in sorted(Counter(one.moved for one in found if one.state == "stale").items()):
        yield f"stale in {', '.join(names)}: {counted(count, 'cell')} on disk; a run computes what is stale anew."
