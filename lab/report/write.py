"""From a results folder to its figures and its page."""

from pathlib import Path

from lab.files import write_whole
from lab.report.contents import read_contents
from lab.report.figures import draw
from lab.report.page import page
from lab.tables import write_tables

FIGURES, PAGE = "figures", "report.html"
"""Where they lie in a results folder."""


def write_report(root: Path, stale: bool = False) -> Path:
    """Write summary.csv, .md and .tex, figures/ and report.html into a results folder; the page's path.

    Raises InputError for a folder without results, or with stale ones where `stale` does not ask for them; FaultError
    where one of its files is damaged.
    """
    before = read_contents(root, stale)
    write_tables(before.store, before.planned)
    return draw_report(root, stale)


def draw_report(root: Path, stale: bool = False) -> Path:
    """Write figures/ and report.html of the cells and tables that are there; the page's path."""
    contents = read_contents(root, stale)
    drawings = list(draw(contents))
    for one in drawings:
        write_whole(root / FIGURES / f"{one.name}.svg", one.svg)
        write_whole(root / FIGURES / f"{one.name}.png", one.png)
    path = root / PAGE
    write_whole(path, page(contents, drawings).encode())
    return path


def drawn_figures(root: Path) -> dict[str, Path]:
    """The figures of a results folder as PNG files by name, in the order of names; none where none was drawn."""
    return {path.stem: path for path in sorted((root / FIGURES).glob("*.png"))}
