"""The figures of a report: each a function from what was read to a drawing, or None where it has nothing to show."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np

from lab.answers import span
from lab.cell_record import line_name
from lab.data.timeline import LAST_EVENT
from lab.report.by_history import by_history
from lab.report.contents import Contents
from lab.report.forest import forest
from lab.report.panels import fullest, legend, panel_each, panels, place_of
from lab.report.reliability import reliability
from lab.report.style import colour, look, png, style, svg
from lab.statistics.intervals import Interval
from lab.store import days
from lab.summary import SLICES, Estimate, Line
from lab.tables import METRIC


@dataclass(frozen=True)
class Drawing:
    """A figure, drawn."""

    name: str
    title: str
    words: str
    """What it shows, for those who cannot see it too."""
    svg: bytes
    png: bytes


def draw(contents: Contents) -> Iterator[tuple[str, Drawing | None]]:
    """The title of each of DRAWN and the figure, None where the folder has no numbers for it."""
    with style():
        for name, title, words, make in DRAWN:
            figure = make(contents)
            yield title, None if figure is None else Drawing(name, title, words, svg(figure), png(figure))


def _groups(contents: Contents) -> dict[str, list[Line]]:
    """The lines of one name, target apart, over horizons."""
    several = len({line.target for line in contents.lines}) > 1
    found: dict[str, list[Line]] = {}
    for line in contents.lines:
        name = f"{line.target}: {line.name}" if several else line.name
        found.setdefault(name, []).append(line)
    return found


def _estimates(contents: Contents, lines: Sequence[Line], part: str) -> list[tuple[float, Estimate]]:
    found = [(line.horizon, contents.summary.estimate(line, part, METRIC)) for line in lines]
    return [(horizon, one) for horizon, one in found if one is not None and np.isfinite(one.mean)]


def _over_horizons(contents: Contents) -> Any:
    horizons = sorted({line.horizon for line in contents.lines})
    if horizons == [LAST_EVENT]:
        return None
    if len(horizons) == 1 and any(line.variant for line in contents.lines):
        return None  # a point each, and far more of them than can be told apart
    figure, drawn = panels(9, 5.2, len(SLICES), sharey=True)
    for part, panel in zip(SLICES, drawn, strict=True):
        for index, (name, lines) in enumerate(_groups(contents).items()):
            found = _estimates(contents, lines, part)
            if not found:
                continue
            means = [one.mean for _, one in found]
            where = [horizon for horizon, _ in found]
            panel.plot(where, means, label=name, **look(index))
            low = [one.users.low if one.users else one.mean for _, one in found]
            high = [one.users.high if one.users else one.mean for _, one in found]
            panel.fill_between(where, low, high, color=colour(index), alpha=0.12, linewidth=0)
        panel.set(title=part, xlabel="horizon, days", xscale="log")
        panel.set_xticks(horizons, [days(horizon) for horizon in horizons])
        panel.minorticks_off()
    drawn[0].set_ylabel(METRIC.upper())
    legend(figure, fullest(drawn))
    return figure


def _over_variants(contents: Contents) -> Any:
    """A row of panels for each horizon; what is the same to all variants goes across."""
    varied = [line for line in contents.lines if line.variant]
    variants = list(dict.fromkeys(line.variant for line in varied))
    asked = sorted({(line.target, line.horizon) for line in varied})
    if len(variants) < 2:
        return None
    figure, drawn = panels(9, 1.2 + 3.4 * len(asked), len(SLICES), len(asked), sharey=True)
    names = list(dict.fromkeys(line_name(line.model, line.features, "") for line in contents.lines))
    for place, part in product(asked, SLICES):
        panel = drawn[asked.index(place) * len(SLICES) + SLICES.index(part)]
        for index, name in enumerate(names):
            own = [one for one in contents.lines if line_name(one.model, one.features, "") == name]
            _varied(contents, panel, [one for one in own if (one.target, one.horizon) == place], part, variants, index)
        panel.set(title=f"{part}, next {span(place[1])}" if len(asked) > 1 else part)
        panel.set_xticks(range(len(variants)), variants, rotation=30, ha="right")
    for panel in drawn[:: len(SLICES)]:
        panel.set_ylabel(METRIC.upper())
    legend(figure, fullest(drawn))
    return figure


def _varied(
    contents: Contents, panel: Any, lines: Sequence[Line], part: str, variants: Sequence[str], index: int
) -> None:
    """One name's numbers over its variants, with bands over users."""
    found = [(line, contents.summary.estimate(line, part, METRIC)) for line in lines]
    known = [(line, one) for line, one in found if one is not None and np.isfinite(one.mean)]
    if not known:
        return
    how = look(index) | {"label": line_name(known[0][0].model, known[0][0].features, "")}
    if not known[0][0].variant:
        panel.plot(range(len(variants)), [known[0][1].mean] * len(variants), **how | {"linewidth": 1.2})
        return
    known.sort(key=lambda pair: variants.index(pair[0].variant))
    where = [variants.index(line.variant) for line, _ in known]
    panel.plot(where, [one.mean for _, one in known], **how)
    ends = [one.users or Interval(one.mean, one.mean, one.mean) for _, one in known]
    panel.fill_between(
        where, [e.low for e in ends], [e.high for e in ends], color=colour(index), alpha=0.12, linewidth=0
    )


