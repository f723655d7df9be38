"""Which cells of a run are still to be computed, and are free."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from lab.experiment.cells import Cell
from lab.results.claims import Claims
from lab.results.store import Store


@dataclass(frozen=True)
class OpenCells:
    """Which cells nobody has ended since this run began, and who works on them."""

    store: Store
    claims: Claims
    before: Mapping[str, tuple[int, int] | None]
    """The stamps of what was there when the run began: what failed then is tried once more, by one process."""

    def is_open(self, cell: Cell) -> bool:
        return self.store.stamp(cell.id) in (None, self.before[cell.id])

    def take(self, cells: Sequence[Cell]) -> list[Cell]:
        """Claim those that are open and free."""
        taken = [cell for cell in cells if self.is_open(cell) and self.claims.take(cell.id)]
        # Another may have ended one between the look and the claim.
        ended = [cell for cell in taken if not self.is_open(cell)]
        self.claims.release([cell.id for cell in ended])
        return [cell for cell in taken if cell not in ended]
