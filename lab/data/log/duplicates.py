"""Rows that are there twice: judged by all columns of a log, and kept where nobody can tell whether they are."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl

from lab.data.log.log import Log
from lab.data.log.removals import Removal
from lab.data.sources.base import Scan
from lab.data.sources.reserved_names import ROW
from lab.data.timeline import DAY

LOOKED_AT = 1000
"""Rows by which it is told in what columns rows differ that agree in those of the schema."""

NAMED = 3
"""Such columns that are named before it is said `and more`."""

_UNCOMPARED = ("row", "text", "fault", "odd")
"""Columns of a log that are none of the schema's, or that the source's own stand for."""


@dataclass(frozen=True)
class Repeats:
    """Events that share user and time with an earlier one, and agree with it in what the schema has."""

    same: np.ndarray
    """bool[N]: those that agree in all other columns of the log, too."""
    differing: int
    """How many do not."""
    columns: tuple[str, ...]
    """Where some of these differ."""


def drop_duplicates(log: Log, wanted: bool | None, scan: Scan) -> tuple[Log, list[Removal], dict[str, Any]]:
    """A log that is sorted into histories, with its `row`s, without its duplicates, and what is to be said of them.

    With `wanted` None those stay whose time is a whole day: the same thing may be bought twice on a day. It is judged
    row by row, so that no later row has a say in it.
    """
    if wanted is False:
        return log, [], {}
    found = find_repeats(log, scan)
    out = found.same if wanted else found.same & ~is_midnight(log["time"], scan.facts.get("time_zone", "UTC"))
    removed = Removal("duplicates", int(out.sum()), "rows equal to an earlier one in every column of the log")
    kept = int(found.same.sum() - out.sum())
    return log.keep(~out), [removed], {"kept": kept, "differing": found.differing, "columns": list(found.columns)}


def find_repeats(log: Log, scan: Scan) -> Repeats:
    """Look for events that are there twice."""
    suspects = _alike(log)
    if scan.others is None or not len(suspects):
        return Repeats(_again(log, suspects), 0, ())
    rows = log["row"][suspects]
    names = [name for name in scan.others.collect_schema() if name != ROW]
    found = _collected(_rows(scan.others, rows).select(ROW, pl.struct(names).hash().alias("whole")), scan).sort(ROW)
    whole = found["whole"].to_numpy()[np.searchsorted(found[ROW].to_numpy(), rows)]
    same = _again(log, suspects, whole)
    agreeing = _again(log, suspects)
    return Repeats(same, int(agreeing.sum() - same.sum()), _where(log, suspects, agreeing & ~same, scan))


def _alike(log: Log) -> np.ndarray:
    """Places of the events that may agree with another of their user and time, in their order."""
    user, time = log["user"], log["time"]
    joins = np.zeros(len(log) + 1, bool)
    joins[1:-1] = (user[1:] == user[:-1]) & (time[1:] == time[:-1])
    # Only events that share their instant can be equal; only those whose hashes meet need comparing.
    tied = np.flatnonzero(joins[1:] | joins[:-1])
    if not len(tied):
        return tied
    frame = pl.DataFrame({name: log[name][tied] for name in _compared(log)})
    return tied[frame.hash_rows().is_duplicated().to_numpy()]


def _compared(log: Log) -> list[str]:
    return [name for name in log.columns if name not in _UNCOMPARED]


def _again(log: Log, places: np.ndarray, whole: np.ndarray | None = None) -> np.ndarray:
    """bool[N]: which of the events at `places` agree with an earlier one, in what is `whole` of each as well."""
    columns = {name: log[name][places] for name in _compared(log)} | ({} if whole is None else {"whole": whole})
    again = np.zeros(len(log), bool)
    if len(places):
        frame = pl.DataFrame(columns)
        again[places] = ~frame.select(pl.struct(pl.all()).is_first_distinct()).to_series().to_numpy()
    return again


def _where(log: Log, suspects: np.ndarray, differing: np.ndarray, scan: Scan) -> tuple[str, ...]:
    """The columns in which the first of the differing rows differ from those before them."""
    places = suspects[np.argsort(log["row"][suspects], kind="stable")][:LOOKED_AT]
    if not differing[places].any() or scan.others is None:
        return ()
    rows = log["row"][places]
    read = _collected(_rows(scan.others.head(int(rows.max()) + 1), rows), scan).sort(ROW)
    key = pl.DataFrame({name: log[name][places] for name in _compared(log)}).hash_rows()
    hashes = read.drop(ROW).select(pl.all().hash()).with_columns(key.alias(ROW))
    return tuple(
        name for name in hashes.columns if name != ROW and hashes.select(ROW, name).n_unique() > key.n_unique()
    )


def _rows(frame: pl.LazyFrame, rows: np.ndarray) -> pl.LazyFrame:
    return frame.filter(pl.col(ROW).is_in(pl.Series(np.sort(rows)).implode()))


def _collected(frame: pl.LazyFrame, scan: Scan) -> pl.DataFrame:
    try:
        return frame.collect(engine="streaming")
    except (pl.exceptions.PolarsError, OSError) as error:
        raise (scan.explain(error) if scan.explain else error) from None


def is_midnight(time: np.ndarray, zone: str) -> np.ndarray:
    """bool[N]: which times (microseconds UTC) are midnight in their zone, and so say the day alone."""
    if zone != "UTC":
        local = pl.Series(time).cast(pl.Datetime("us", "UTC")).dt.convert_time_zone(zone).dt.replace_time_zone(None)
        time = local.cast(pl.Int64).to_numpy()
    return time % DAY == 0


def repeat_remarks(facts: Mapping[str, Any]) -> Iterator[str]:
    """Remarks on the rows of a log that are there twice, or nearly so, and stayed."""
    found = facts.get("repeats") or {}
    if found.get("kept"):
        yield (
            f"{_rows_equal(found['kept'])} every column of the log, on one day: kept, for the same thing may have been "
            f"bought twice on a day (--cleaning.duplicates True leaves such rows out)"
        )
    if found.get("differing"):
        yield (
            f"{_rows_equal(found['differing'])} {_mapped(facts)}, and not in {_column_names_text(found['columns'])}: "
            f"kept{_cure(facts)}"
        )


def _rows_equal(count: int) -> str:
    return "1 row that equals an earlier one in" if count == 1 else f"{count:,} rows that equal an earlier one in"


def _mapped(facts: Mapping[str, Any]) -> str:
    columns = [name for name in facts.get("columns", {}) if name != "text"]
    return ", ".join(columns) or "what the lab reads"


def _column_names_text(columns: list[str]) -> str:
    shown = ", ".join(repr(name) for name in columns[:NAMED])
    return (shown or "other columns") + (" and more" if len(columns) > NAMED else "")


def _cure(facts: Mapping[str, Any]) -> str:
    if facts.get("source") != "table":
        return ""
    return " (--source.identity with nothing behind it leaves such rows out)"