def _stopped_by(contents: Contents) -> str:
    """What training looks at on the valid split."""
    target = (contents.facts.get("experiment") or {}).get("target") or {}
    return "1 - NDCG@10 on valid" if target.get("stop_by") == "ndcg" else "loss on valid, nats"


def _learning(contents: Contents) -> Any:
    trained = [line for line in contents.lines if line.kind == "model" and contents.curves(line)]
    if not trained:
        return None
    figure, places = panel_each(map(place_of, trained), 3.2, sharey=True)
    names = list(dict.fromkeys(line.name for line in trained))
    for line in trained:
        index = names.index(line.name)
        for seed, curve in enumerate(contents.curves(line)):
            how = {"alpha": 0.75, "linewidth": 1.2, "markersize": 4, "markevery": (index % 4, 4)}
            name = line.name if seed == 0 else None
            places[place_of(line)].plot(curve["step"], curve["valid_loss"], label=name, **look(index) | how)
    for panel in places.values():
        panel.set_xlabel("training step")
    next(iter(places.values())).set_ylabel(_stopped_by(contents))
    legend(figure, fullest(places.values()))
    return figure


def _heat(contents: Contents) -> Any:
    trained = [line for line in contents.lines if line.kind == "model"]
    rows = list(dict.fromkeys(line.name for line in trained))
    columns = sorted({(line.target, line.horizon) for line in trained})
    if len(rows) < 2:
        return None
    values = np.full((len(rows), len(columns)), np.nan)
    for line in trained:
        for _, one in _estimates(contents, [line], "all"):
            values[rows.index(line.name), columns.index((line.target, line.horizon))] = one.mean
    if np.isnan(values).all():
        return None
    figure, (panel,) = panels(3.6 + 1.1 * len(columns), 1.6 + 0.42 * len(rows))
    image = panel.imshow(values, cmap="cividis", aspect="auto")
    middle = (np.nanmin(values) + np.nanmax(values)) / 2
    for (row, column), value in np.ndenumerate(values):
        said = "none" if np.isnan(value) else f"{value:.3f}"
        panel.text(column, row, said, ha="center", va="center", color="white" if value < middle else "black")
    panel.set_yticks(range(len(rows)), rows)
    panel.set_xticks(range(len(columns)), [span(horizon) for _, horizon in columns])
    panel.grid(False)
    figure.colorbar(image, label=METRIC.upper())
    return figure


