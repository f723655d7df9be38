"""What each line took: parameters of a network, and seconds of a cell."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from lab.core.progress import duration
from lab.report.contents import Contents
from lab.results.line import Line


@dataclass(frozen=True)
class LineTiming:
    """A line's cells, on the machine that the page names."""

    line: Line
    parameters: int
    """0 where nothing is trained."""
    seconds: float
    """Of one cell, all that was timed of it: the mean over its cells."""

    @property
    def time(self) -> str:
        return f"{self.seconds:.2g} s" if self.seconds < 10 else duration(self.seconds)


def line_timings(contents: Contents) -> list[LineTiming]:
    """The lines of which something was timed, in their order; by the pin where cells are elsewhere."""
    pinned = {cell.get("id"): cell for cell in contents.facts.get("cells") or ()}
    return [one for line in contents.lines for one in _line_timing(line, pinned)]


def _line_timing(line: Line, pinned: Mapping[Any, Mapping[str, Any]]) -> Iterator[LineTiming]:
    timings = [cell.timing or pinned.get(cell.id, {}).get("timing") or {} for cell in line.done]
    seconds = [sum(one[name] for name in ("total", "train", "judge") if name in one) for one in timings if one]
    if seconds:
        parameters = max(cell.parameters or pinned.get(cell.id, {}).get("parameters") or 0 for cell in line.done)
        yield LineTiming(line, parameters, sum(seconds) / len(seconds))
