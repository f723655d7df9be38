"""From a source to histories in memory: scan, quarantine, clean, sort, encode."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
import polars as pl

from lab.core.errors import InputError
from lab.core.words import counted
from lab.data.log.blanks import blanks, odd_ids
from lab.data.log.cleaning import Cleaning, fitted_rules, history_rules, row_rules, stated_range
from lab.data.log.duplicates import without_duplicates
from lab.data.log.event_order import require_times
from lab.data.log.log import MISSING_TIME, Log, read_log, resolution
from lab.data.log.missed_keys import missed_keys
from lab.data.log.removed import Removed, left_out
from lab.data.log.stray import bulk
from lab.data.schema import Behaviour
from lab.data.sources.base import Fault, Scan, Source
from lab.data.timeline import Timeline, folds, instant

SHOWN = 5
"""Rows that a message names before it says `and more`."""

QUARANTINE = pl.Schema(
    {"file": pl.String, "row": pl.Int64, "column": pl.String, "value": pl.String, "reason": pl.String}
)


@dataclass(frozen=True)
class Built:
    """What the histories' cache holds: the arrays of `Histories`, and what stays in the cache alone."""

    arrays: dict[str, np.ndarray]
    """offsets, time, item, behaviour, and category, price, quantity where the log has them."""
    items: pl.DataFrame
    """name, and text where the log has it, one row an item."""
    categories: pl.DataFrame | None
    """name, one row a category."""
    users: pl.DataFrame
    """name (the raw id) and attributes, one row a user."""
    quarantine: pl.DataFrame
    """file, row, column, value, reason."""
    behaviours: tuple[Behaviour, ...]
    facts: dict[str, Any]


def build(source: Source, cleaning: Cleaning, timeline: Timeline, horizons: tuple[float, ...]) -> Built:
    """Read and clean a source. Without horizons, rules that need statistics are fitted on the whole log.

    Raises InputError for a source that cannot be read, holds too many broken rows, or is too short.
    """
    scan = source.scan()
    if horizons:
        require_times(scan.facts)
    _refuse_clock(scan.facts, cleaning, timeline)
    log = read_log(scan)
    held = scan.records() if scan.records is not None else None
    rows = len(log)
    if not rows:
        raise InputError(f"{_place(scan)}: holds no rows.")
    log, quarantine = _set_aside(log, scan, cleaning)
    facts: dict[str, Any] = {"source": source.name, "rows": rows, **scan.facts, "missing": _missing(log)}
    facts["odd"] = odd_ids(log)
    facts |= {"lookups": missed_keys(log, scan.facts["lookups"])} if "lookups" in scan.facts else {}
    log = log.without("odd", *(name for name in log.columns if name.startswith("missed")))
    facts["files"] = [file.name for file in scan.files]
    facts["blank_lines"], facts["empty_lists"] = (held.blank, held.empty) if held is not None else (0, 0)
    facts["quarantine"] = _counted(quarantine)
    log, removed = _cleaned(log, scan, cleaning, timeline, horizons, facts)
    facts["rules"] = [asdict(rule) for rule in removed]
    return _encoded(log, scan, quarantine, facts)


def _refuse_clock(facts: Mapping[str, Any], cleaning: Cleaning, timeline: Timeline) -> None:
    """Raise InputError for a setting that speaks of times, of a log that has none."""
    of_times = {
        "timeline.end": timeline.end,
        "cleaning.since": cleaning.since,
        "cleaning.until": cleaning.until,
        "cleaning.bots": None if cleaning.bots in (None, Cleaning.bots) else f"{cleaning.bots:g}",
    }
    for name, value in of_times.items():
        if value is not None and not facts.get("timed", True):
            raise InputError(f"{name}: {value} says nothing of a log in order, which has no times; leave it out.")


def _cleaned(
    log: Log, scan: Scan, cleaning: Cleaning, timeline: Timeline, horizons: tuple[float, ...], facts: dict[str, Any]
) -> tuple[Log, list[Removed]]:
    span = stated_range(cleaning, scan.since, scan.until)
    log, removed = row_rules(log, cleaning, span)
    log = _ended(log, timeline, removed)
    _require_events(log, scan, removed)
    log, more, facts["repeats"] = without_duplicates(log.without("fault").sorted(), cleaning.duplicates, scan)
    removed += more
    log, more = history_rules(log.without("row"), cleaning)
    removed += more
    _require_events(log, scan, removed)
    first, last = int(log["time"].min()), int(log["time"].max())
    known_until = folds(timeline, horizons, first, last)[-1].valid_cutoff if horizons else last
    facts |= {"first": first, "last": last, "bulk": bulk(log["time"])}
    facts["known_until"] = known_until if horizons else None
    # Without times there are no days, and so no user who does too much on one.
    fitted = cleaning if scan.facts.get("timed", True) else replace(cleaning, bots=None)
    log, more = fitted_rules(log, fitted, known_until)
    removed += more
    _require_events(log, scan, removed)
    return log, removed


def _ended(log: Log, timeline: Timeline, removed: list[Removed]) -> Log:
    if timeline.end is None:
        return log
    kept = log["time"] <= instant(timeline.end)
    removed.append(Removed("timeline.end", int(len(kept) - kept.sum()), f"events after {timeline.end}"))
    return log.keep(kept)


def _require_events(log: Log, scan: Scan, removed: list[Removed]) -> None:
    if not len(log):
        said = left_out(removed) or "all rows were quarantined"
        raise InputError(f"{_place(scan)}: no events are left after cleaning ({said}).")


def _place(scan: Scan) -> str:
    return str(scan.files[0]) if scan.files else "the source"


