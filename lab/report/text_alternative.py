"""What a figure shows, in words and numbers, for those who cannot see it."""

from collections.abc import Iterator

from lab.report.contents import Contents
from lab.report.figures import Drawing
from lab.report.forest import leaders, leads
from lab.report.means import estimates
from lab.report.panels import place_of, titled
from lab.results.conclusions import number
from lab.results.line import Line
from lab.results.table_layout import short

MOST = 8
"""Lines of one horizon that are told with their numbers."""


def text_alternative(contents: Contents, one: Drawing) -> str:
    """Title, what is drawn, and the numbers of a figure that are the table's own; of the others, whose they are."""
    told = {"comparisons": _leads, "learning": _trained, "reliability": _line_names, "history": _line_names}.get(
        one.name, _means
    )
    return " ".join((f"{one.title}.", one.words, *told(contents)))


def _when(contents: Contents, line: Line) -> str:
    several = len({one.target for one in contents.lines}) > 1
    said = " ".join(titled(*place_of(line), several, 1).split())
    return said[0].upper() + said[1:]


def _means(contents: Contents) -> Iterator[str]:
    for place in dict.fromkeys(map(place_of, contents.lines)):
        lines = [line for line in contents.lines if place_of(line) == place]
        found = [(line, one.mean) for line in lines for _, one in estimates(contents, [line], "all")]
        best = sorted(found, key=lambda pair: -pair[1])[:MOST]
        if best:
            yield f"{_when(contents, lines[0])}: {', '.join(f'{line.name} {short(mean)}' for line, mean in best)}."


def _leads(contents: Contents) -> Iterator[str]:
    for _, leader in sorted(leaders(contents).items()):
        told = [f"{one.b} by {number(one.difference)}" for one in leads(contents, leader)[:MOST]]
        if told:
            yield f"{_when(contents, leader)}: {leader.name} is ahead of {', '.join(told)}."


def _trained(contents: Contents) -> Iterator[str]:
    yield _list_text(line.name for line in contents.lines if line.kind == "model")


def _line_names(contents: Contents) -> Iterator[str]:
    yield _list_text(line.name for line in contents.lines)


def _list_text(names: Iterator[str]) -> str:
    return f"Lines: {', '.join(dict.fromkeys(names))}."
