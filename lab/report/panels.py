"""Panels of a figure, and the one legend under them."""

import textwrap
from collections.abc import Iterable
from typing import Any

from lab.core.escape import printable
from lab.results.conclusions import span
from lab.results.line import Line

Place = tuple[str, float]
"""A target and a horizon in days: what has a panel of its own."""

WIDTH = 9.0
"""Inches of every figure, so that letters are of one size all down a page."""
ACROSS = 3
"""Panels side by side at most; more than that are too narrow for a phone."""
LABEL, TITLE, LEGEND = 34, 64, 100
"""Letters of a row's label, of a title above one panel and of a name in the legend, before they go on below."""


def panels(height: float, columns: int = 1, rows: int = 1, **how: Any) -> tuple[Any, list[Any]]:
    """A figure and its panels, row by row."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(WIDTH, height), layout="constrained")
    return figure, list(figure.subplots(rows, columns, squeeze=False, **how).flat)


def panel_each(places: Iterable[Place], height: float, **how: Any) -> tuple[Any, dict[Place, Any]]:
    """A figure with a panel for each target and horizon, ACROSS in a row, titled."""
    asked = sorted(set(places))
    columns = min(len(asked), ACROSS)
    rows = -(-len(asked) // columns)
    figure, found = panels(0.9 + height * rows, columns, rows, **how)
    for spare in found[len(asked) :]:
        spare.remove()
    several = len({target for target, _ in asked}) > 1
    for (target, horizon), panel in zip(asked, found, strict=False):
        panel.set_title(titled(target, horizon, several, columns))
    return figure, dict(zip(asked, found, strict=False))


def titled(target: str, horizon: float, several: bool, columns: int) -> str:
    """The title of a panel, one of `columns` side by side; it names the target where there are several."""
    when = f"next {span(horizon)}"
    return wrapped(f"{target}, {when}" if several else when, TITLE // min(columns, ACROSS))


def place_of(line: Line) -> Place:
    return line.target, line.horizon


def wrapped(text: str, width: int) -> str:
    """A name on lines of at most that many letters, broken between words, for any text of a figure."""
    return textwrap.fill(printable(text, keep="\n\t"), width)


def label_rows(panel: Any, names: Iterable[str]) -> None:
    """Name the rows 0, 1, ... of a panel from the top down."""
    said = [wrapped(name, LABEL) for name in names]
    panel.set_yticks(range(len(said)), said, fontsize=9)
    panel.set_ylim(len(said) - 0.4, -0.6)


def room_for(names: Iterable[str]) -> float:
    """Inches of a row that has any of these names beside it."""
    return 0.12 + 0.16 * max((wrapped(name, LABEL).count("\n") + 1 for name in names), default=1)


def legend(figure: Any, found: Iterable[Any]) -> None:
    """One legend under all panels, of every name in any of them, in as many columns as the names leave room for."""
    said = [panel.get_legend_handles_labels() for panel in found]
    by_name = {name: handle for handles, names in reversed(said) for handle, name in zip(handles, names, strict=True)}
    names = list(dict.fromkeys(name for _, names in said for name in names))
    columns = max(1, min(4, 90 // (max(map(len, names), default=1) + 8)))
    handles, shown = [by_name[name] for name in names], [wrapped(name, LEGEND) for name in names]
    figure.legend(handles, shown, loc="outside lower center", ncols=columns, fontsize=9, handlelength=3)
