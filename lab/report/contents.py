"""What a report is made of, read from the results folder alone."""

import csv
import io
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from lab.core.errors import FaultError, InputError
from lab.core.escape import csv_name
from lab.core.sealed import DIGEST, is_intact
from lab.evaluation.measures import Measures, MetricSpec
from lab.experiment.cell_record import CellRecord, Kind
from lab.report.from_tables import summary_of, with_metrics
from lab.results.cell_files import CURVE
from lab.results.comparisons import Comparison, from_row
from lab.results.damage import refuse_damaged
from lab.results.line import Line
from lab.results.slices import shown_slices
from lab.results.store import Store
from lab.results.summary import Summary, summarise
from lab.results.table_files import CELLS, COMPARISONS, SUMMARY, read_table_file

PIN = "pin.json"
"""Where a folder says what its results are of."""


@dataclass(frozen=True)
class Contents:
    """A results folder, read."""

    store: Store
    planned: tuple[CellRecord, ...]
    """Every cell of the last run, in its order, as it is on disk; those that are not are `missing`."""
    summary: Summary
    facts: Mapping[str, Any]
    """Its pin; empty where there is none."""
    pin: str
    """The pin's file name."""
    comparisons: tuple[Mapping[str, str], ...]
    """The rows of comparisons.csv; none where it is absent."""
    has_cells: bool = True
    """Whether the cells are with the folder, and with them all that is kept per query and per look."""

    @cached_property
    def lines(self) -> tuple[Line, ...]:
        """Those that figures are of: no stale one."""
        return tuple(line for line, _ in self.summary.lines if not line.stale)

    @cached_property
    def slices(self) -> tuple[str, ...]:
        """Those that have something of their own to say."""
        return shown_slices(self.summary)

    @property
    def measures(self) -> Measures:
        """How its one target judges; of several see `by_target`."""
        return self.summary.judged_by

    @property
    def lead(self) -> MetricSpec:
        """The metric that tables and figures go by."""
        return self.measures.lead

    def by_target(self) -> "dict[str, Contents]":
        """The same for each target alone."""
        return {target: self._of_target(target) for target in self.summary.targets}

    def _of_target(self, target: str) -> "Contents":
        rows = tuple(row for row in self.comparisons if row.get("target") == target)
        return replace(self, summary=self.summary.of_target(target), comparisons=rows)

    @property
    def left_out(self) -> tuple[str, ...]:
        """What of the experiment the log had no column for, a sentence each."""
        return tuple((self.facts.get("data") or {}).get("left_out", ()))

    @property
    def leaves_one_out(self) -> bool:
        """Whether each user's last event was asked, so that instants are no dates."""
        return self.experiment_settings("timeline").get("protocol") == "leave_one_out"

    def experiment_settings(self, part: str) -> Mapping[str, Any]:
        """The settings of a part of the experiment, as the pin has them; none where there is no pin."""
        return (self.facts.get("experiment") or {}).get(part) or {}

    @cached_property
    def compared(self) -> tuple[Comparison, ...]:
        """The comparisons, read. Raises FaultError where comparisons.csv is of another version or damaged."""
        try:
            return tuple(from_row(row) for row in self.comparisons)
        except (KeyError, ValueError) as error:
            raise FaultError(
                f"{self.store.root / 'comparisons.csv'}: is damaged ({error}); run the report again."
            ) from error

    @property
    def name(self) -> str:
        return self.store.root.resolve().name

    def curves(self, line: Line) -> list[Mapping[str, np.ndarray]]:
        """The learning curve of each cell of a line that kept one."""
        kept = [cell for cell in line.cells if cell.status in ("done", "diverged")]
        return [self.store.curve(cell.id) for cell in kept if self.store.has(cell.id, CURVE)]


