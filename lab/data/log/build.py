"""From a source to histories in memory: scan, quarantine, clean, sort, encode."""

from collections.abc import Mapping
from dataclasses import asdict, replace
from typing import Any

import numpy as np

from lab.core.errors import InputError
from lab.data.log.cleaning import Cleaning, fitted_rules, history_rules, row_rules, stated_range
from lab.data.log.duplicates import drop_duplicates
from lab.data.log.encoding import BuiltLog, encode_log
from lab.data.log.event_order import require_times
from lab.data.log.log import MISSING_TIME, Log, read_log
from lab.data.log.missed_keys import missed_keys
from lab.data.log.odd_ids import odd_ids
from lab.data.log.quarantine import count_quarantined, scan_place, set_aside
from lab.data.log.removals import Removal, removals_text
from lab.data.log.stray_times import bulk_span
from lab.data.sources.base import Scan, Source
from lab.data.timeline import Timeline, folds, instant


def build(source: Source, cleaning: Cleaning, timeline: Timeline, horizons: tuple[float, ...]) -> BuiltLog:
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
        raise InputError(f"{scan_place(scan)}: holds no rows.")
    log, quarantine = set_aside(log, scan, cleaning)
    facts: dict[str, Any] = {"source": source.name, "rows": rows, **scan.facts, "missing": _missing(log)}
    facts["odd"] = odd_ids(log)
    facts |= {"lookups": missed_keys(log, scan.facts["lookups"])} if "lookups" in scan.facts else {}
    log = log.without("odd", *(name for name in log.columns if name.startswith("missed")))
    facts["files"] = [file.name for file in scan.files]
    facts["blank_lines"], facts["empty_lists"] = (held.blank, held.empty) if held is not None else (0, 0)
    facts["quarantine"] = count_quarantined(quarantine)
    log, removed = _clean(log, scan, cleaning, timeline, horizons, facts)
    facts["rules"] = [asdict(rule) for rule in removed]
    return encode_log(log, scan, quarantine, facts)


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


def _clean(
    log: Log, scan: Scan, cleaning: Cleaning, timeline: Timeline, horizons: tuple[float, ...], facts: dict[str, Any]
) -> tuple[Log, list[Removal]]:
    span = stated_range(cleaning, scan.since, scan.until)
    log, removed = row_rules(log, cleaning, span)
    log = _cut_at_end(log, timeline, removed)
    _require_events(log, scan, removed)
    log, more, facts["repeats"] = drop_duplicates(log.without("fault").sorted(), cleaning.duplicates, scan)
    removed += more
    log, more = history_rules(log.without("row"), cleaning)
    removed += more
    _require_events(log, scan, removed)
    first, last = int(log["time"].min()), int(log["time"].max())
    known_until = folds(timeline, horizons, first, last)[-1].valid_cutoff if horizons else last
    facts |= {"first": first, "last": last, "bulk": bulk_span(log["time"])}
    facts["known_until"] = known_until if horizons else None
    # Without times there are no days, and so no user who does too much on one.
    fitted = cleaning if scan.facts.get("timed", True) else replace(cleaning, bots=None)
    log, more = fitted_rules(log, fitted, known_until)
    removed += more
    _require_events(log, scan, removed)
    return log, removed


def _cut_at_end(log: Log, timeline: Timeline, removed: list[Removal]) -> Log:
    if timeline.end is None:
        return log
    kept = log["time"] <= instant(timeline.end)
    removed.append(Removal("timeline.end", int(len(kept) - kept.sum()), f"events after {timeline.end}"))
    return log.keep(kept)


def _require_events(log: Log, scan: Scan, removed: list[Removal]) -> None:
    if not len(log):
        said = removals_text(removed) or "all rows were quarantined"
        raise InputError(f"{scan_place(scan)}: no events are left after cleaning ({said}).")


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
