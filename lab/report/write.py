"""From a results folder to its figures and its page."""

from pathlib import Path

from rich.console import Console

from lab.errors import FaultError
from lab.files import write_whole
from lab.progress import Progress
from lab.report.contents import read_contents
from lab.report.figures import DRAWN, draw
from lab.report.page import page
from lab.tables import write_tables

FIGURES, PAGE = "figures", "report.html"
"""Where they lie in a results folder."""


NO_FLAG = ""
"""A report is written into the folder that it is of."""

READ, DRAW = "reading", "drawing"
"""The kinds of work of a report."""


def write_report(root: Path, stale: bool = False, console: Console | None = None) -> Path:
    """Write summary.csv, .md and .tex, figures/ and report.html into a results folder; the page's path.

    Raises InputError for a folder without results, or with stale ones where `stale` does not ask for them; FaultError
    where one of its files is damaged.
    """
    with Progress({READ: 3, DRAW: len(DRAWN)}, "report", console) as progress:
        progress.advance(0, "reading cells")
        before = read_contents(root, stale)
        progress.advance(1, "comparing rows", READ)
        if before.has_cells:
            write_tables(before.store, before.planned, left_out=before.left_out, flag=NO_FLAG)
        progress.advance(1, "reading the tables", READ)
        return _draw(root, stale, progress)


def draw_report(root: Path, stale: bool = False, console: Console | None = None) -> Path:
    """Write figures/ and report.html of the cells and tables that are there; the page's path."""
    with Progress({READ: 1, DRAW: len(DRAWN)}, "report", console) as progress:
        progress.advance(0, "reading the tables")
        return _draw(root, stale, progress)


def _draw(root: Path, stale: bool, progress: Progress) -> Path:
    contents = read_contents(root, stale)
    if (root / FIGURES).is_symlink():
        raise FaultError(f"{root / FIGURES}: is a link, and files of another folder would be replaced; remove it.")
    progress.advance(1, "drawing", READ)
    drawings = []
    for title, one in draw(contents):
        drawings += [one] if one else []
        progress.advance(1, title, DRAW)
    # Of an earlier run, which had numbers for them; but where cells are elsewhere, of the run that had them.
    older = ({name for name, *_ in DRAWN} - {one.name for one in drawings}) if contents.has_cells else set()
    for path in [path for path in (root / FIGURES).glob("*.*") if path.stem in older]:
        path.unlink()
    for one in drawings:
        write_whole(root / FIGURES / f"{one.name}.svg", one.svg, NO_FLAG)
        write_whole(root / FIGURES / f"{one.name}.png", one.png, NO_FLAG)
    path = root / PAGE
    write_whole(path, page(contents, drawings).encode(), NO_FLAG)
    return path


def drawn_figures(root: Path) -> dict[str, Path]:
    """The figures of a results folder as PNG files by name, in the order of names; none where none was drawn."""
    return {path.stem: path for path in sorted((root / FIGURES).glob("*.png"))}