def read_contents(root: Path, stale: bool = False, compared: bool = True) -> Contents:
    """Read a results folder, from its tables where its cells are not with it; without `compared`, which is for a folder
    whose tables are to be made anew, not its comparisons.

    Raises InputError where it is none, where a table is not as it was written, or where some of its cells are stale and
    `stale` does not ask for those too; FaultError, which names all, where cells are damaged.
    """
    if not root.is_dir():
        raise InputError(f"{root}: there is no such folder; name one that a run left, such as results/NAME.")
    store = Store(root)
    rows = _rows(root, CELLS)
    listed = _planned(root / "cells.csv", rows)
    has_cells = (root / "cells").is_dir()
    if not has_cells and not listed:
        raise InputError(
            f"{root}: has no cells/ and no cells.csv, from which figures are made. Run the experiment into this "
            "folder, or name a folder that a run left."
        )
    refuse_damaged(store, [one.id for one in listed] or store.cell_ids())
    planned = (tuple(store.plan(listed)) or tuple(store.records())) if has_cells else with_metrics(listed, rows)
    if not planned:
        raise InputError(f"{root}: no cell is kept in its cells/; run the experiment first.")
    if not stale and (some := [one for one in planned if one.stale]):
        names = ", ".join(dict.fromkeys(name for one in some for name in one.stale))
        raise InputError(
            f"{root / 'cells.csv'}: {len(some)} of its {len(planned)} cells are stale ({names}); run the experiment "
            "again to compute them anew, or add --stale to show them as stale."
        )
    facts, pin = _facts(root)
    known = pinned_measures(facts)
    if has_cells:
        summary = summarise(store, planned, measures=known)
    else:
        summary = summary_of(store, planned, _rows(root, SUMMARY), known)
    rows = _rows(root, COMPARISONS) if compared else ()
    return Contents(store, planned, summary, facts, pin, rows, has_cells)


def pinned_measures(facts: Mapping[str, Any]) -> dict[str, Measures]:
    """How the target of a pin judges, by its name; of a pin of an older version as targets of that name do here."""
    metrics = facts.get("metrics") or {}
    try:
        return {str(metrics["target"]): Measures.from_json(metrics["measures"])}
    except (KeyError, TypeError, ValueError):
        from lab.experiment.registry import shipped  # with jax behind it, for old pins alone

        return {name: target().measures() for name, target in shipped("target").items()}


def _planned(path: Path, rows: Iterable[Mapping[str, str]]) -> list[CellRecord]:
    """The cells that cells.csv lists, as missing."""
    cells = {row["cell"]: row for row in rows}
    try:
        return [_missing(row) for row in cells.values()]
    except (KeyError, ValueError) as error:
        raise FaultError(f"{path}: is damaged ({error}); run the experiment again to rebuild it.") from error


def _missing(row: Mapping[str, str]) -> CellRecord:
    kind: Kind = "model" if row["features"] else "oracle" if row["model"] == "oracle" else "baseline"
    return CellRecord(
        id=row["cell"],
        kind=kind,
        model=row["model"],
        features=row["features"],
        variant=row.get("variant", ""),
        target=row["target"],
        horizon=float(row["horizon"]),
        fold=int(row["fold"]),
        seed=int(row["seed"]) if row["seed"] else None,
        stale=tuple(filter(None, row.get("stale", "").split(", "))),
        status="failed" if row["status"] == "failed" else "missing",
    )


def _rows(root: Path, name: str) -> tuple[Mapping[str, str], ...]:
    text = io.StringIO(read_table_file(root, name), newline="")
    try:
        return tuple({name: csv_name(cell) for name, cell in row.items()} for row in csv.DictReader(text, strict=True))
    except (AttributeError, TypeError, csv.Error) as error:  # a row with more fields than the header, or fewer
        raise FaultError(f"{root / name}: is damaged ({error}); run the experiment again to rebuild it.") from None


def _facts(root: Path) -> tuple[Mapping[str, Any], str]:
    path = root / PIN
    if not path.is_file():
        return {}, ""
    try:
        facts = json.loads(path.read_bytes())
    except (ValueError, RecursionError) as error:
        raise FaultError(f"{path}: is damaged ({error}); run the experiment again.") from error
    if not isinstance(facts, dict):
        raise FaultError(f"{path}: is damaged (holds no settings); run the experiment again.")
    if DIGEST in facts and not is_intact(facts):
        raise InputError(
            f"{path}: is damaged or was edited: what it holds does not give its `{DIGEST}`. Get it anew from where it "
            "came from, or run the experiment again."
        )
    return facts, PIN
