"""Kept cells of which a file is missing or damaged: found before work is built on them, and all named at once."""

from collections.abc import Iterable, Iterator, Mapping, Sequence

from lab.data.words import counted
from lab.errors import FaultError
from lab.store import Store

Damage = Mapping[str, Sequence[str]]
"""Cell -> the names of its files that are missing or damaged."""


def damage(store: Store, cells: Iterable[str], contents: bool = False) -> Damage:
    """What is damaged of those of the cells that are kept: seen by sizes, or by `contents` too, where tables and
    figures read them."""
    found = {cell: store.broken(cell, contents) for cell in dict.fromkeys(cells)}
    return {cell: names for cell, names in found.items() if names}


def told(store: Store, damaged: Damage) -> Iterator[str]:
    """What is wrong and the cure, and then a line for each damaged cell; nothing where none is."""
    if damaged:
        these = "the folder of this cell" if len(damaged) == 1 else "the folders of these cells"
        yield (
            f"{store.root}: {counted(len(damaged), 'cell')} on disk with a file that is missing, damaged or was "
            f"changed; delete {these} and run again to recompute no more than that:"
        )
    yield from (f"{store.folder(cell)}: {', '.join(names)}" for cell, names in damaged.items())


def refuse_damaged(store: Store, cells: Iterable[str]) -> None:
    """Raise FaultError, which names them all, where some of the cells are damaged."""
    if damaged := damage(store, cells, contents=True):
        raise FaultError("\n".join(told(store, damaged)))
