"""Rows that break the schema: set aside with the reason, counted, and refused past the stated share."""

from typing import Any

import numpy as np
import polars as pl

from lab.core.errors import InputError
from lab.core.words import plural
from lab.data.log.cleaning import Cleaning
from lab.data.log.log import MISSING_TIME, Log
from lab.data.sources.base import Fault, Scan

SHOWN = 5
"""Rows that a message names before it says `and more`."""


QUARANTINE = pl.Schema(
    {"file": pl.String, "row": pl.Int64, "column": pl.String, "value": pl.String, "reason": pl.String}
)


def scan_place(scan: Scan) -> str:
    return str(scan.files[0]) if scan.files else "the source"


def set_aside(log: Log, scan: Scan, cleaning: Cleaning) -> tuple[Log, pl.DataFrame]:
    """Take out the rows that break the schema. Raises InputError past the stated share."""
    broken = log["fault"] > 0 if "fault" in log else np.zeros(len(log), bool)
    gone = _absent(log, broken, cleaning)
    quarantine = QUARANTINE.to_frame()
    if broken.any():
        assert scan.quarantine is not None
        quarantine = scan.quarantine.collect(engine="streaming").cast(QUARANTINE)
    for column, rows in gone.items():
        quarantine = quarantine.extend(_absent_rows(log["row"][rows], column, scan))
        broken = broken | rows
    fatal = _fatal(log, scan.faults)
    if fatal is not None:
        raise InputError(f"{_examples(quarantine, fatal)}.")
    share = broken.mean()
    if share > cleaning.quarantine_share:
        raise InputError(_too_many(quarantine, len(log), scan, cleaning))
    return log.keep(~broken), quarantine


def _absent(log: Log, broken: np.ndarray, cleaning: Cleaning) -> dict[str, np.ndarray]:
    """Rows that lack what the schema requires: quarantined where no rule leaves them out.

    A row without a behaviour, in a log that has behaviours, is always one of them.
    """
    absent = {"behaviour": log["behaviour"] < 0}
    if not cleaning.missing:
        absent |= {"user": log["user"] < 0, "item": log["item"] < 0, "time": log["time"] == MISSING_TIME}
    found, seen = {}, broken
    for column, rows in absent.items():
        if (rows & ~seen).any():
            found[column] = rows & ~seen
            seen = seen | rows
    return found


def _absent_rows(rows: np.ndarray, column: str, scan: Scan) -> pl.DataFrame:
    column = scan.facts.get("columns", {}).get(column, column)
    place = str(scan.files[0]) if len(scan.files) == 1 else ""
    frame = pl.DataFrame({"row": rows.astype(np.int64) + 1})
    said = {
        "file": pl.lit(place),
        "column": pl.lit(column),
        "value": pl.lit(None, pl.String),
        "reason": pl.lit("is missing"),
    }
    return frame.with_columns(**said).select(QUARANTINE.names()).cast(QUARANTINE)


def _fatal(log: Log, faults: tuple[Fault, ...]) -> Fault | None:
    """The first fault that leaves no row beyond doubt, if any row has it."""
    if "fault" not in log:
        return None
    counts = np.bincount(log["fault"], minlength=len(faults) + 1)[1:]
    return next((fault for fault, count in zip(faults, counts, strict=True) if fault.fatal and count), None)


def count_quarantined(quarantine: pl.DataFrame) -> dict[str, Any]:
    reasons = (
        quarantine.group_by("column", "reason")
        .len("rows")
        .sort("rows", "column", "reason", descending=[True, False, False])
    )
    return {"rows": len(quarantine), "reasons": reasons.to_dicts()}


def _too_many(quarantine: pl.DataFrame, rows: int, scan: Scan, cleaning: Cleaning) -> str:
    worst = count_quarantined(quarantine)["reasons"][0]
    share = 100 * len(quarantine) / rows
    cures = (fault.cure for fault in scan.faults if (fault.column, fault.reason) == (worst["column"], worst["reason"]))
    cure = next((f"; {cure}" for cure in cures if cure), "")
    absent = worst["reason"] == "is missing" and worst["column"] == scan.facts.get("columns", {}).get("behaviour")
    cure = "; or read the log without behaviours: --ignore behaviour (of a run --source.ignore)" if absent else cure
    examples = _examples(quarantine, Fault(worst["column"], worst["reason"]))
    return (
        f"{examples}; {len(quarantine):,} of {plural(rows, 'row')} "
        f"({share:.3g} %) break the schema, more than cleaning.quarantine_share allows "
        f"({100 * cleaning.quarantine_share:g} %){cure}."
    )


def _examples(quarantine: pl.DataFrame, fault: Fault) -> str:
    """The first rows with a fault: `log.csv: column 'ts', rows 3 and 7: 'soon' cannot be read as ...`."""
    rows = quarantine.filter(pl.col("column") == fault.column, pl.col("reason") == fault.reason)
    first = rows.row(0, named=True)
    numbers = [str(row) for row in rows.filter(pl.col("file") == first["file"])["row"].head(SHOWN)]
    more = f" and {len(rows) - len(numbers):,} more" if len(rows) > len(numbers) else ""
    where = f"column {fault.column!r}, " if fault.column else ""
    value = "the value" if first["value"] is None else repr(first["value"][:60])
    return (
        f"{first['file']}: {where}row{'s' if len(rows) > 1 else ''} {', '.join(numbers)}{more}: {value} {fault.reason}"
    )
