"""Kept cells of which a file is missing or damaged: found before work is built on them, and all named at once."""

from collections.abc import Iterable, Iterator, Mapping, Sequence

from lab.core.errors import FaultError
from lab.core.words import plural
from lab.results.cell_files import CHECKPOINT, RECORD
from lab.results.store import DamageError, Store

Damage = Mapping[str, Sequence[str]]
"""Cell -> the names of its files that are missing or damaged."""


LARGE = 1 << 24
"""Bytes (16 MiB) from which on a file is not read just to see whether it is whole."""


def find_damage(store: Store, cells: Iterable[str], checkpoints: bool = True) -> Damage:
    """What is damaged of those of the cells that are kept.

    Each file is read and its digest checked; of LARGE ones, and without `checkpoints` of these, the size alone: there
    are many, and nothing but predicting reads them. Raises FaultError where a file cannot be read.
    """
    kept = [cell for cell in dict.fromkeys(cells) if (store.folder(cell) / RECORD).exists()]
    found = {cell: _of_cell(store, cell, checkpoints) for cell in kept}
    return {cell: names for cell, names in found.items() if names}


def _of_cell(store: Store, cell: str, checkpoints: bool) -> list[str]:
    try:
        store.read(cell)
    except DamageError:
        return [RECORD]
    sizes = store.sizes(cell)
    by_size = {name for name, size in sizes.items() if size >= LARGE or (name == CHECKPOINT and not checkpoints)}
    return [
        name
        for name in store.digests(cell)
        if not (_is_long(store, cell, name, sizes[name]) if name in by_size else _is_whole(store, cell, name))
    ]


def _is_long(store: Store, cell: str, name: str, size: int) -> bool:
    path = store.folder(cell) / name
    return path.is_file() and path.stat().st_size == size


def _is_whole(store: Store, cell: str, name: str) -> bool:
    try:
        store.file(cell, name)
    except DamageError:
        return False
    return True


def damage_report(store: Store, damaged: Damage) -> Iterator[str]:
    """What is wrong and the cure, and then a line for each damaged cell; nothing where none is."""
    if damaged:
        these = "the folder of this cell" if len(damaged) == 1 else "the folders of these cells"
        yield (
            f"{store.root}: {plural(len(damaged), 'cell')} on disk with a file that is missing, damaged or was "
            f"changed; delete {these} and run again to recompute no more than that:"
        )
    yield from (f"{store.folder(cell)}: {', '.join(names)}" for cell, names in damaged.items())


def refuse_damaged(store: Store, cells: Iterable[str]) -> None:
    """Raise FaultError, which names them all, where some of the cells are damaged."""
    if damaged := find_damage(store, cells, checkpoints=False):
        raise FaultError("\n".join(damage_report(store, damaged)))
