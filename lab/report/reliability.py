"""Reliability: shares predicted against shares observed, and how many pairs each point stands on."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from lab.evaluation.measures import Panel
from lab.report.contents import Contents
from lab.report.panels import ACROSS, Place, legend, panels, place_of, titled
from lab.report.style import line_style, log_scale
from lab.results.line import Line

TABLE = "reliability"
"""Its name beside each cell."""

FEWEST = 20
"""Pairs of a query and a category below which a point is left out."""


def pooled_bins(contents: Contents, line: Line) -> dict[str, np.ndarray] | None:
    """Pairs, and sums of predicted and observed shares, by bin over all cells of a line; None where none kept any."""
    kept = [contents.store.table(c.id, TABLE) for c in line.done if contents.store.has(c.id, f"{TABLE}.csv")]
    if not kept:
        return None
    here = kept[0]["slice"] == "all"
    return {name: np.sum([one[name][here] for one in kept], axis=0) for name in ("pairs", "predicted", "observed")}


def reliability(contents: Contents, panel: Panel) -> Any:
    """A column for each horizon: the diagram, and the counts under it; None where no cell kept any."""
    found = [(line, one) for line in contents.lines if (one := pooled_bins(contents, line)) is not None]
    if not found:
        return None
    places = sorted({place_of(line) for line, _ in found})
    columns = min(len(places), ACROSS)
    bands = -(-len(places) // columns)  # of a row of diagrams and a row of counts each
    how: Any = {"sharex": True, "sharey": "row", "height_ratios": [3, 1] * bands}
    figure, drawn = panels(0.8 + 5.4 * bands, columns, 2 * bands, **how)
    names = list(dict.fromkeys(line.name for line in contents.lines))
    first = [2 * columns * (i // columns) + i % columns for i in range(bands * columns)]
    for spare in first[len(places) :]:
        drawn[spare].remove()
        drawn[spare + columns].remove()
    for place, at in zip(places, first, strict=False):
        upper, lower = drawn[at], drawn[at + columns]
        for line, bins in found:
            if place_of(line) == place:
                _draw(upper, lower, bins, line.name, names.index(line.name))
        _dress(upper, lower, place, places)
    for band in range(bands):
        drawn[2 * columns * band].set_ylabel("observed share")
        drawn[2 * columns * band + columns].set_ylabel("pairs")
    legend(figure, [drawn[at] for at in first[: len(places)]])
    return figure


def _draw(upper: Any, lower: Any, bins: dict[str, np.ndarray], name: str, index: int) -> None:
    shown = (bins["pairs"] >= FEWEST) & (bins["observed"] > 0) & (bins["predicted"] > 0)
    pairs = bins["pairs"][shown]
    predicted, observed = bins["predicted"][shown] / pairs, bins["observed"][shown] / pairs
    how = line_style(index) | {"linewidth": 1.3, "markersize": 4}
    upper.plot(predicted, observed, label=name, **how)
    lower.plot(predicted, pairs, **how)


def _dress(upper: Any, lower: Any, place: Place, places: Sequence[Place]) -> None:
    target, horizon = place
    several = len({one for one, _ in places}) > 1
    upper.axline((1e-3, 1e-3), (1e-1, 1e-1), color="#555555", linewidth=1, linestyle=":")
    log_scale(upper, "x", "y")
    upper.set_title(titled(target, horizon, several, len(places)))
    lower.set(xlabel="predicted share")
    log_scale(lower, "y")
    lower.tick_params(labelbottom=True)  # also where another diagram stands below
