"""`--only model=lstm horizon=30`: some cells of a grid, each with the id and the numbers it has in the whole."""

from collections.abc import Callable, Iterable, Sequence

from lab.core.errors import InputError
from lab.core.spelling import did_you_mean
from lab.experiment.cells import Cell

KEYS: dict[str, Callable[[Cell], Iterable[str]]] = {
    "model": lambda cell: (cell.model.lower(), cell.model.split()[0].lower()),
    "features": lambda cell: (cell.features.lower(),),
    "variant": lambda cell: (cell.variant.lower(),),
    "horizon": lambda cell: (f"{cell.horizon:g}",),
    "fold": lambda cell: (str(cell.fold),),
    "seed": lambda cell: (str(cell.seed),),
}
"""What a cell may be chosen by, and the values by which each finds it."""

OF_ALL = ("horizon", "fold")
"""The keys that baselines and oracle have too; by the others they stay beside the chosen models, by a
variant those that are the same to all."""


def select(cells: Sequence[Cell], only: Sequence[str]) -> list[Cell]:
    """The cells that all filters `key=value` choose. Raises InputError for an unknown key or value, and
    for filters that leave no model's cell together.
    """
    chosen = list(cells)
    for filter_ in only:
        key, _, value = filter_.partition("=")
        if key not in KEYS:
            raise InputError(
                f"--only: {filter_!r} filters by no known key{did_you_mean(key, KEYS)} ({', '.join(KEYS)})."
            )
        known = dict.fromkeys(name for cell in cells if cell.kind == "model" for name in KEYS[key](cell))
        if key == "variant" and not any(known):
            raise InputError(f"--only: {filter_!r} chooses by variant, and the experiment has none.")
        if value.lower() not in known:
            near = did_you_mean(value, known)
            raise InputError(f"--only: no cell has {filter_!r}{near} ({key} is one of {', '.join(known)}).")
        left = dict.fromkeys(name for cell in chosen if cell.kind == "model" for name in KEYS[key](cell))
        if value.lower() not in left:
            raise InputError(
                f"--only: {filter_!r} leaves none of the cells that the filters before it chose; of these {key} is "
                f"{' or '.join(left)}."
            )
        chosen = [c for c in chosen if _stays(c, key) or value.lower() in KEYS[key](c)]
    return chosen


def _stays(cell: Cell, key: str) -> bool:
    """Whether a cell is none that such a filter chooses among, and stays beside those that are."""
    return cell.kind != "model" and key not in OF_ALL and (key != "variant" or not cell.variant)
