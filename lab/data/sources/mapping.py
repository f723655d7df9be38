"""From a table's own columns to the schema's, with every row that breaks the schema marked."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from operator import or_

import polars as pl

from lab.core.spelling import nearest
from lab.data.schema import DEFAULT_BEHAVIOUR
from lab.data.sources.base import Fault
from lab.data.sources.ids import ODDITIES, as_text, identifier, tidy_ids, unwrap
from lab.data.sources.numbers import MISSING, NumberFormat
from lab.data.sources.reserved_names import FILE, MARK, MISSED, ROW, SURPLUS
from lab.data.sources.times import TICKS, UNITS, TimeFormat, within_years

NUMBERS = "write numbers like 32.58, since 1,234 may be 1234 or 1.234, and leave a field empty where there is none"
"""What to do about a column of prices or quantities that holds something else."""

NO_TIMES = ("0000-00-00", "0000-00-00 00:00:00")
"""What MySQL writes where there is no time."""

NAMED = ("user", "item", "category")
"""The columns of ids, in the order of their bits in `odd`."""

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
    missed: tuple[str, ...] = ()
    """Columns of keys that the tables of lookups do not have."""

    def canonical(self) -> pl.LazyFrame:
        missed = [pl.col(name).alias(name.removeprefix(MARK)) for name in self.missed]
        return self.table.select(pl.col(ROW).alias("row"), *self.columns, "fault", *missed)

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


def raw_columns(columns: Mapping[str, str], schema: pl.Schema, json: bool = False) -> dict[str, pl.Expr]:
    """Each of the schema's columns that there is, as the table has it: without what stands for a missing value.

    Of `json`, the text of a value may be that of an object.
    """

    def raw(column: str) -> pl.Expr:
        value = within_years(as_text(pl.col(column), schema[column]), schema[column])
        return unwrap(value) if json and schema[column] == pl.String else value

    found = {name: raw(column) for name, column in columns.items() if name not in DATE_PARTS}
    if "year" in columns:
        found["time"] = _joined_date([columns[part] for part in DATE_PARTS])
    for name, none in (("time", (*MISSING, *NO_TIMES)), ("price", MISSING), ("quantity", MISSING)):
        if name in columns and is_text(schema[columns[name]]):
            found[name] = _present(found[name], none)
        elif name in columns and schema[columns[name]].is_float():
            found[name] = found[name].fill_nan(None)
    return found


def is_text(dtype: pl.DataType) -> bool:
    """Whether `raw_columns` gives text for a column of this type."""
    return dtype == pl.String or isinstance(dtype, pl.Categorical | pl.Enum | pl.Binary)


def _present(text: pl.Expr, none: Sequence[str]) -> pl.Expr:
    """Null where the text stands for a missing value."""
    pattern = rf"(?i)^\s*(?:{'|'.join(map(re.escape, none))})\s*$"
    return pl.when(~text.str.contains(pattern)).then(text)


def map_table(
    table: pl.LazyFrame,
    columns: Mapping[str, str],
    times: TimeFormat,
    behaviours: Mapping[str, str],
    schema: pl.Schema,
    json: bool = False,
    numbers: Mapping[str, NumberFormat] | None = None,
    stated: Sequence[str] = (),
    caseless: bool = False,
) -> Mapped:
    """Map `columns` (the schema's name -> the table's) and mark what breaks the schema.

    `table` has `ROW` and `FILE`, and `SURPLUS` where a row of text may have more fields than the header. Of `json`, the
    text of a value may be that of a list or an object. `numbers` says how prices and quantities are written, `stated`
    which columns the user named, `caseless` that a behaviour may be written in capitals.
    """
    dtypes = {name: pl.String() if is_text(schema[column]) else schema[column] for name, column in columns.items()}
    formats = {name: (numbers or {}).get(name, NumberFormat()) for name in ("price", "quantity") if name in columns}
    raw = {f"raw_{name}": value for name, value in raw_columns(columns, schema, json).items()}
    surplus = [SURPLUS] if SURPLUS in schema else []
    missed = tuple(name for name in schema if name.startswith(MISSED))
    wide = table.select(ROW, FILE, *surplus, *missed, **raw)
    made = {"time": times.expression(pl.col("raw_time"))}
    ids = {
        name: tidy_ids(pl.col(f"raw_{name}"), dtypes[name], shift=k * ODDITIES)
        for k, name in enumerate(NAMED)
        if name in columns
    }
    made |= {name: pl.col(f"tidy_{name}").struct.field("id") for name in ids}
    if "text" in columns:
        text = pl.col("raw_text").cast(pl.String)
        made["text"] = pl.when(text != "").then(text)
    for name, form in formats.items():
        made[name] = _number(pl.col(f"raw_{name}"), dtypes[name], form)
    if "behaviour" in columns:
        named = identifier(pl.col("raw_behaviour"), dtypes["behaviour"])
        named = named.str.to_lowercase() if caseless else named
        made["behaviour"] = _renamed(named, {name.strip(): ours for name, ours in behaviours.items()})
    else:
        made["behaviour"] = pl.lit(DEFAULT_BEHAVIOUR)
    made["odd"] = reduce(or_, (pl.col(f"tidy_{name}").struct.field("odd") for name in ids))
    nested = [name for name in IDS if json and dtypes[name] == pl.String]
    checks = list(_checks(columns, times, behaviours, bool(surplus), nested, formats, stated))
    code = pl.lit(0, pl.UInt8)
    for k, (_, broken, _) in reversed(list(enumerate(checks, 1))):
        code = pl.when(broken.fill_null(False)).then(pl.lit(k, pl.UInt8)).otherwise(code)
    values = {f"value_{k}": value.cast(pl.String) for k, (_, _, value) in enumerate(checks, 1)}
    tidy = {f"tidy_{name}": column for name, column in ids.items()}
    marked = wide.with_columns(**tidy).with_columns(**made).with_columns(fault=code, **values)
    order = ("user", "item", "time", "category", "behaviour", "price", "quantity", "text", "odd")
    there = tuple(name for name in order if name in made)
    return Mapped(marked, tuple(fault for fault, _, _ in checks), there, missed)


def without(name: str, stated: Sequence[str]) -> str:
    """What reads a log without one of its columns: `stated` are those that the user named."""
    if name in stated:
        return f"leave --{name} out (of a run --source.{name}; {name} in Python)"
    return f"read the log without it: --ignore {name} (of a run --source.ignore {name}; ignore=({name!r},) in Python)"


def _checks(
    columns: Mapping[str, str],
    times: TimeFormat,
    behaviours: Mapping[str, str],
    surplus: bool,
    nested: Sequence[str],
    numbers: Mapping[str, NumberFormat],
    stated: Sequence[str],
):
    """What can be wrong with a row: the fault, where it is true, and the value to show.

    `nested` are those of the schema's columns in which a list or an object may stand, `stated` those that the user
    named.
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
    unit = "a count of .NET ticks" if times.kind == TICKS else unit
    # Once a year a zone has an hour that no clock in it shows.
    unit += (
        "" if times.zone == "UTC" or times.kind in (*UNITS, TICKS) else f", or is skipped by the clocks of {times.zone}"
    )
    cure = "state how times are written with --time-format (time_format in Python), like %d/%m/%Y or ms"
    yield Fault(column, f"cannot be read as {unit}", cure=cure), raw.is_not_null() & time.is_null(), raw
    if times.kind in (*UNITS, TICKS):
        counted = ".NET ticks" if times.kind == TICKS else f"{times.kind} since 1970"
        said = f"is in another unit of time than the others, which are read as {counted}"
        yield Fault(column, said, fatal=True), times.doubtful(time), raw
    for name, form in numbers.items():
        value = pl.col(f"raw_{name}")
        fault = Fault(columns[name], f"is not {form.wanted}", cure=f"{NUMBERS}, or {without(name, stated)}")
        yield fault, value.is_not_null() & pl.col(name).is_null(), value
    if "behaviour" in columns:
        value = pl.col("raw_behaviour")
        known = ", ".join(list(behaviours)[:8])
        reason = f"is no behaviour of the mapping ({known}{', ...' if len(behaviours) > 8 else ''})"
        cure = "state all its values with --behaviours (behaviours in Python), like --behaviours pv view buy purchase"
        cure = f"{cure}, or {without('behaviour', stated)}"
        yield Fault(columns["behaviour"], reason, cure=cure), value.is_not_null() & pl.col("behaviour").is_null(), value


def _renamed(column: pl.Expr, names: dict[str, str]) -> pl.Expr:
    """The mapping's name for each value, null where it has none.

    By batches, because polars 2.1 cannot stream `replace_strict` and would hold the whole table for it.
    """

    def rename(values: pl.Series) -> pl.Series:
        return values.replace_strict(names, default=None, return_dtype=pl.String)

    return column.map_batches(rename, return_dtype=pl.String, is_elementwise=True)


def _number(column: pl.Expr, dtype: pl.DataType, form: NumberFormat) -> pl.Expr:
    """Null where there is no finite number."""
    if dtype == pl.String:
        column = column.map_batches(form.parse, return_dtype=pl.Float64, is_elementwise=True)
    number = column.cast(pl.Float64, strict=False).cast(pl.Float32)
    return pl.when(number.is_finite()).then(number)


def _joined_date(parts: list[str]) -> pl.Expr:
    numbers = [
        pl.col(part).cast(pl.String).str.strip_suffix(".0").str.zfill(4 if k == 0 else 2)
        for k, part in enumerate(parts)
    ]
    return pl.concat_str(numbers, separator="-")
