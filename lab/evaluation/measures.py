"""How a target's predictions are judged, as plain values: its metrics, slices, remarks and panels.

A cell's record, and with it the pin, carries these. Whatever is above the targets (tables, comparisons, figures, W&B)
reads them and knows no metric or slice by name, also where the target is a class of somebody's own file.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields, is_dataclass
from functools import cached_property
from typing import Any, Literal, NamedTuple

ALL = "all"
"""The slice of all queries, which every target has."""

QUERIES = "queries"
"""The metric that says how many queries a slice has."""

ANSWERED = "answered"
"""Of a baseline's cell: how many valid queries there were to choose settings on; `queries` of valid are those used."""

Better = Literal["higher", "lower", "nearest", "neither"]


class Metric(NamedTuple):
    """One number of a cell."""

    split: str
    slice: str
    metric: str
    value: float


@dataclass(frozen=True, kw_only=True)
class MetricSpec:
    """One metric of a target."""

    name: str
    """What files call it."""
    definition: str
    """What it is, in a sentence without a full stop."""
    title: str = ""
    """What tables and figures call it; default: its name."""
    better: Better = "higher"
    """Which values are better: higher ones, lower ones, or those nearest to `best`; `neither` for a count."""
    best: float = 0.0
    """With better='nearest': the value that is best."""
    per: Literal["query", "cell"] = "query"
    """Whether each query has a value, whose mean is shown, or only a whole cell has one."""
    unit: str = ""
    """nats, events, a currency; empty for a share or a score without a unit."""
    low: float | None = None
    """The least possible value, where there is one: a smaller one on disk is damage."""
    high: float | None = None
    """The greatest possible value, where there is one."""
    tolerance: float = 0.02
    """How far a trained cell's value may be from the pinned one on another machine, absolutely."""

    @property
    def label(self) -> str:
        """What tables call it."""
        return self.title or self.name

    def merit(self, value: float) -> float:
        """The value as a number of which more is better; NaN stays."""
        if self.better == "nearest":
            return -abs(value - self.best)
        return -value if self.better == "lower" else value

    def is_possible(self, value: float) -> bool:
        """Whether the metric can have this value; NaN says that there is none."""
        low = -math.inf if self.low is None else self.low
        high = math.inf if self.high is None else self.high
        slack = 1e-6 * max([1.0, *(abs(end) for end in (low, high) if math.isfinite(end))])
        return value != value or low - slack <= value <= high + slack


OF_EVERY_TARGET = {
    QUERIES: MetricSpec(name=QUERIES, definition="queries in the slice", better="neither", low=0, tolerance=0.0),
    "loss": MetricSpec(
        name="loss", definition="the best loss on the valid split", better="lower", per="cell", tolerance=0.05
    ),
    "step": MetricSpec(
        name="step",
        definition="the training step of the parameters kept",
        better="neither",
        per="cell",
        low=0,
        tolerance=math.inf,
    ),
}
"""What every cell has, whatever its target declares."""


@dataclass(frozen=True, kw_only=True)
class SliceSpec:
    """A part of the queries, or of what is predicted, that has numbers of its own."""

    name: str
    meaning: str = ""
    """What is in it, in a few words."""
    reason_whole: str = ""
    """Why it can hold every query, to stand behind `since`."""


@dataclass(frozen=True, kw_only=True)
class Remark:
    """A sentence below a table on a count that cells keep, shown where it is above 0."""

    metric: str
    """The count, a metric of the slice `all`."""
    text: str
    """With {when} (`next 7 days`), {count} and {total} in it; total is the count and the queries together."""


@dataclass(frozen=True, kw_only=True)
class Panel:
    """A figure that a target wants in the report, of one of the kinds that `lab.report` draws.

    scatter       `metric` in the second of `slices` against the first: a point for each row and horizon
    metric        `metric` of each row, a point for each horizon
    reliability   predicted against observed, from the table `reliability` that the judge keeps of each cell
    """

    kind: Literal["scatter", "metric", "reliability"]
    name: str
    """Of its file."""
    title: str
    words: str
    """What it shows, for those who cannot see it too."""
    metric: str = ""
    slices: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Measures:
    """All of it, for one target."""

    metrics: tuple[MetricSpec, ...]
    leading: str
    """The metric that tables, comparisons and baselines' choices go by."""
    slices: tuple[SliceSpec, ...] = (SliceSpec(name=ALL),)
    """`all` first."""
    things: str = "queries"
    """What is predicted or ranked, in the plural: categories, items, users."""
    population: str = ""
    """Of what predictions are, and who is asked, in a sentence without a full stop."""
    stops_by: str = "loss on valid"
    """What training stops by, as a figure's axis says it."""
    remarks: tuple[Remark, ...] = ()
    panels: tuple[Panel, ...] = ()

    def __post_init__(self) -> None:
        if self.leading not in self._by_name:
            raise ValueError(f"measures: {self.leading!r} leads, but the metrics are {', '.join(self._by_name)}.")
        if not self.slices or self.slices[0].name != ALL:
            raise ValueError(f"measures: the first slice must be {ALL!r}.")

    @cached_property
    def _by_name(self) -> dict[str, MetricSpec]:
        return {one.name: one for one in self.metrics}

    def metric(self, name: str) -> MetricSpec:
        """A metric by name; one that is not declared is a count, better neither way."""
        known = self._by_name.get(name) or OF_EVERY_TARGET.get(name)
        return known or MetricSpec(name=name, definition="", better="neither")

    @property
    def lead(self) -> MetricSpec:
        """The leading metric."""
        return self._by_name[self.leading]

    @property
    def slice_names(self) -> tuple[str, ...]:
        return tuple(one.name for one in self.slices)

    def impossible(self, metrics: tuple[Metric, ...]) -> Metric | None:
        """The first number that its metric cannot have; None where there is none."""
        return next((one for one in metrics if not self.metric(one.metric).is_possible(one.value)), None)

    def to_json(self) -> dict[str, Any]:
        """As plain values, without those that are the defaults."""
        return _stated(self)

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> "Measures":
        """What `to_json` gave. Raises KeyError, TypeError or ValueError for anything else."""
        own: dict[str, Any] = dict(content)
        kinds: dict[str, Any] = {"metrics": MetricSpec, "slices": SliceSpec, "remarks": Remark}
        parts = {name: tuple(kind(**one) for one in own[name]) for name, kind in kinds.items() if name in own}
        panels = tuple(Panel(**(one | {"slices": tuple(one.get("slices", ()))})) for one in own.get("panels", ()))
        values: dict[str, Any] = own | parts | {"panels": panels}
        return cls(**values)


def _stated(value: Any) -> Any:
    """A dataclass as the fields that are not its defaults, and what it holds likewise."""
    if isinstance(value, tuple):
        return [_stated(one) for one in value]
    if not is_dataclass(value):
        return value
    own = {f.name: getattr(value, f.name) for f in fields(value) if getattr(value, f.name) != f.default}
    return {name: _stated(one) for name, one in own.items()}
