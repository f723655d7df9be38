"""The figures that a target declares for itself (`lab.evaluation.measures.Panel`), by their kinds."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from lab.evaluation.measures import ALL, Panel
from lab.report.contents import Contents
from lab.report.means import estimates, lines_by_name
from lab.report.panels import label_rows, legend, panels, room_for
from lab.report.reliability import reliability
from lab.report.style import line_style
from lab.results.conclusions import horizon_text
from lab.results.line import Line


def scatter(contents: Contents, panel: Panel) -> Any:
    """A metric in one slice against another: a line over horizons for each row, the longest marked."""
    first, second = panel.slices
    label = contents.measures.metric(panel.metric).label
    figure, (drawn,) = panels(5.8)
    for index, (name, lines) in enumerate(lines_by_name(contents).items()):
        across, up = (dict(estimates(contents, lines, part, panel.metric)) for part in (first, second))
        both = [horizon for horizon in across if horizon in up]
        if both:
            x, y = [across[h].mean for h in both], [up[h].mean for h in both]
            how = line_style(index) | {"linewidth": 0.9, "markersize": 7, "markevery": [-1]}
            # Of one horizon there is a point alone, and so in the legend.
            drawn.plot(x, y, label=name, **how | ({"linestyle": "none"} if len(both) == 1 else {}))
    if not drawn.lines:
        return None
    drawn.set(xlabel=f"{label} on {first}", ylabel=f"{label} on {second}")
    legend(figure, [drawn])
    return figure


def metric(contents: Contents, panel: Panel) -> Any:
    """A metric of each row over all queries, a point for each horizon."""
    spec = contents.measures.metric(panel.metric)
    found = {
        name: [(line.horizon, _mean(contents, line, panel.metric)) for line in lines]
        for name, lines in lines_by_name(contents).items()
    }
    found = {name: [(h, v) for h, v in values if np.isfinite(v)] for name, values in found.items()}
    found = {name: values for name, values in found.items() if values}
    if not found:
        return None
    horizons = sorted({horizon for values in found.values() for horizon, _ in values})
    figure, (drawn,) = panels(1.6 + max(0.36, room_for(found)) * len(found))
    for index, horizon in enumerate(horizons):
        places = [p for p, values in enumerate(found.values()) if horizon in dict(values)]
        means = [dict(values)[horizon] for values in found.values() if horizon in dict(values)]
        drawn.plot(means, places, label=horizon_text(horizon), **line_style(index) | {"linestyle": "none"})
    label_rows(drawn, found)
    best = {"lower": "lower is better", "nearest": f"{spec.best:g} is best"}.get(spec.better, "higher is better")
    drawn.set(xlabel=f"{spec.label} ({best})")
    if spec.low == 0 and spec.better == "lower":
        drawn.set_xlim(left=0)
    legend(figure, [drawn])
    return figure


def _mean(contents: Contents, line: Line, name: str) -> float:
    one = contents.summary.estimate(line, ALL, name)
    return one.mean if one else float("nan")


KINDS: Mapping[str, Callable[[Contents, Panel], Any]] = {
    "scatter": scatter,
    "metric": metric,
    "reliability": reliability,
}
