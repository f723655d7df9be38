"""How far a grid is: which cells are done, in work, stopped, failed, damaged, missing, or of other settings or code."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from rich.console import Console
from rich.table import Table
from rich.text import Text

from lab.core.errors import FaultError
from lab.core.escape import printable, terminal
from lab.core.progress import duration
from lab.core.words import plural
from lab.data.timeline import LAST_EVENT
from lab.experiment.cell_record import CellRecord, place_of
from lab.experiment.cells import Cell
from lab.results.cells_table import days
from lab.results.claims import Claims
from lab.results.damage import damage_report, find_damage
from lab.results.stale_cells import moved_parts
from lab.results.store import Store
from lab.training.checkpoints import from_bytes

STATES = ("done", "running", "stopped", "failed", "diverged", "stale", "damaged", "missing")
SELDOM = ("stopped", "failed", "diverged", "stale", "damaged")
"""States that have a column only where some cell is in them, so that names of rows have room."""


@dataclass(frozen=True)
class LastCheckpoint:
    """How far a cell's training was when it was kept last."""

    step: int
    seconds: float
    """Spent on it until then."""
    valid_loss: float
    """The lowest so far."""


@dataclass(frozen=True)
class State:
    """One planned cell as it stands."""

    cell: Cell
    state: str
    """One of STATES."""
    moved: tuple[str, ...] = ()
    """Of a stale cell: the fingerprints and settings by which what is on disk differs from what is planned."""
    broken: tuple[str, ...] = ()
    """Of a damaged cell: its files that are missing or damaged."""
    kept: LastCheckpoint | None = None
    """Of a cell in training or stopped in it, once it was kept."""


def states(store: Store, cells: Sequence[Cell]) -> list[State]:
    """How each cell stands. A cell is stale where only one of another identity lies at its place of the grid."""
    stored = {record.id: record for record in store.readable()}
    damaged = find_damage(store, [cell.id for cell in cells])
    at_place: dict[tuple, list[CellRecord]] = {}
    for record in stored.values():
        at_place.setdefault(place_of(record), []).append(record)
    claims, begun = Claims(store.root), set(store.cells_in_training())
    return [
        State(cell, "damaged", broken=tuple(damaged[cell.id]))
        if cell.id in damaged
        else _state(
            cell, stored.get(cell.id), at_place, claims, _last_checkpoint(store, cell.id) if cell.id in begun else None
        )
        for cell in cells
    ]


def _last_checkpoint(store: Store, cell: str) -> LastCheckpoint | None:
    """What a cell's newest checkpoint says that is whole; None where none is."""
    kept = store.checkpoints(cell)
    for number in kept.numbers():
        try:
            one = from_bytes(kept.read(number))
        except FaultError:  # a run says so, and goes on from the one before it
            continue
        return LastCheckpoint(int(one.state.step), one.seconds, float(one.state.best_loss))
    return None


def _state(
    cell: Cell,
    record: CellRecord | None,
    at_place: Mapping[tuple, list[CellRecord]],
    claims: Claims,
    kept: LastCheckpoint | None,
) -> State:
    if record is not None and record.status in ("done", "diverged"):
        return State(cell, record.status)
    if not claims.free(cell.id):
        return State(cell, "running", kept=kept)
    if record is not None:
        return State(cell, record.status)
    if kept is not None:
        return State(cell, "stopped", kept=kept)
    planned = cell.record("missing")
    others = [moved_parts(planned, other) for other in at_place.get(place_of(planned), [])]
    # Of several the nearest: what it takes to explain it.
    return (
        State(cell, "stale", min(others, key=lambda names: (len(names), names))) if others else State(cell, "missing")
    )


def print_states(found: Sequence[State], store: Store, console: Console) -> None:
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
    for line in damage_report(store, {one.cell.id: one.broken for one in found if one.broken}):
        console.print(terminal(line), markup=False, highlight=False, soft_wrap=True)  # a path stays whole
    if old := store.outdated():
        said = f"{plural(len(old), 'cell')} on disk of another version of the lab, such as {old[0]}: not read."
        console.print(terminal(said), markup=False, highlight=False)
    for line in _explanations(found):
        console.print(terminal(line), markup=False, highlight=False)


def _numbers(counts: Counter[str], shown: Sequence[str]) -> list[str]:
    return [str(counts[state] or "-") for state in shown]


def _table(rows: Sequence[tuple[str, ...]]) -> Table:
    """The first row is the heading."""
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column(rows[0][0], overflow="fold")
    for name in rows[0][1:]:
        table.add_column(name, justify="right", no_wrap=True)
    for row in rows[1:]:
        table.add_row(*(Text(printable(entry)) for entry in row))
    return table


def _explanations(found: Sequence[State]) -> Iterator[str]:
    """How far cells in training are, and what a run does with cells that were stopped, or that are stale."""
    for step, some in _by_step(found, "running"):
        yield f"running, at step {step:,} or beyond: {_so_far(some)}."
    for step, some in _by_step(found, "stopped"):
        yield f"stopped at step {step:,}: {_so_far(some)}; a run goes on from there."
    for names, count in sorted(Counter(one.moved for one in found if one.state == "stale").items()):
        yield f"stale in {', '.join(names)}: {plural(count, 'cell')} on disk; a run computes what is stale anew."


def _by_step(found: Sequence[State], state: str) -> list[tuple[int, list[LastCheckpoint]]]:
    """Cells in a state by the step at which they were kept last, ascending; nothing of those not kept yet."""
    kept = [one.kept for one in found if one.state == state and one.kept is not None]
    return [(step, [one for one in kept if one.step == step]) for step in sorted({one.step for one in kept})]


def _so_far(some: Sequence[LastCheckpoint]) -> str:
    """How many cells, the time that went into them until then and how low the valid loss came."""
    losses = [f"{loss:.4f}" for loss in (min(one.valid_loss for one in some), max(one.valid_loss for one in some))]
    lowest = " to ".join(dict.fromkeys(losses))
    return f"{plural(len(some), 'cell')} after {duration(max(one.seconds for one in some))}, valid loss {lowest}"
