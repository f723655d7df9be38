"""The arrays that a model is given: rows of packed steps, with what is asked and answered in them.

Every leaf has the rows on its leading axis (R on the host, B in a batch), so that one gather on that axis
takes a batch out of all rows. Shapes: T steps, Q queries, E entries, H horizons, L labels a row.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

Columns = dict[str, dict[str, Any]]
"""Group name -> column name -> array."""


class QueryArrays(NamedTuple):
    """Where a row is asked."""

    position: Any
    """int32[R, Q], the step (a tick) whose output answers; 0 where `real` is false."""
    calendar: Any
    """int32[R, Q], which tick of the split's calendar."""
    real: Any
    """bool[R, Q]; false for the padding."""


class EntryArrays(NamedTuple):
    """The candidates touched so far: alive at a query whose position is in [first, stop)."""

    candidate: Any
    """int32[R, E]; 0 in the padding, which is never alive."""
    first: Any
    """int32[R, E]."""
    stop: Any
    """int32[R, E]."""
    time: Any
    """float32[R, E], days since the history's first step."""


class LabelArrays(NamedTuple):
    """Answers by horizon: weight w of candidate `id` at query `query`; weight 0 in the padding."""

    query: Any
    """int32[R, H, L]."""
    id: Any
    """int32[R, H, L]."""
    weight: Any
    """float32[R, H, L]; a query's weights sum to 1, or to 0 where it has no label for that horizon."""


class Rows(NamedTuple):
    """R rows of T steps."""

    start: Any
    """bool[R, T], true at the first step of each segment and of the padding."""
    tick: Any
    """bool[R, T], true at ticks."""
    time: Any
    """float32[R, T], days since the history's first step."""
    columns: Columns
    """Columns of the step-side groups, [R, T, ...]."""
    query: QueryArrays
    entry: EntryArrays
    entry_columns: Columns
    """Columns of the candidate-side groups, [R, E, ...]."""
    label: LabelArrays

    @property
    def count(self) -> int:  # pyright: ignore[reportIncompatibleMethodOverride]
        """R; nobody counts equal arrays in a tuple, which is what the name would otherwise do."""
        return self.start.shape[0]

    @property
    def alive(self) -> Any:
        """bool[R, Q, E]: which entries each query sees, one for each candidate its user has touched."""
        position, entry = self.query.position[..., None], self.entry
        return (entry.first[:, None] <= position) & (position < entry.stop[:, None])


def leaves(tree: Any) -> list[np.ndarray]:
    """The arrays of (nested tuples and dicts of) arrays, in a fixed order."""
    if isinstance(tree, dict):
        return [leaf for key in sorted(tree) for leaf in leaves(tree[key])]
    if isinstance(tree, tuple):
        return [leaf for part in tree for leaf in leaves(part)]
    return [tree]


def map_leaves(change: Callable[[np.ndarray], np.ndarray], tree: Any) -> Any:
    """The same nested tuples and dicts, with each array changed."""
    if isinstance(tree, dict):
        return {key: map_leaves(change, part) for key, part in tree.items()}
    if isinstance(tree, tuple):
        return type(tree)(*(map_leaves(change, part) for part in tree))
    return change(tree)
