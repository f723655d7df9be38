"""Cells in the middle of their training: kept every so often, and gone on with."""

import time
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass

from lab.core.errors import FaultError
from lab.core.fingerprint_marks import computes_cells
from lab.experiment.cells import Cell
from lab.results.claims import Claims
from lab.results.store import Store
from lab.running.checkpoint_schedule import CheckpointSchedule
from lab.training.checkpoints import Checkpoint, from_bytes, to_bytes

Say = Callable[[str], None]


class ChunkCheckpoints:
    """Keeps the cells of a chunk in their folders, as they are in the middle of their training.

    Where one cannot be kept, which is said once, training goes on: what was kept before still stands.
    """

    def __init__(self, cells: Sequence[Cell], store: Store, claims: Claims, every: float, say: Say) -> None:
        self._cells, self._store, self._claims, self._say = cells, store, claims, say
        self._schedule, self._failed = CheckpointSchedule(every), False
        self.seconds = 0.0
        """Spent on it so far."""

    def due(self) -> bool:
        return self._schedule.due()

    def keep(self, take: Callable[[], list[Checkpoint]]) -> None:
        begun = time.monotonic()
        try:
            for cell, one in zip(self._cells, take(), strict=True):
                # Who slept for long may have been taken for dead; then the cell is another's.
                if self._claims.holds(cell.id):
                    self._store.checkpoints(cell.id).write(one.position.dispatch, to_bytes(one))
        except FaultError as error:
            if not self._failed:
                self._say(f"No checkpoint of a cell in training: {error} Training goes on.")
            self._failed = True
        took = time.monotonic() - begun
        self.seconds += took
        self._schedule.record(took)


@dataclass(frozen=True)
class ResumeGroup:
    """Cells that go on from one place, each from its checkpoint there; with none, they begin."""

    cells: Sequence[Cell]
    start: Sequence[Checkpoint]

    def split(self, count: int) -> "tuple[ResumeGroup, ResumeGroup]":
        """The first of them, and the rest."""
        return ResumeGroup(self.cells[:count], self.start[:count]), ResumeGroup(self.cells[count:], self.start[count:])


@computes_cells("model")
def resume_groups(cells: Sequence[Cell], store: Store, origin: str, say: Say) -> Iterator[ResumeGroup]:
    """The cells by the place they can go on from together. What is damaged, or from elsewhere, is said and left."""
    found = [_checkpoints(cell, store, origin, say) for cell in cells]
    for place, indices in group_by_checkpoint(found):
        group, start = [cells[i] for i in indices], [found[i][place] for i in indices if place]
        if start:
            step, more = int(max(one.state.step for one in start)), len(group) - 1
            say(f"{group[0].id}{f' and {more} more' if more else ''}: training goes on after step {step}.")
        yield ResumeGroup(group, start)


def _checkpoints(cell: Cell, store: Store, origin: str, say: Say) -> dict[int, Checkpoint]:
    def damaged(error: FaultError) -> None:
        say(f"{error} {cell.id} goes on from the checkpoint before it, or begins anew where there is none.")

    whole = store.checkpoints(cell.id).read_intact(damaged)
    found = {number: from_bytes(content) for number, content in whole.items()}
    other = {one.origin for one in found.values()} - {origin}
    if other:
        say(f"{cell.id}: begins anew; its checkpoints are of {', '.join(sorted(other))}, this is {origin}.")
    return {number: one for number, one in found.items() if one.origin == origin}


def group_by_checkpoint(places: Sequence[Collection[int]]) -> list[tuple[int, list[int]]]:
    """Groups of cells, by index, that have a place in common to go on from; those that have none (0) come last.

    Of cells that were kept one after another when their process was killed, some lack the newest place: the others
    go back to the one before it, so that all of them stay one chunk.
    """
    left, groups = dict(enumerate(places)), []
    while any(left.values()):
        place = min(max(some) for some in left.values() if some)
        groups.append((place, [i for i, some in left.items() if place in some]))
        left = {i: some for i, some in left.items() if place not in some}
    return [*groups, *([(0, list(left))] if left else [])]
