"""How far a grid is: which of its cells are done, in work, failed, damaged, missing, or of other settings or code."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from rich.console import Console
from rich.table import Table

from lab.cell_record import CellRecord, place_of
from lab.cells import Cell
from lab.claims import Claims
from lab.stale import moved
from lab.store import Store, days

STATES = ("done", "running", "failed", "diverged", "stale", "damaged", "missing")


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


def states(store: Store, cells: Sequence[Cell]) -> list[State]:
    """How each cell stands. A cell is stale where only one of another identity lies at its place of the grid."""
    records, damaged = store.readable()
    stored = {record.id: record for record in records}
    at_place: dict[tuple, list[CellRecord]] = {}
    for record in stored.values():
        at_place.setdefault(place_of(record), []).append(record)
    claims = Claims(store.root)
    return [
        State(cell, "damaged", fault=str(damaged[cell.id]))
        if cell.id in damaged
        else _state(cell, stored.get(cell.id), at_place, claims)
        for cell in cells
    ]


def _state(cell: Cell, record: CellRecord | None, at_place: Mapping[tuple, list[CellRecord]], claims: Claims) -> State:
    if record is not None and record.status in ("done", "diverged"):
        return State(cell, record.status)
    if not claims.free(cell.id):
        return State(cell, "running")
    if record is not None:
        return State(cell, record.status)
    planned = cell.record("missing")
    others = [moved(planned, other) for other in at_place.get(place_of(planned), [])]
    # Of several the nearest: what it takes to explain it.
    return (
        State(cell, "stale", min(others, key=lambda names: (len(names), names))) if others else State(cell, "missing")
    )


def print_states(found: Sequence[State], console: Console) -> None:
    """A row for each line of the grid, and what moved where something is stale."""
    total = Counter(one.state for one in found)
    shown = [name for name in STATES if name != "damaged" or total[name]]
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column("", overflow="fold")
    for name in ("days", *shown):
        table.add_column(name, justify="right", no_wrap=True)
    lines: dict[tuple[str, float], Counter[str]] = {}
    for one in found:
        lines.setdefault((one.cell.title, one.cell.horizon), Counter())[one.state] += 1
    for (name, horizon), counts in lines.items():
        table.add_row(name, days(horizon), *(str(counts[state] or "-") for state in shown))
    table.add_row("all", "", *(str(total[state] or "-") for state in shown))
    console.print(table)
    for one in found:
        if one.fault:
            console.print(one.fault, markup=False, highlight=False, soft_wrap=True)  # a path stays whole
    for names, count in sorted(Counter(one.moved for one in found if one.state == "stale").items()):
        text = f"stale: {count} cells on disk differ in {', '.join(names)}; a run computes them anew."
        console.print(text, markup=False, highlight=False)