def _novel(contents: Contents) -> Any:
    figure, (panel,) = panels(7, 5.8)
    for index, (name, lines) in enumerate(_groups(contents).items()):
        repeat, novel = (dict(_estimates(contents, lines, part)) for part in ("repeat", "novel"))
        both = [horizon for horizon in repeat if horizon in novel]
        if both:
            x, y = [repeat[h].mean for h in both], [novel[h].mean for h in both]
            panel.plot(x, y, label=name, **look(index) | {"linewidth": 0.9, "markersize": 7, "markevery": [-1]})
    if not panel.lines:
        return None
    panel.set(xlabel=f"{METRIC.upper()} on repeat", ylabel=f"{METRIC.upper()} on novel")
    legend(figure, panel)
    return figure


def _calibration(contents: Contents) -> Any:
    found = {
        name: [(h, _mean(contents, line, "calibration_error")) for h, line in ((one.horizon, one) for one in lines)]
        for name, lines in _groups(contents).items()
    }
    found = {name: [(h, v) for h, v in values if np.isfinite(v)] for name, values in found.items()}
    found = {name: values for name, values in found.items() if values}
    if not found:
        return None
    horizons = sorted({horizon for values in found.values() for horizon, _ in values})
    figure, (panel,) = panels(7.5, 1.6 + 0.36 * len(found))
    for index, horizon in enumerate(horizons):
        places = [p for p, values in enumerate(found.values()) if horizon in dict(values)]
        errors = [dict(values)[horizon] for values in found.values() if horizon in dict(values)]
        panel.plot(errors, places, label=span(horizon), **look(index) | {"linestyle": "none"})
    panel.set_yticks(range(len(found)), list(found))
    panel.invert_yaxis()
    panel.set(xlabel="calibration error (0 is best)")
    panel.set_xlim(left=0)
    legend(figure, panel)
    return figure


def _mean(contents: Contents, line: Line, metric: str) -> float:
    one = contents.summary.estimate(line, "all", metric)
    return one.mean if one else float("nan")


DRAWN: Sequence[tuple[str, str, str, Callable[[Contents], Any]]] = (
    (
        "horizon",
        "How far ahead",
        f"{METRIC.upper()} against the horizon, a line for each model or baseline, a panel for each slice; bands are "
        "95 % intervals over users.",
        _over_horizons,
    ),
    (
        "variants",
        "Variants",
        f"{METRIC.upper()} against the variants in their order, a line for each model or baseline, a panel for each "
        "slice; bands are 95 % intervals over users. What is the same to all variants goes straight across.",
        _over_variants,
    ),
    (
        "comparisons",
        "Paired differences",
        "How far the best line of each horizon is ahead of every other, query by query, with 95 % intervals over users "
        "and over seeds; an interval across zero does not tell the two apart. comparisons.csv has every two lines.",
        forest,
    ),
    (
        "ablation",
        "Models and feature sets",
        f"{METRIC.upper()} over all categories: a row for each model and feature set, a column for each horizon.",
        _heat,
    ),
    (
        "novel",
        "Novel against repeat",
        "How well each line ranks categories never touched before (upwards) against those touched before (to the "
        "right), its horizons joined and the longest marked.",
        _novel,
    ),
    (
        "calibration",
        "Calibration",
        "The share of predicted probability that sits in bins of the wrong size, for each line and horizon.",
        _calibration,
    ),
    (
        "reliability",
        "Reliability",
        "Observed against predicted shares, in bins of a factor of two; on the dotted line what is predicted comes "
        "true. Below, how many pairs of a query and a category each point stands on.",
        reliability,
    ),
    (
        "history",
        "By length of history",
        f"{METRIC.upper()} over all categories for quarters of the queries, by how many events of the user were known; "
        "bands are 95 % intervals over users.",
        by_history,
    ),
    (
        "learning",
        "Learning curves",
        "Loss on the valid split, or what else training stops by, against training steps, a line for each cell; cells "
        "of one colour differ in seed and fold.",
        _learning,
    ),
)
