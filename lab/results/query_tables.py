"""The metrics per query of a line's cells, which must be of the same queries."""

import numpy as np

from lab.core.errors import FaultError
from lab.results.cell_files import USERS
from lab.results.line import Line
from lab.results.store import Store

KEYS = ("user", "cutoff", "slice")


NOT_METRICS = (*KEYS, "history")
"""Columns that say which query a row is of; the others are metrics."""


def query_tables(store: Store, line: Line) -> dict[str, dict[str, np.ndarray]]:
    """The metrics per query of each done cell, by its id; empty where no cell of the line keeps any.

    Raises FaultError where the cells of a fold answer different queries, and where some keep theirs and one lost them.
    """
    tables = {cell.id: store.users(cell.id) for cell in line.done if store.has(cell.id, USERS)}
    for cell in line.done if tables else ():
        other = next((one.id for one in line.done if one.fold == cell.fold and one.id in tables), cell.id)
        if cell.id not in tables:
            raise FaultError(
                f"cell {cell.id} of the row {line.name} has no {USERS}, which {next(iter(tables))} has; "
                "delete its folder and run again."
            )
        if any(not np.array_equal(tables[cell.id][key], tables[other][key]) for key in KEYS):
            raise FaultError(
                f"cells {other} and {cell.id} of the row {line.name} answer different queries; they cannot be "
                "averaged. Delete the older one and run again."
            )
    return tables
