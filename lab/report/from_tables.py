"""A results folder whose cells are not with it, as in a clone, read from its cells.csv and summary.csv."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from lab.evaluation.measures import Measures, Metric
from lab.experiment.cell_record import CellRecord, Status
from lab.results.cells_table import days
from lab.results.line import Line
from lab.results.store import Store
from lab.results.summary import Estimate, Summary, summarise
from lab.statistics.intervals import Interval

Rows = Sequence[Mapping[str, str]]

ABSENT = (
    "cells/ is not in this folder (git does not keep it): learning curves, reliability and the figure by length of "
    "history need it, and are those that the run left, where they lie in figures/; all else is made from the tables."
)
"""What is told of such a folder."""


def with_metrics(planned: Sequence[CellRecord], rows: Rows) -> tuple[CellRecord, ...]:
    """The cells that cells.csv lists, each with the status and the metrics that stand there."""
    of_cell: dict[str, list[Mapping[str, str]]] = {}
    for row in rows:
        of_cell.setdefault(row["cell"], []).append(row)
    return tuple(replace(one, **_known_metrics(of_cell[one.id])) for one in planned)


def _known_metrics(rows: Rows) -> dict[str, object]:
    status: Status = "done" if rows[0]["status"] == "stale" else rows[0]["status"]  # type: ignore[assignment]
    metrics = (Metric(row["split"], row["slice"], row["metric"], float(row["value"] or "nan")) for row in rows)
    return {"status": status, "metrics": tuple(one for one in metrics if one.metric)}


def summary_of(store: Store, cells: Sequence[CellRecord], rows: Rows, measures: Mapping[str, Measures]) -> Summary:
    """Means and intervals over seeds by the cells; what these do not tell, as of users, by summary.csv."""
    known = {_place(row): row for row in rows}
    found = summarise(store, cells, measures=measures)
    return replace(found, lines=tuple((line, tuple(_with_users(line, own, known))) for line, own in found.lines))


def _place(row: Mapping[str, str]) -> tuple[str, ...]:
    names = ("model", "features", "variant", "target", "horizon", "slice", "metric", "stale")
    return tuple(row.get(name) or "" for name in names)


def _with_users(
    line: Line, own: Sequence[Estimate], known: Mapping[tuple[str, ...], Mapping[str, str]]
) -> Iterator[Estimate]:
    name = (line.model, line.features, line.variant, line.target, days(line.horizon))
    for one in own:
        row = known.get((*name, one.slice, one.metric, ", ".join(line.stale)))
        # A mean of other cells than these says nothing of them.
        if row is None or not row["queries"] or abs(float(row["mean"]) - one.mean) > 1e-9:
            yield one
            continue
        mean, users, seeds = float(row["mean"]), _interval(row, "users"), _interval(row, "seeds")
        yield Estimate(one.slice, one.metric, mean, users, seeds, int(row["queries"]), int(row["users"]))


def _interval(row: Mapping[str, str], over: str) -> Interval | None:
    low, high = row[f"{over}_low"], row[f"{over}_high"]
    return Interval(float(row["mean"]), float(low), float(high)) if low else None
