"""What is kept of one cell: its name, how it ended, and its numbers."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from typing import Any, Literal

from lab.evaluation.measures import Measures, Metric

Kind = Literal["model", "baseline", "oracle"]
Status = Literal["done", "diverged", "failed", "missing"]

KINDS = ("model", "baseline", "oracle")
STATUSES = ("done", "diverged", "failed", "missing")


@dataclass(frozen=True, kw_only=True)
class CellRecord:
    """One cell, as its `cell.json` holds it.

    A cell that is planned but not computed is a record too, of status `missing`: tables show it.
    """

    id: str
    """Also the name of its folder."""
    kind: Kind
    model: str
    features: str
    """Name of the feature set; empty for a baseline or oracle that has none."""
    variant: str = ""
    """Name of the variant; empty where there is none, or where all variants are the same to the cell."""
    target: str
    horizon: float
    """Days."""
    fold: int
    seed: int | None
    """None where nothing is drawn."""
    status: Status
    reason: str = ""
    """Why it is not done, in one sentence."""
    config: Mapping[str, Any] = field(default_factory=dict)
    """The resolved settings, as JSON reads them back (tuples are lists)."""
    fingerprints: Mapping[str, str] = field(default_factory=dict)
    modules: Mapping[str, str] = field(default_factory=dict)
    """Module -> a digest of what the numbers can reach of it: of a moved fingerprint of the code it says where."""
    measures: Measures | None = None
    """How its target judges; None of a cell that is known from a table alone."""
    metrics: tuple[Metric, ...] = ()
    timing: Mapping[str, float] = field(default_factory=dict)
    """Seconds."""
    parameters: int = 0
    devices: int = 0
    """CPU devices of the process that trained it, by which last bits differ; 0 for none, or an accelerator's."""
    stale: tuple[str, ...] = ()
    """Of a cell that is shown in place of the one asked for: what differs. Never on disk, for it depends on what is
    asked."""

    def __post_init__(self) -> None:
        if self.kind not in KINDS or self.status not in STATUSES:
            raise ValueError(f"cell {self.id}: kind {self.kind!r}, status {self.status!r}; one of {KINDS}, {STATUSES}")

    def value(self, split: str, slice: str, metric: str) -> float:
        """One of its metrics; NaN where it has none of that name."""
        return next((m.value for m in self.metrics if m[:3] == (split, slice, metric)), math.nan)


def line_name(model: str, features: str, variant: str, stale: Sequence[str] = ()) -> str:
    """What tables call the cells that differ in fold and seed alone: `LSTM · full · 30 days`, `LSTM · stale: code`."""
    more = f" and {len(stale) - 2} more" if len(stale) > 2 else ""
    mark = f"stale: {', '.join(name.partition(' of ')[0] for name in stale[:2])}{more}" if stale else ""
    return " · ".join(filter(None, (model, features, variant, mark)))


def line_of(cell: "CellRecord | Mapping[str, Any]") -> tuple[Any, ...]:
    """The line of its grid in which a cell stands: its place without fold and seed."""
    return place_of(cell)[:-2]


def place_of(cell: "CellRecord | Mapping[str, Any]") -> tuple[Any, ...]:
    """Where a cell, or what a pin has of one, stands in its grid; settings and code do not move that."""
    names = ("kind", "model", "features", "variant", "target", "horizon", "fold", "seed")
    # A pin says no variant where there is none.
    return tuple(cell.get(n, "") if isinstance(cell, Mapping) else getattr(cell, n) for n in names)


def sort_records(records: Iterable[CellRecord]) -> list[CellRecord]:
    """Records in an order that is theirs alone: by target, horizon, kind, names, fold and seed."""

    def place(record: CellRecord) -> tuple:
        seed = -1 if record.seed is None else record.seed
        kind = KINDS.index(record.kind)
        names = record.model, record.features, record.variant
        return record.target, record.horizon, kind, *names, record.fold, seed, record.id

    return sorted(records, key=place)


def to_json(record: CellRecord) -> dict[str, Any]:
    """The record as JSON has it; an infinite number becomes the text `inf` or `-inf`, and no variant is not said."""
    said = {name: value for name, value in asdict(record).items() if value or name != "variant"}
    del said["stale"]
    if record.measures is None:
        del said["measures"]
    return said | {
        "metrics": [[*one[:3], _number(one.value)] for one in record.metrics],
        "timing": {name: _number(seconds) for name, seconds in record.timing.items()},
    }


def from_json(content: Mapping[str, Any]) -> CellRecord:
    """The record that `to_json` wrote. Raises KeyError, TypeError or ValueError for anything else."""
    values: dict[str, Any] = {f.name: content[f.name] for f in fields(CellRecord) if f.name not in ABSENT}
    values["variant"] = content.get("variant", "")
    values["measures"] = Measures.from_json(content["measures"]) if "measures" in content else None
    values["metrics"] = tuple(Metric(split, slice, name, _float(v)) for split, slice, name, v in values["metrics"])
    values["timing"] = {name: _float(seconds) for name, seconds in values["timing"].items()}
    return CellRecord(**values)


ABSENT = ("variant", "measures", "stale")
"""Fields that a record on disk may be without."""


def _number(value: float) -> float | str | None:
    value = float(value)
    return str(value) if math.isinf(value) else None if math.isnan(value) else value


def _float(value: float | str | None) -> float:
    return math.nan if value is None else float(value)
