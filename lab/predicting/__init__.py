"""Trained cells, loaded to predict with.

Here: a finished cell read back from its results folder, what it expects of users' interests at every cutoff, which
items it names first, and what several cells predict together. A new way to use a trained cell is a file here.

May import every room but `lab.commands`. Nothing that trains or tabulates depends on it.
"""

from typing import TYPE_CHECKING

from lab.core.lazy import lazy_exports

if TYPE_CHECKING:
    from lab.predicting.interests import evolution
    from lab.predicting.items import next_items
    from lab.predicting.trained_cell import TrainedCell, load_cell, load_cells
    from lab.predicting.users import user_ids, user_rows

__all__ = ["TrainedCell", "evolution", "load_cell", "load_cells", "next_items", "user_ids", "user_rows"]

__getattr__, __dir__ = lazy_exports(
    __name__,
    {
        "TrainedCell": "trained_cell",
        "evolution": "interests",
        "load_cell": "trained_cell",
        "load_cells": "trained_cell",
        "next_items": "items",
        "user_ids": "users",
        "user_rows": "users",
    },
)