def _missing(log: Log) -> dict[str, int]:
    """Missing values by column, of the rows that are not quarantined."""
    counts: dict[str, int] = {}
    for name, column in log.columns.items():
        if name in ("user", "item", "category", "text", "behaviour"):
            counts[name] = int((column < 0).sum())
        elif name == "time":
            counts[name] = int((column == MISSING_TIME).sum())
        elif name in ("price", "quantity"):
            counts[name] = int(np.isnan(column).sum())
    return counts


def _set_aside(log: Log, scan: Scan, cleaning: Cleaning) -> tuple[Log, pl.DataFrame]:
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


def _counted(quarantine: pl.DataFrame) -> dict[str, Any]:
    reasons = (
        quarantine.group_by("column", "reason")
        .len("rows")
        .sort("rows", "column", "reason", descending=[True, False, False])
    )
    return {"rows": len(quarantine), "reasons": reasons.to_dicts()}


def _too_many(quarantine: pl.DataFrame, rows: int, scan: Scan, cleaning: Cleaning) -> str:
    worst = _counted(quarantine)["reasons"][0]
    share = 100 * len(quarantine) / rows
    cures = (fault.cure for fault in scan.faults if (fault.column, fault.reason) == (worst["column"], worst["reason"]))
    cure = next((f"; {cure}" for cure in cures if cure), "")
    absent = worst["reason"] == "is missing" and worst["column"] == scan.facts.get("columns", {}).get("behaviour")
    cure = "; or read the log without behaviours: --ignore behaviour (of a run --source.ignore)" if absent else cure
    examples = _examples(quarantine, Fault(worst["column"], worst["reason"]))
    return (
        f"{examples}; {len(quarantine):,} of {counted(rows, 'row')} "
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


def _encoded(log: Log, scan: Scan, quarantine: pl.DataFrame, facts: dict[str, Any]) -> Built:
    """Renumber what is left: users, items and categories that still have events, in the order of their names."""
    arrays, names = {"time": log["time"], "behaviour": log["behaviour"].astype(np.int8)}, {}
    user, names["user"] = _compact(log, "user")
    arrays["offsets"] = np.concatenate([[0], np.cumsum(np.bincount(user, minlength=len(names["user"])))]).astype(
        np.int64
    )
    for name in ("item", "category"):
        if name in log:
            arrays[name], names[name] = _compact(log, name)
    arrays |= {name: log[name] for name in ("price", "quantity") if name in log}
    items = pl.DataFrame({"name": pl.Series(names["item"], dtype=pl.String)})
    if "text" in log:
        items = items.with_columns(pl.Series("text", _first_text(log, arrays["item"], len(items)), dtype=pl.String))
    categories = pl.DataFrame({"name": pl.Series(names["category"], dtype=pl.String)}) if "category" in log else None
    facts |= _measured(arrays, user) | {"users": len(names["user"]), "items": len(items), "events": len(log)}
    coded = {"user": user} | {name: arrays[name] for name in ("item", "category") if name in arrays}
    facts["blanks"] = {name: blanks(names[name], codes) for name, codes in coded.items()}
    facts["categories"] = None if categories is None else len(categories)
    used = np.bincount(arrays["behaviour"], minlength=len(log.behaviours))
    facts["behaviours"] = {behaviour.name: int(n) for behaviour, n in zip(log.behaviours, used, strict=True)}
    users, missed = _users(names["user"], scan)
    facts |= {"attributes": {**facts["attributes"], "missed": missed}} if "attributes" in facts else {}
    return Built(arrays, items, categories, users, quarantine, log.behaviours, facts)


def _compact(log: Log, name: str) -> tuple[np.ndarray, np.ndarray]:
    """Codes without gaps and their names; -1 stays -1."""
    codes, names = log[name], log.names[name]
    used = np.zeros(len(names) + 1, bool)
    used[codes] = True
    used = used[:-1]
    if used.all():
        return codes, names
    new = np.append(np.cumsum(used, dtype=np.int32) - 1, np.int32(-1)).astype(np.int32)
    return new[codes], names[used]


def _first_text(log: Log, item: np.ndarray, items: int) -> list[str | None]:
    """What each item was called at its first event, None where nothing: never what only later events call it."""
    by_time = np.argsort(log["time"], kind="stable")
    first = np.empty(items, np.int64)
    # The last assignment wins, so the first event comes last.
    first[item[by_time[::-1]]] = by_time[::-1]
    return np.array([*log.names["text"], None], object)[log["text"][first]].tolist()


def _measured(arrays: Mapping[str, np.ndarray], user: np.ndarray) -> dict[str, Any]:
    """Ties, the resolution of time and what the rules left of its span, which the run prints."""
    time = arrays["time"]
    same = np.zeros(len(time) + 1, bool)
    same[1:-1] = (time[1:] == time[:-1]) & (user[1:] == user[:-1])
    tied = (same[1:] | same[:-1]).mean()
    kept = [int(time.min()), int(time.max())]
    return {"tied": float(tied), "resolution": resolution(time), "kept": kept}


def _users(names: np.ndarray, scan: Scan) -> tuple[pl.DataFrame, int]:
    """Raw ids and attributes, by row number, and how many users have none. Raises InputError when the second table
    names a user twice."""
    users = pl.DataFrame({"name": pl.Series(names, dtype=pl.String)})
    if scan.attributes is None:
        return users, 0
    known = scan.attributes.collect().filter(pl.col("user").is_not_null())
    twice = known.filter(known["user"].is_duplicated())
    if len(twice):
        raise InputError(f"source.attributes: the second table has user {twice['user'][0]!r} more than once.")
    missed = len(users.join(known, left_on="name", right_on="user", how="anti"))
    return users.join(known, left_on="name", right_on="user", how="left", maintain_order="left"), missed
