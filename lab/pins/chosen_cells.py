"""Which cells of a pin are computed again, and on how many devices."""

from collections.abc import Mapping, Sequence
from typing import Any

from lab.core.errors import InputError


def choose_cells(cells: Sequence[Mapping[str, Any]], count: int | None) -> list[Mapping[str, Any]]:
    """Cells to compute again: all that were computed, or `count` of them, spread over the lines, trained ones first."""
    there = [cell for cell in cells if cell["status"] != "missing"]
    if not there:
        raise InputError("cells: the pin holds no cell that was computed; there is nothing to reproduce.")
    if count is None or count >= len(there):
        return there
    lines: dict[tuple, list[Mapping[str, Any]]] = {}
    for cell in sorted(there, key=lambda cell: cell["kind"] != "model"):
        key = cell["kind"], cell["model"], cell["features"], cell.get("variant", ""), cell["horizon"]
        lines.setdefault(key, []).append(cell)
    rows = list(lines.values())
    trained = [row for row in rows if row[0]["kind"] == "model"]
    pool = trained if count <= len(trained) else rows
    if count <= len(pool):
        return [pool[i * len(pool) // count][0] for i in range(count)]
    rounds = [row[i] for i in range(max(map(len, rows))) for row in rows if i < len(row)]
    return rounds[:count]


def pinned_devices(chosen: Sequence[Mapping[str, Any]]) -> int | None:
    """On how many CPU devices the cells were trained: so many here too, whatever the cores. None for no CPU's."""
    return max((one["devices"] for one in chosen), default=0) or None
