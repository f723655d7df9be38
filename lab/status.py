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
    lines: dict[tuple[str, float], Counter[str]] = {}
    for one in found:
        lines.setdefault((one.cell.title, one.cell.horizon), Counter())[one.state] += 1
    rows: list[tuple[str, ...]] = [("", "days", *shown)]
    rows += [(name, days(horizon), *_numbers(counts, shown)) for (name, horizon), counts in lines.items()]
    rows += [("all", "", *_numbers(total, shown))]
    if all(one.cell.horizon == LAST_EVENT for one in found):  # each user's next event, which is in no number of days
        rows = [(first, *rest) for first, _, *rest in rows]
    console.print(_table(rows))
    for one in found:
        if one.fault:
            console.print(one.fault, markup=False, highlight=False, soft_wrap=True)  # a path stays whole
    for line in _explained(found):
        console.print(line, markup=False, highlight=False)


def _numbers(counts: Counter[str], shown: Sequence[str]) -> list[str]:
    return [str(counts[state] or "-") for state in shown]


def _table(rows: Sequence[tuple[str, ...]]) -> Table:
    """The first row is the heading."""
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column(rows[0][0], overflow="fold")
    for name in rows[0][1:]:
        table.add_column(name, justify="right", no_wrap=True)
    for row in rows[1:]:
        table.add_row(*row)
    return table


def _explained(found: Sequence[State]) -> Iterator[str]:
    """How far cells in training are, and what a run does with cells that were stopped, or that are stale."""
    for step, count in _steps(found, "running"):
        yield f"running, at step {step:,} or beyond: {counted(count, 'cell')}."
    for step, count in _steps(found, "stopped"):
        yield f"stopped at step {step:,}: {counted(count, 'cell')}; a run goes on from there."
    for names, count in sorted(Counter(one.moved for one in found if one.state == "stale").items()):
        yield f"stale in {', '.join(names)}: {counted(count, 'cell')} on disk; a run computes what is stale anew."


def _steps(found: Sequence[State], state: str) -> list[tuple[int, int]]:
    """Steps at which cells in a state were kept last, and of how many, ascending; nothing of cells not kept yet."""
    return sorted(Counter(one.step for one in found if one.state == state and one.step).items())
