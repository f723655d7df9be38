"""From a table's own columns to the schema's, with every row that breaks the schema marked."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import polars as pl

from lab.core.spelling import nearest
from lab.data.schema import DEFAULT_BEHAVIOUR
from lab.data.sources.base import Fault
from lab.data.sources.files import FILE, ROW, SURPLUS
from lab.data.sources.times import UNITS, TimeFormat

NUMBERS = (
    "write numbers like 32.58 and leave a field empty where there is none, or let such rows be left out with "
    "--cleaning.quarantine-share 1"
)
"""What to do about a column of prices or quantities that holds something else."""

DATE_PARTS = ("year", "month", "day")


def nearest_column(wanted: str, names: Sequence[str], hint: str = "") -> str:
    """The name most like the wanted one, as the end of a sentence; where none is, the first names and the hint."""
    near = nearest(wanted, names)
    if near:
        return f"the nearest is {near!r}"
    return f"it has {', '.join(repr(name) for name in names[:12])}{' and more' if len(names) > 12 else ''}{hint}"


@dataclass(frozen=True)
class Mapped:
    """A table with its columns mapped: the raw ones as `raw_...`, the schema's beside them, and `fault`."""

    table: pl.LazyFrame
    faults: tuple[Fault, ...]
    columns: tuple[str, ...]
    """Which of the schema's columns there are, in its order."""

    def canonical(self) -> pl.LazyFrame:
        return self.table.select(ROW, *self.columns, "fault")

    def quarantine(self, several_files: bool) -> pl.LazyFrame:
        """The rows that break the schema, by file and row (from 1 in each file)."""
        bad = self.table.filter(pl.col("fault") > 0)
        if several_files:
            first = self.table.group_by(FILE).agg(pl.col(ROW).min().alias("first"))
            bad = bad.join(first, on=FILE).with_columns(pl.col(ROW) - pl.col("first"))
        code = pl.col("fault")
        value, column, reason = pl.lit(None, pl.String), pl.lit(""), pl.lit("")
        for k, fault in enumerate(self.faults, 1):
            value = pl.when(code == k).then(pl.col(f"value_{k}")).otherwise(value)
            column = pl.when(code == k).then(pl.lit(fault.column)).otherwise(column)
            reason = pl.when(code == k).then(pl.lit(fault.reason)).otherwise(reason)
        row = (pl.col(ROW).cast(pl.Int64) + 1).alias("row")
        chosen = bad.select(
            pl.col(FILE).alias("file"), row, column.alias("column"), value.alias("value"), reason.alias("reason")
        )
        return chosen.sort("file", "row")


IDS = ("user", "item")
_NESTED = r"""^(\[\]|\[(["\[{\d-]|true|false|null).*\]|\{\}|\{".*\})$"""
"""The text of a list or an object in JSON; `[deleted]` is none."""


def map_table(
    table: pl.LazyFrame,
    columns: Mapping[str, str],
    times: TimeFormat,
    behaviours: Mapping[str, str],
    schema: pl.Schema,
    identity: Sequence[str] = (),
    json: bool = False,
) -> Mapped:
    """Map `columns` (the schema's name -> the table's) and mark what breaks the schema.

    `table` has `row` and `file`, and `surplus` where a row of text may have more fields than the header. Of `json`, the
    text of a value may be that of a list or an object.
    """
    raw = {f"raw_{name}": pl.col(column) for name, column in columns.items() if name not in DATE_PARTS}
    if "year" in columns:
        raw["raw_time"] = _joined_date([columns[part] for part in DATE_PARTS])
    if identity:
        raw["identity"] = pl.struct(identity).hash()
    surplus = [SURPLUS] if SURPLUS in schema else []
    wide = table.select(ROW, FILE, *surplus, **raw)
    made = {"time": times.expression(pl.col("raw_time"))}
    for name in ("user", "item", "category", "text"):
        if name in columns:
            made[name] = identifier(pl.col(f"raw_{name}"), schema[columns[name]])
    for name in ("price", "quantity"):
        if name in columns:
            made[name] = _number(pl.col(f"raw_{name}"), schema[columns[name]])
    if "behaviour" in columns:
        named = identifier(pl.col("raw_behaviour"), schema[columns["behaviour"]])
        made["behaviour"] = _renamed(named, dict(behaviours))
    else:
        made["behaviour"] = pl.lit(DEFAULT_BEHAVIOUR)
    checks = list(_checks(columns, times, behaviours, bool(surplus), IDS if json else ()))
    code = pl.lit(0, pl.UInt8)
    for k, (_, broken, _) in reversed(list(enumerate(checks, 1))):
        code = pl.when(broken.fill_null(False)).then(pl.lit(k, pl.UInt8)).otherwise(code)
    values = {f"value_{k}": value.cast(pl.String) for k, (_, _, value) in enumerate(checks, 1)}
    marked = wide.with_columns(**made).with_columns(fault=code, **values)
    order = ("user", "item", "time", "category", "behaviour", "price", "quantity", "text", "identity")
    found = tuple(name for name in order if name in made or name in raw)
    return Mapped(marked, tuple(fault for fault, _, _ in checks), found)


