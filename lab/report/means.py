"""The main metric of every line: over horizons where there are several, else row by row."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from lab.experiment.cell_record import KINDS
from lab.report.contents import Contents
from lab.report.curves import curve, shifted_places
from lab.report.panels import label_rows, legend, panels, room_for
from lab.report.style import line_style
from lab.results.cells_table import days
from lab.results.line import Line
from lab.results.summary import Estimate
from lab.statistics.intervals import Interval


def lines_by_name(contents: Contents) -> dict[str, list[Line]]:
    """The lines of one name, target apart, over horizons."""
    several = len({line.target for line in contents.lines}) > 1
    found: dict[str, list[Line]] = {}
    for line in contents.lines:
        name = f"{line.target}: {line.name}" if several else line.name
        found.setdefault(name, []).append(line)
    return found


def estimates(contents: Contents, lines: Sequence[Line], part: str, metric: str = "") -> list[tuple[float, Estimate]]:
    """Horizon and estimate of each line that has a number in a slice; by default of the leading metric."""
    metric = metric or contents.lead.name
    found = [(line.horizon, contents.summary.estimate(line, part, metric)) for line in lines]
    return [(horizon, one) for horizon, one in found if one is not None and np.isfinite(one.mean)]


def over_horizons(contents: Contents) -> Any:
    """A panel for each slice; None where there is one horizon alone."""
    horizons = sorted({line.horizon for line in contents.lines})
    if len(horizons) == 1:
        return None
    places, rows = np.log(horizons).tolist(), lines_by_name(contents)
    figure, drawn = panels(5.2, len(contents.slices))
    for part, panel in zip(contents.slices, drawn, strict=True):
        for index, (name, lines) in enumerate(rows.items()):
            if found := estimates(contents, lines, part):
                here = [horizons.index(horizon) for horizon, _ in found]
                where = shifted_places(places, index, len(rows))[here]
                curve(panel, where, [interval(one) for _, one in found], index, name)
        panel.set(title=part, xlabel="horizon, days")
        panel.set_xticks(places, [days(horizon) for horizon in horizons])
    drawn[0].set_ylabel(contents.lead.label)
    legend(figure, drawn)
    return figure


def row_by_row(contents: Contents) -> Any:
    """A panel for each slice; None over several horizons, and where variants have a figure of their own."""
    if len({line.horizon for line in contents.lines}) > 1 or any(line.variant for line in contents.lines):
        return None
    rows = lines_by_name(contents)
    figure, drawn = panels(1.4 + room_for(rows) * len(rows), len(contents.slices), sharey=True)
    for part, panel in zip(contents.slices, drawn, strict=True):
        for row, lines in enumerate(rows.values()):
            for _, one in estimates(contents, lines, part):
                _draw(panel, row, one, lines[0])
        panel.set(title=part, xlabel=contents.lead.label)
    label_rows(drawn[0], rows)
    legend(figure, drawn)
    return figure


def _draw(panel: Any, row: int, one: Estimate, line: Line) -> None:
    how = line_style(KINDS.index(line.kind)) | {"linestyle": "none"}
    ends = interval(one)
    panel.plot([ends.low, ends.high], [row, row], color=how["color"], linewidth=2.4, alpha=0.45)
    panel.plot([one.mean], [row], label=line.kind, **how)


def interval(one: Estimate) -> Interval:
    """The interval over users about an estimate; of no length where too few users leave none."""
    return Interval(one.mean, *((one.users.low, one.users.high) if one.users else (one.mean, one.mean)))
