"""A line of a table: the cells that differ in fold and seed alone."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from lab.core.errors import InputError
from lab.experiment.cell_record import KINDS, STATUSES, CellRecord, Kind, line_name, line_of
from lab.results.cells_table import days


@dataclass(frozen=True)
class Line:
    """Cells that differ in fold and seed alone."""

    kind: Kind
    model: str
    features: str
    variant: str
    target: str
    horizon: float
    """Days."""
    cells: tuple[CellRecord, ...]

    @property
    def done(self) -> tuple[CellRecord, ...]:
        return tuple(cell for cell in self.cells if cell.status == "done")

    @property
    def complete(self) -> bool:
        return len(self.done) == len(self.cells)

    @property
    def name(self) -> str:
        """What the line is called: `lstm · full`, `last category`."""
        return line_name(self.model, self.features, self.variant, self.stale)

    @property
    def stale(self) -> tuple[str, ...]:
        """What differs from what is asked for; such a line is shown, and compared with none."""
        return self.cells[0].stale

    @property
    def counts(self) -> dict[str, int]:
        """How many cells ended how."""
        counted = Counter(cell.status for cell in self.cells)
        return {status: counted[status] for status in STATUSES}


def group_lines(records: Iterable[CellRecord]) -> list[Line]:
    """Group records into lines: targets, then horizons, then kinds, then lines as they first appear, stale ones below
    those in whose place they stand."""
    groups: dict[tuple, dict[tuple[str, ...], list[CellRecord]]] = {}
    for one in records:
        groups.setdefault(line_of(one), {}).setdefault(one.stale, []).append(one)
    found = [Line(*key, cells=tuple(group[s])) for key, group in groups.items() for s in sorted(group)]
    for line in found:
        _refuse_duplicates(line)
    targets = list(dict.fromkeys(line.target for line in found))
    return sorted(found, key=lambda line: (targets.index(line.target), line.horizon, KINDS.index(line.kind)))


def _refuse_duplicates(line: Line) -> None:
    seen: dict[tuple, str] = {}
    for cell in line.cells:
        place = (cell.fold, cell.seed)
        if place in seen:
            raise InputError(
                f"cells {seen[place]} and {cell.id} both claim {line.name}, horizon {days(line.horizon)}, fold "
                f"{cell.fold}, seed {cell.seed}: they are of two different settings; give each a folder with --out."
            )
        seen[place] = cell.id
