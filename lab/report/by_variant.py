"""The main metric against the variants of an experiment, in their order."""

from collections.abc import Sequence
from itertools import product
from typing import Any

import numpy as np

from lab.experiment.cell_record import line_name
from lab.report.contents import Contents
from lab.report.curves import curve, shifted_places
from lab.report.means import interval
from lab.report.panels import LABEL, Place, legend, panels, place_of, wrapped
from lab.results.conclusions import span
from lab.statistics.intervals import Interval


def over_variants(contents: Contents) -> Any:
    """A row of panels for each horizon; what is the same to all variants goes across."""
    varied = [line for line in contents.lines if line.variant]
    variants = list(dict.fromkeys(line.variant for line in varied))
    asked = sorted({(line.target, line.horizon) for line in varied})
    if len(variants) < 2:
        return None
    slices = contents.slices
    figure, drawn = panels(1.2 + 3.4 * len(asked), len(slices), len(asked), sharey="col")
    names = list(dict.fromkeys(line_name(line.model, line.features, "") for line in contents.lines))
    for place, part in product(asked, slices):
        panel = drawn[asked.index(place) * len(slices) + slices.index(part)]
        for index, name in enumerate(names):
            known = [(i, one) for i, one in enumerate(_varied(contents, name, place, part, variants)) if one]
            where = shifted_places(range(len(variants)), index, len(names))[[i for i, _ in known]]
            if known:
                curve(panel, where, [one for _, one in known], index, name)
        panel.set(title=f"{part}, next {span(place[1])}" if len(asked) > 1 else part)
        panel.set_xticks(range(len(variants)), [wrapped(one, LABEL) for one in variants], rotation=30, ha="right")
    for panel in drawn[:: len(slices)]:
        panel.set_ylabel(contents.lead.label)
    legend(figure, drawn)
    return figure


def _varied(contents: Contents, name: str, place: Place, part: str, variants: Sequence[str]) -> list[Interval | None]:
    """One name's numbers over the variants, None where it has none; of what has no variants, the same for all."""
    own = [one for one in contents.lines if line_name(one.model, one.features, "") == name and place_of(one) == place]
    found = [(line.variant, contents.summary.estimate(line, part, contents.lead.name)) for line in own]
    at = {variant: interval(one) for variant, one in found if one is not None and np.isfinite(one.mean)}
    return [at.get(variant, at.get("")) for variant in variants]
