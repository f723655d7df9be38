"""Learning curves: what training stops by, at each look at the valid split."""

from typing import Any

from lab.report.contents import Contents
from lab.report.panels import legend, panel_each, place_of
from lab.report.style import line_style

MARKED = 4
"""Looks of a long curve from one marker to the next."""


def learning(contents: Contents) -> Any:
    """A panel for each horizon, a curve for each cell; None where none kept any."""
    from matplotlib.ticker import MaxNLocator

    trained = [line for line in contents.lines if line.kind == "model" and contents.curves(line)]
    if not trained:
        return None
    figure, places = panel_each(map(place_of, trained), 3.2)
    names = list(dict.fromkeys(line.name for line in trained))
    for line in trained:
        index = names.index(line.name)
        for seed, curve in enumerate(contents.curves(line)):
            # Of a short one every look, lest no marker tell whose it is.
            every = MARKED if len(curve["step"]) > 2 * MARKED else 1
            how = {"alpha": 0.75, "linewidth": 1.2, "markersize": 4, "markevery": (index % every, every)}
            # No curve, but a point, and so in the legend.
            lone = {"linestyle": "none", "markersize": 8} if len(curve["step"]) == 1 else {}
            name = line.name if seed == 0 else None
            places[place_of(line)].plot(
                curve["step"], curve["valid_loss"], label=name, **line_style(index) | how | lone
            )
    for panel in places.values():
        panel.set_xlabel("training step")
        # From where training began: few looks, or one alone, have no width of their own.
        panel.set_xlim(left=0)
        panel.ticklabel_format(axis="y", useOffset=False)
        panel.xaxis.set_major_locator(MaxNLocator(integer=True, steps=[1, 2, 5, 10]))
    next(iter(places.values())).set_ylabel(contents.measures.stops_by)
    legend(figure, places.values())
    return figure
