"""Panels of a figure, and the one legend under them."""

from collections.abc import Iterable
from typing import Any

from lab.answers import span
from lab.summary import Line

Place = tuple[str, float]
"""A target and a horizon in days: what has a panel of its own."""

ACROSS = 3
"""Panels side by side at most; more than that are too narrow for a phone."""


def panels(width: float, height: float, columns: int = 1, rows: int = 1, **how: Any) -> tuple[Any, list[Any]]:
    """A figure and its panels, row by row."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    return figure, list(figure.subplots(rows, columns, squeeze=False, **how).flat)


def panel_each(places: Iterable[Place], height: float, **how: Any) -> tuple[Any, dict[Place, Any]]:
    """A figure with a panel for each target and horizon, ACROSS in a row, titled."""
    asked = sorted(set(places))
    columns = min(len(asked), ACROSS)
    rows = -(-len(asked) // columns)
    figure, found = panels(max(4.6, 3.1 * columns), 0.9 + height * rows, columns, rows, **how)
    for spare in found[len(asked) :]:
        spare.remove()
    several = len({target for target, _ in asked}) > 1
    for (target, horizon), panel in zip(asked, found, strict=False):
        panel.set_title(f"{target}, next {span(horizon)}" if several else f"next {span(horizon)}")
    return figure, dict(zip(asked, found, strict=False))


def place_of(line: Line) -> Place:
    return line.target, line.horizon


def legend(figure: Any, axes: Any) -> None:
    """One legend under all panels, in as many columns as its names leave room for."""
    handles, names = axes.get_legend_handles_labels()
    columns = max(1, min(4, 90 // (max(map(len, names), default=1) + 8)))
    figure.legend(handles, names, loc="outside lower center", ncols=columns, fontsize=9, handlelength=3)


def fullest(found: Iterable[Any]) -> Any:
    """The panel with most lines, whose legend serves all."""
    return max(found, key=lambda panel: len(panel.lines))
