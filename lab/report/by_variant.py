"""The main metric against the variants of an experiment, in their order."""

from collections.abc import Sequence
from itertools import product
from typing import Any

import numpy as np

from lab.answers import span
from lab.cell_record import line_name
from lab.report.contents import Contents
from lab.report.means import band
from lab.report.panels import legend, panels
from lab.report.style import look
from lab.summary import Line
from lab.tables import METRIC


def over_variants(contents: Contents) -> Any:
    """A row of panels for each horizon; what is the same to all variants goes across."""
    varied = [line for line in contents.lines if line.variant]
    variants = list(dict.fromkeys(line.variant for line in varied))
    asked = sorted({(line.target, line.horizon) for line in varied})
    if len(variants) < 2:
        return None
    slices = contents.slices
    figure, drawn = panels(1.2 + 3.4 * len(asked), len(slices), len(asked), sharey=True)
    names = list(dict.fromkeys(line_name(line.model, line.features, "") for line in contents.lines))
    for place, part in product(asked, slices):
        panel = drawn[asked.index(place) * len(slices) + slices.index(part)]
        for index, name in enumerate(names):
            own = [one for one in contents.lines if line_name(one.model, one.features, "") == name]
            _varied(contents, panel, [one for one in own if (one.target, one.horizon) == place], part, variants, index)
        panel.set(title=f"{part}, next {span(place[1])}" if len(asked) > 1 else part)
        panel.set_xticks(range(len(variants)), variants, rotation=30, ha="right")
    for panel in drawn[:: len(slices)]:
        panel.set_ylabel(METRIC.upper())
    legend(figure, drawn)
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
    band(panel, where, [one for _, one in known], index)