def _checks(
    columns: Mapping[str, str], times: TimeFormat, behaviours: Mapping[str, str], surplus: bool, nested: Sequence[str]
):
    """What can be wrong with a row: the fault, where it is true, and the value to show.

    `nested` are those of the schema's columns in which a list or an object may stand.
    """
    if surplus:
        extra = pl.col(SURPLUS)
        yield Fault("", "is more than the header has columns for"), extra.is_not_null(), extra
    for name in nested:
        value = pl.col(f"raw_{name}")
        yield Fault(columns[name], "is a list or an object, not an id"), value.str.contains(_NESTED), value
    raw, time = pl.col("raw_time"), pl.col("time")
    column = columns.get("time", "year/month/day")
    unit = {"iso": "an ISO date or date-time", "date-time": "an instant"}.get(times.kind, f"a time in {times.kind!r}")
    unit = f"a count of {times.kind} since 1970" if times.kind in UNITS else unit
    cure = "state how times are written with --time-format (time_format in Python), like %d/%m/%Y or ms"
    yield Fault(column, f"cannot be read as {unit}", cure=cure), raw.is_not_null() & time.is_null(), raw
    if times.kind in ("d", "s", "ms", "us", "ns"):
        said = f"is in another unit of time than the others, which are read as {times.kind} since 1970"
        yield Fault(column, said, fatal=True), times.doubtful(time), raw
    for name in ("price", "quantity"):
        if name in columns:
            value = pl.col(f"raw_{name}")
            yield (
                Fault(columns[name], "is not a number", cure=NUMBERS),
                value.is_not_null() & pl.col(name).is_null(),
                value,
            )
    if "behaviour" in columns:
        value = pl.col("raw_behaviour")
        known = ", ".join(list(behaviours)[:8])
        reason = f"is no behaviour of the mapping ({known}{', ...' if len(behaviours) > 8 else ''})"
        cure = "state all its values with --behaviours (behaviours in Python), like --behaviours pv view buy purchase"
        yield Fault(columns["behaviour"], reason, cure=cure), value.is_not_null() & pl.col("behaviour").is_null(), value


def _renamed(column: pl.Expr, names: dict[str, str]) -> pl.Expr:
    """The mapping's name for each value, null where it has none.

    By batches, because polars 2.1 cannot stream `replace_strict` and would hold the whole table for it.
    """

    def rename(values: pl.Series) -> pl.Series:
        return values.replace_strict(names, default=None, return_dtype=pl.String)

    return column.map_batches(rename, return_dtype=pl.String, is_elementwise=True)


def identifier(column: pl.Expr, dtype: pl.DataType) -> pl.Expr:
    """An id as text; a whole float without its decimals (pandas makes floats of ids with gaps)."""
    if dtype.is_float():
        whole = (column == column.floor()) & (column.abs() < 2**53)
        return (
            pl.when(whole)
            .then(column.cast(pl.Int64, strict=False).cast(pl.String))
            .otherwise(column.fill_nan(None).cast(pl.String))
        )
    if dtype == pl.String:
        return pl.when(column != "").then(column)
    return column.cast(pl.String)


def _number(column: pl.Expr, dtype: pl.DataType) -> pl.Expr:
    """Null where there is no finite number."""
    number = (
        (column.str.strip_chars() if dtype == pl.String else column).cast(pl.Float64, strict=False).cast(pl.Float32)
    )
    return pl.when(number.is_finite()).then(number)


def _joined_date(parts: list[str]) -> pl.Expr:
    numbers = [
        pl.col(part).cast(pl.String).str.strip_suffix(".0").str.zfill(4 if k == 0 else 2)
        for k, part in enumerate(parts)
    ]
    return pl.concat_str(numbers, separator="-")
