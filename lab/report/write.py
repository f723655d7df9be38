"""From a results folder to its figures and its page."""

from collections.abc import Collection
from dataclasses import replace
from pathlib import Path

from rich.console import Console

from lab.core.errors import FaultError
from lab.core.files import write_whole
from lab.core.progress import Progress
from lab.report.contents import Contents, read_contents
from lab.report.figures import COMPARED, EXPLAINED, draw, figure_specs
from lab.report.page import page
from lab.results.stages import DRAW, READ
from lab.results.store import Store
from lab.results.tables import write_tables

FIGURES, PAGE = "figures", "report.html"
"""Where they lie in a results folder."""


NO_FLAG = ""
"""A report is written into the folder that it is of."""

FIGURES_OF_ALL = len(COMPARED) + len(EXPLAINED)
"""Figures of every report; a target may want more."""


def write_report(root: Path, stale: bool = False, console: Console | None = None) -> Path:
    """Write summary.csv, .md and .tex, figures/ and report.html into a results folder; the page's path.

    Raises InputError for a folder without results, or with stale ones where `stale` does not ask for them; FaultError
    where one of its files is damaged.
    """
    Store(root).refuse_links()
    with Progress({READ: 3, DRAW: FIGURES_OF_ALL}, "report", console) as progress:
        progress.advance(0, "reading cells")
        before = read_contents(root, stale, compared=not (root / "cells").is_dir())
        progress.advance(1, "comparing rows", READ)
        if before.has_cells:
            measures = before.summary.measures
            write_tables(before.store, before.planned, left_out=before.left_out, flag=NO_FLAG, measures=measures)
        progress.advance(1, "reading the tables", READ)
        return _draw(root, stale, progress)


def draw_report(
    root: Path, stale: bool = False, console: Console | None = None, progress: Progress | None = None
) -> Path:
    """Write figures/ and report.html of the cells and tables that are there; the page's path.

    `progress` counts it among other work; without one it has a bar of its own.
    """
    Store(root).refuse_links()
    if progress is not None:
        return _draw(root, stale, progress)
    with Progress({READ: 1, DRAW: FIGURES_OF_ALL}, "report", console) as progress:
        progress.advance(0, "reading the tables")
        return _draw(root, stale, progress)


def _draw(root: Path, stale: bool, progress: Progress) -> Path:
    """Draw and write; of several targets each has a page, and the path is the first one's."""
    contents = read_contents(root, stale)
    if (root / FIGURES).is_symlink():
        raise FaultError(f"{root / FIGURES}: is a link, and files of another folder would be replaced; remove it.")
    progress.advance(1, "drawing", READ)
    parts = contents.by_target()
    pages = [_page(root, part, target if len(parts) > 1 else "", progress) for target, part in parts.items()]
    return pages[0]


def _page(root: Path, contents: Contents, target: str, progress: Progress) -> Path:
    """The figures and the page of one target, whose name is theirs where there are others."""
    drawings, mark = [], f"{target}-" if target else ""
    for title, one in draw(contents):
        drawings += [replace(one, name=mark + one.name)] if one else []
        progress.advance(1, title, DRAW)
    # Where cells are elsewhere, figures of the run that had them stay.
    older = {mark + one.name for one in figure_specs(contents)} - {one.name for one in drawings}
    _remove_older(root / FIGURES, older if contents.has_cells else set())
    for one in drawings:
        write_whole(root / FIGURES / f"{one.name}.svg", one.svg, NO_FLAG)
        write_whole(root / FIGURES / f"{one.name}.png", one.png, NO_FLAG)
    path = root / (f"report-{target}.html" if target else PAGE)
    write_whole(path, page(contents, drawings).encode(), NO_FLAG)
    return path


def _remove_older(folder: Path, names: Collection[str]) -> None:
    """Remove figures of an earlier run, which had numbers for them."""
    for path in [path for path in folder.glob("*.*") if path.stem in names]:
        path.unlink()


def drawn_figures(root: Path) -> dict[str, Path]:
    """The figures of a results folder as PNG files by name, in the order of names; none where none was drawn."""
    return {path.stem: path for path in sorted((root / FIGURES).glob("*.png"))}
