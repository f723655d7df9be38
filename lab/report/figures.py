"""The figures of a report: each a function from what was read to a drawing, or None where it has nothing to show."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from lab.core.escape import printable
from lab.evaluation.measures import Panel
from lab.report.by_history import by_history
from lab.report.by_variant import over_variants
from lab.report.contents import Contents
from lab.report.forest import forest
from lab.report.learning import learning
from lab.report.means import estimates, over_horizons, row_by_row
from lab.report.panels import label_rows, panels, room_for
from lab.report.style import png, style, svg
from lab.report.target_panels import KINDS
from lab.results.conclusions import SURE, horizon_text


@dataclass(frozen=True)
class Drawing:
    """A figure, drawn."""

    name: str
    title: str
    words: str
    """What it shows, for those who cannot see it too."""
    svg: bytes
    png: bytes


@dataclass(frozen=True)
class FigureSpec:
    """A figure that a report draws where the folder has numbers for it."""

    name: str
    title: str
    words: str
    """{metric} and {things} stand for the leading metric and for what is predicted."""
    make: Callable[[Contents], Any]


def figure_specs(contents: Contents) -> list[FigureSpec]:
    """The figures of every report, and among them those that the target declares."""
    own = [FigureSpec(one.name, one.title, one.words, partial(_panel, panel=one)) for one in contents.measures.panels]
    return [*COMPARED, *own, *EXPLAINED]


def _panel(contents: Contents, panel: Panel) -> Any:
    return KINDS[panel.kind](contents, panel)


def draw(contents: Contents) -> Iterator[tuple[str, Drawing | None]]:
    """The title of each wanted figure and the figure, None where the folder has no numbers for it."""
    with style():
        for one in figure_specs(contents):
            said = one.words.format(metric=contents.lead.label, things=contents.measures.things)
            figure = one.make(contents)
            if figure is not None:
                yield one.title, Drawing(one.name, one.title, said, svg(figure), png(figure))
            else:
                yield one.title, None if contents.has_cells else _figure_of_run(contents, one.name, one.title, said)


def _figure_of_run(contents: Contents, name: str, title: str, words: str) -> Drawing | None:
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
    figure.colorbar(image, label=contents.lead.label)
    return figure


BARS = (
    "bars are 95 % intervals over users, and points of one place of the axis stand side by side so that none hides "
    "another."
)
"""Of figures drawn by lab.report.curves."""

COMPARED: Sequence[FigureSpec] = (
    FigureSpec(
        "horizon",
        "How far ahead",
        "{metric} against the horizon, a line for each model or baseline, a panel on a scale of its own for "
        f"each slice; {BARS}",
        over_horizons,
    ),
    FigureSpec(
        "means",
        "Models and baselines",
        "{metric} of each line, a panel for each slice; bars are 95 % intervals over users.",
        row_by_row,
    ),
    FigureSpec(
        "variants",
        "Variants",
        "{metric} against the variants in their order, a line for each model or baseline, a panel on a scale "
        f"of its own for each slice; {BARS} What is the same to all variants goes straight across.",
        over_variants,
    ),
    FigureSpec(
        "comparisons",
        "Paired differences",
        "How far the best line of each horizon is ahead of every other, query by query, with 95 % intervals over users "
        "and over seeds. Each interval is of its two lines alone: one across zero does not tell them apart, but one "
        "clear of zero need not do so where many are compared. The sentences, and ~ in tables, go by Holm's p over all "
        f"comparisons, which is stricter: dots are hollow where it is above {SURE:g}. comparisons.csv has every two "
        "lines.",
        forest,
    ),
    FigureSpec(
        "ablation",
        "Models and feature sets",
        "{metric} over all {things}: a row for each model and feature set, a column for each horizon.",
        _heat,
    ),
)
"""Which row is ahead, and of what it is made."""

EXPLAINED: Sequence[FigureSpec] = (
    FigureSpec(
        "history",
        "By length of history",
        "{metric} over all {things} for quarters of the queries, by how many events of the user were known; "
        f"{BARS}",
        by_history,
    ),
    FigureSpec(
        "learning",
        "Learning curves",
        "Loss on the valid split, or what else training stops by, against training steps, a line for each cell, a "
        "panel on a scale of its own for each horizon; cells of one colour differ in seed and fold. A cell of one look "
        "is a point.",
        learning,
    ),
)
"""What is behind the numbers."""
