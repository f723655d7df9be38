"""Paired differences as a forest plot: at each horizon, the line that leads against every other."""

from typing import Any

from lab.report.contents import Contents
from lab.report.panels import TITLE, Place, label_rows, legend, panels, place_of, room_for, wrapped
from lab.report.style import colour
from lab.results.comparisons import Comparison
from lab.results.conclusions import SURE, span
from lab.results.line import Line

SHIFTS = ((), (0.0,), (-0.14, 0.14))
"""Where so many intervals of one row lie beside its middle."""


def leaders(contents: Contents) -> dict[Place, Line]:
    """The complete line with the best mean over all queries at each horizon, the oracle apart."""
    best: dict[Place, tuple[float, Line]] = {}
    for line in contents.lines:
        one = contents.summary.estimate(line, "all", contents.lead.name)
        if line.kind != "oracle" and line.complete and one is not None and one.mean == one.mean:
            place, mine = place_of(line), (contents.lead.merit(one.mean), line)
            best[place] = max(best.get(place, mine), mine, key=lambda pair: pair[0])
    return {place: line for place, (_, line) in best.items()}


def leads(contents: Contents, leader: Line) -> list[Comparison]:
    """The leader's lead over each other line, the closest first."""
    every = [one for one in contents.compared if (one.slice, one.metric) == ("all", contents.lead.name)]
    here = [one for one in every if (one.target, one.horizon) == place_of(leader)]
    mine = [one if one.a == leader.name else one.reversed for one in here if leader.name in (one.a, one.b)]
    return sorted(mine, key=lambda one: one.lead(contents.lead).difference)


def forest(contents: Contents) -> Any:
    """A panel for each horizon under each other, on one scale; None where nothing was compared."""
    best = sorted(leaders(contents).items(), key=lambda pair: pair[0])
    found = {place: (line, rows) for place, line in best if (rows := leads(contents, line))}
    if not found:
        return None
    row = room_for(one.b for _, rows in found.values() for one in rows)
    heights = [row * len(rows) + 0.35 for _, rows in found.values()]
    figure, drawn = panels(1.3 + sum(heights), 1, len(found), sharex=True, height_ratios=heights)
    several = len({target for target, _ in found}) > 1
    for ((target, horizon), (line, rows)), panel in zip(found.items(), drawn, strict=True):
        _draw(panel, rows)
        when = f"{target}, next {span(horizon)}" if several else f"next {span(horizon)}"
        panel.set_title(wrapped(f"{when}: {line.name} minus ...", TITLE), loc="left", fontsize=10)
    lower = " (lower is better)" if contents.lead.better == "lower" else ""
    drawn[-1].set_xlabel(f"difference of {contents.lead.label}{lower}, with 95 % intervals")
    legend(figure, drawn)
    return figure


def _draw(panel: Any, rows: list[Comparison]) -> None:
    for place, row in enumerate(rows):
        face = "white" if row.holm_p > SURE else "black"
        ends = {"over users": (row.users_low, row.users_high), "over seeds": (row.seeds_low, row.seeds_high)}
        known = [(kind, low, high) for kind, (low, high) in ends.items() if low is not None and high is not None]
        for shift, (kind, low, high) in zip(SHIFTS[len(known)], known, strict=True):
            index = list(ends).index(kind)
            how = {"color": colour(index), "linewidth": 3.2 - 1.6 * index, "label": kind}
            panel.plot([low, high], [place + shift] * 2, **how)
        # On the first interval, or by itself where too few users leave none.
        panel.plot(
            [row.difference],
            [place + (SHIFTS[len(known)] or (0.0,))[0]],
            "o",
            color="black",
            markerfacecolor=face,
            markersize=5,
        )
    panel.axvline(0, color="#555555", linewidth=1)
    label_rows(panel, [row.b for row in rows])
