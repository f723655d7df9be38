"""The figures of a report: each a function from what was read to a drawing, or None where it has nothing to show."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from lab.answers import SURE, horizon_text
from lab.escape import printable
from lab.report.by_history import by_history
from lab.report.by_variant import over_variants
from lab.report.contents import Contents
from lab.report.forest import forest
from lab.report.learning import learning
from lab.report.means import estimates, named, over_horizons, row_by_row
from lab.report.panels import label_rows, legend, panels, room_for
from lab.report.reliability import reliability
from lab.report.style import look, png, style, svg
from lab.summary import Line
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
            said, figure = words.format(things=contents.things), make(contents)
            if figure is not None:
                yield title, Drawing(name, title, said, svg(figure), png(figure))
            else:
                yield title, None if contents.has_cells else _left(contents, name, title, said)


def _left(contents: Contents, name: str, title: str, words: str) -> Drawing | None:
    """A figure as the run left it that had the cells; None where there is none."""
    files = [contents.store.root / "figures" / f"{name}.{kind}" for kind in ("svg", "png")]
    return (
        Drawing(name, title, words, *(path.read_bytes() for path in files)) if all(map(Path.is_file, files)) else None
    )


def _heat(contents: Contents) -> Any:
    trained = [line for line in contents.lines if line.kind == "model"]
    rows = list(dict.fromkeys(line.name for line in trained))
    columns = sorted({(line.target, line.horizon) for line in trained})
    if len(rows) < 2:
        return None
    values = np.full((len(rows), len(columns)), np.nan)
    for line in trained:
        for _, one in estimates(contents, [line], "all"):
            values[rows.index(line.name), columns.index((line.target, line.horizon))] = one.mean
    if np.isnan(values).all():
        return None
    figure, (panel,) = panels(1.4 + max(0.42, room_for(rows)) * len(rows))
    image = panel.imshow(values, cmap="cividis", aspect="auto")
    middle = (np.nanmin(values) + np.nanmax(values)) / 2
    for (row, column), value in np.ndenumerate(values):
        said = "none" if np.isnan(value) else f"{value:.3f}"
        panel.text(column, row, said, ha="center", va="center", color="white" if value < middle else "black")
    label_rows(panel, rows)
    panel.set_ylim(len(rows) - 0.5, -0.5)
    several = len({target for target, _ in columns}) > 1
    when = [f"{printable(target)},\n{horizon_text(h)}" if several else horizon_text(h) for target, h in columns]
    panel.set_xticks(range(len(columns)), when)
    panel.grid(False)
    figure.colorbar(image, label=METRIC.upper())
    return figure


def _novel(contents: Contents) -> Any:
    figure, (panel,) = panels(5.8)
    for index, (name, lines) in enumerate(named(contents).items()):
        repeat, novel = (dict(estimates(contents, lines, part)) for part in ("repeat", "novel"))
        both = [horizon for horizon in repeat if horizon in novel]
        if both:
            x, y = [repeat[h].mean for h in both], [novel[h].mean for h in both]
            how = look(index) | {"linewidth": 0.9, "markersize": 7, "markevery": [-1]}
            # Of one horizon there is a point alone, and so in the legend.
            panel.plot(x, y, label=name, **how | ({"linestyle": "none"} if len(both) == 1 else {}))
    if not panel.lines:
        return None
    panel.set(xlabel=f"{METRIC.upper()} on repeat", ylabel=f"{METRIC.upper()} on novel")
    legend(figure, [panel])
    return figure


def _calibration(contents: Contents) -> Any:
    found = {
        name: [(h, _mean(contents, line, "calibration_error")) for h, line in ((one.horizon, one) for one in lines)]
        for name, lines in named(contents).items()
    }
    found = {name: [(h, v) for h, v in values if np.isfinite(v)] for name, values in found.items()}
    found = {name: values for name, values in found.items() if values}
    if not found:
        return None
    horizons = sorted({horizon for values in found.values() for horizon, _ in values})
    figure, (panel,) = panels(1.6 + max(0.36, room_for(found)) * len(found))
    for index, horizon in enumerate(horizons):
        places = [p for p, values in enumerate(found.values()) if horizon in dict(values)]
        errors = [dict(values)[horizon] for values in found.values() if horizon in dict(values)]
        panel.plot(errors, places, label=horizon_text(horizon), **look(index) | {"linestyle": "none"})
    label_rows(panel, found)
    panel.set(xlabel="calibration error (0 is best)")
    panel.set_xlim(left=0)
    legend(figure, [panel])
    return figure


def _mean(contents: Contents, line: Line, metric: str) -> float:
    one = contents.summary.estimate(line, "all", metric)
    return one.mean if one else float("nan")


BARS = (
    "bars are 95 % intervals over users, and points of one place of the axis stand side by side so that none hides "
    "another."
)
"""Of figures drawn by lab.report.curves."""

DRAWN: Sequence[tuple[str, str, str, Callable[[Contents], Any]]] = (
    (
        "horizon",
        "How far ahead",
        f"{METRIC.upper()} against the horizon, a line for each model or baseline, a panel on a scale of its own for "
        f"each slice; {BARS}",
        over_horizons,
    ),
    (
        "means",
        "Models and baselines",
        f"{METRIC.upper()} of each line, a panel for each slice; bars are 95 % intervals over users.",
        row_by_row,
    ),
    (
        "variants",
        "Variants",
        f"{METRIC.upper()} against the variants in their order, a line for each model or baseline, a panel on a scale "
        f"of its own for each slice; {BARS} What is the same to all variants goes straight across.",
        over_variants,
    ),
    (
        "comparisons",
        "Paired differences",
        "How far the best line of each horizon is ahead of every other, query by query, with 95 % intervals over users "
        "and over seeds. Each interval is of its two lines alone: one across zero does not tell them apart, but one "
        "clear of zero need not do so where many are compared. The sentences, and ~ in tables, go by Holm's p over all "
        f"comparisons, which is stricter: dots are hollow where it is above {SURE:g}. comparisons.csv has every two "
        "lines.",
        forest,
    ),
    (
        "ablation",
        "Models and feature sets",
        f"{METRIC.upper()} over all {{things}}: a row for each model and feature set, a column for each horizon.",
        _heat,
    ),
    (
        "novel",
        "Novel against repeat",
        "How well each line ranks {things} never touched before (upwards) against those touched before (to the "
        "right); several horizons are joined, and the longest marked.",
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
        f"{METRIC.upper()} over all {{things}} for quarters of the queries, by how many events of the user were known; "
        f"{BARS}",
        by_history,
    ),
    (
        "learning",
        "Learning curves",
        "Loss on the valid split, or what else training stops by, against training steps, a line for each cell, a "
        "panel on a scale of its own for each horizon; cells of one colour differ in seed and fold. A cell of one look "
        "is a point.",
        learning,
    ),
)
