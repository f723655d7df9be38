"""From a results folder to its figures and its page."""

from pathlib import Path

from lab.files import write_whole
from lab.report.contents import read_contents
from lab.report.figures import draw
from lab.report.page import page
from lab.tables import write_tables


def write_report(root: Path) -> Path:
    """Write summary.csv, .md and .tex, figures/ and report.html into a results folder; the page's path.

    Raises InputError for a folder without results, FaultError where one of its files is damaged.
    """
    before = read_contents(root)
    write_tables(before.store, before.planned)
    contents = read_contents(root)  # with the comparisons that were just made
    drawings = list(draw(contents))
    for one in drawings:
        write_whole(root / "figures" / f"{one.name}.svg", one.svg)
        write_whole(root / "figures" / f"{one.name}.png", one.png)
    path = root / "report.html"
    write_whole(path, page(contents, drawings).encode())
    return path
