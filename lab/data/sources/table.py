"""Any table of events: the columns of a file, a folder, a glob or a DataFrame mapped to the schema."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, ClassVar
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import polars as pl

from lab.core.digests import settings_digest
from lab.core.errors import InputError
from lab.data.schema import CANCELLATION, DEFAULT_BEHAVIOUR, OPTIONAL, Behaviour
from lab.data.sources.base import Scan, Source
from lab.data.sources.damage import ReadError, first_line
from lab.data.sources.files import Opened, content_identity, open_files
from lab.data.sources.frame import frame_digest, frame_rows
from lab.data.sources.headers import refuse_header
from lab.data.sources.ids import as_text, identifier
from lab.data.sources.mapping import DATE_PARTS, IDS, is_text, map_table, nearest_column, raw_columns
from lab.data.sources.numbers import NumberFormat, detect_number_format
from lab.data.sources.paths import find_files
from lab.data.sources.reserved_names import MARK, MISSED, ORDER, ROW
from lab.data.sources.table_settings import TableSettings
from lab.data.sources.text import TextStyle
from lab.data.sources.times import TimeFormat, detect_time_format, parse_iso

CONVENTIONAL = {
    "impression": "impression",
    "view": "view", "pv": "view", "click": "view", "detail": "view", "page_view": "view",
    "favourite": "favourite", "favorite": "favourite", "fav": "favourite", "like": "favourite", "wishlist": "favourite",
    "cart": "cart", "add_to_cart": "cart", "addtocart": "cart", "basket": "cart",
    "rating": "rating", "rate": "rating", "review": "rating",
    "purchase": "purchase", "buy": "purchase", "order": "purchase", "transaction": "purchase",
    CANCELLATION: CANCELLATION, "cancel": CANCELLATION, "return": CANCELLATION, "refund": CANCELLATION,
}  # fmt: skip
"""What logs call their behaviours, weakest first: the mapping of a log that states none."""

SAMPLE = 10_000
"""Rows looked at to tell how times and numbers are written."""


@dataclass(frozen=True, kw_only=True)
class Table(TableSettings, Source):
    """A log of your own: CSV or any separated text, Parquet, JSON, packed or not, or a DataFrame.

    A column is given by its name, or by its number (from 1) where the file has no header. Columns of a second table, as
    the category and price of an item, are joined in an experiment file (`lookups`: README.md, Your own log); one of
    users, here (`attributes`).
    """

    name: ClassVar[str] = "table"

    def scan(self) -> Scan:
        """Raises InputError for a file, column, separator or format that is not there."""
        opened = None if self.frame is not None else self._opened()
        table = frame_rows(self.frame) if opened is None else self._rows(opened)
        if self.order == "rows":
            table = table.with_columns(pl.col(ROW).cast(pl.Int64).cast(pl.Datetime("us")).alias(ORDER))
        plain = table = table.with_columns(**self.derive)
        schema = _schema(plain, opened)
        for k, lookup in enumerate(self.lookups):
            self._column(lookup.on, "lookups", schema, opened)
            table = lookup.join(table, f"{MISSED}{k}")
        schema = _schema(table, opened)
        columns = self._columns(schema, opened)
        sample = self._sample(plain, columns, opened)
        times = self._time_format(sample, columns, opened)
        numbers = {name: detect_number_format(sample[name]) for name in ("price", "quantity") if name in sample}
        behaviours = self.behaviours or CONVENTIONAL
        stated = [name for name in OPTIONAL if getattr(self, name) is not None]
        mapped = map_table(
            *(table, columns, times, behaviours, schema, _is_json(opened), numbers, stated),
            caseless=not self.behaviours,
        )
        names = dict.fromkeys(behaviours.values()) if "behaviour" in columns else (DEFAULT_BEHAVIOUR,)
        return Scan(
            frame=mapped.canonical(),
            behaviours=tuple(Behaviour(name, -1 if name == CANCELLATION else 1) for name in names),
            faults=mapped.faults,
            quarantine=mapped.quarantine(opened is not None and len(opened.files) > 1),
            attributes=self._attributes(),
            files=opened.files if opened else (),
            facts=_facts(columns, times, numbers, opened) | self._setting_facts() | _cut_times(sample),
            explain=opened.explain if opened else None,
            records=opened.records if opened else None,
            others=self._others(plain, columns, opened),
        )

    def fingerprint(self, cache: Path | None = None) -> str:
        """Hash of the settings and of every file's content (or the frame's)."""
        outside = ("path", "attributes", "behaviours", "frame", "derive", "nested", "lookups")
        settings: dict[str, Any] = {f.name: getattr(self, f.name) for f in fields(self) if f.name not in outside}
        settings["behaviours"] = list(self.behaviours.items())
        content = [frame_digest(self.frame)] if self.frame is not None else content_identity(self._path(), cache)
        content += content_identity(self.attributes, cache) if self.attributes else []
        derived = sorted((name, str(expression)) for name, expression in self.derive.items())
        nested = sorted((name, str(dtype)) for name, dtype in self.nested.items())
        lookups = [lookup.identity(cache) for lookup in self.lookups]
        return settings_digest(["table", settings, content, derived, nested, lookups])

    def paths(self) -> tuple[Path, ...]:
        return find_files(self._path()) if self.frame is None else ()

    def _setting_facts(self) -> dict[str, Any]:
        """Facts of settings alone."""
        said: dict[str, Any] = {"timed": False} if self.order == "rows" else {}
        said |= {"lookups": [lookup.facts() for lookup in self.lookups]} if self.lookups else {}
        return said | ({"attributes": {"file": find_files(self.attributes)[0].name}} if self.attributes else {})

    def _rows(self, opened: Opened) -> pl.LazyFrame:
        """The rows of files, one an event."""
        table = opened.frame(self.nested)
        for name in self.nested:
            # Versions of polars differ in whether an empty list makes a row.
            table = table.filter(pl.col(name).list.len().fill_null(1) > 0)
            table = table.drop(ROW).explode(name).unnest(name).with_row_index(ROW)
        return table

    def _path(self) -> str | tuple[str, ...]:
        if self.path is None:
            raise InputError("source.path: names no file; give a file, a folder or a glob pattern.")
        return self.path

    def _opened(self) -> Opened:
        numbered = self.user.isdecimal() and self.item.isdecimal()
        header = not numbered if self.header is None else self.header
        opened = open_files(self._path(), self._style(header), self.separator, self._names())
        if numbered and self.header is None and opened.style is not None:
            refuse_header(opened)
        return opened

    def _style(self, header: bool) -> TextStyle:
        return TextStyle("", header, self.quote, self.encoding, self.escape)

    def _names(self) -> list[str]:
        """The columns that are asked of the file by name."""
        stated = [getattr(self, name) or name for name in (*IDS, "time", *OPTIONAL)]
        split = [getattr(self, part) for part in DATE_PARTS if getattr(self, part)]
        derived = [name for expression in self.derive.values() for name in expression.meta.root_names()]
        looked = [lookup.on for lookup in self.lookups]
        return list(dict.fromkeys([*stated, *split, *(self.identity or ()), *derived, *looked]))

    def _columns(self, schema: pl.Schema, opened: Opened | None) -> dict[str, str]:
        """The table's column behind each of the schema's (and year, month, day)."""
        wanted: dict[str, str | None] = {"user": self.user, "item": self.item}
        time = ORDER if self.order == "rows" else self.time or "time"
        wanted |= {part: getattr(self, part) for part in DATE_PARTS} if self.year else {"time": time}
        for name in self.ignore:
            if name not in schema:
                raise InputError(f"source.ignore: {_place(opened)} has no column {name!r} to ignore; leave it out.")
        guessed = {name: name if name in schema and name not in self.ignore else None for name in OPTIONAL}
        wanted |= {name: getattr(self, name) or guess for name, guess in guessed.items()}
        return {name: self._column(column, name, schema, opened) for name, column in wanted.items() if column}

    def _column(self, column: str, setting: str, schema: pl.Schema, opened: Opened | None) -> str:
        if column not in schema or (column.startswith(MARK) and column != ORDER):
            names = [name for name in schema if not name.startswith(MARK)]
            named = opened is not None and opened.style is not None and opened.style.header
            said = nearest_column(column, names)
            hint = "no header? give positions, such as 1 for user, 2 for item and 3 for time" if named else ""
            hint = "" if said.startswith("the nearest") else hint
            if setting == "time":
                hint = f"{hint and f'{hint}; '}a log in order that has no times is read with order='rows'"
            raise ReadError(f"{_place(opened)} has no column {column!r}; {said}", hint, f"source.{setting}")
        dtype = schema[column]
        no_number = setting in ("price", "quantity") and (dtype.is_temporal() or dtype == pl.Boolean)
        if not _legible(dtype) or no_number:
            kind = "holds lists or objects" if dtype.is_nested() else f"is of type {dtype}"
            said = f"{_place(opened)}: column {column!r} {kind}"
            cure = "an id is a text or a number" if setting in IDS else "make it text, numbers or dates"
            cure = "make it numbers" if no_number else cure
            raise ReadError(said, cure, f"source.{setting}")
        return column

    def _sample(self, table: pl.LazyFrame, columns: Mapping[str, str], opened: Opened | None) -> pl.DataFrame:
        """The first rows of the columns that may be written in several ways, named as in the schema."""
        schema = _schema(table, opened)
        there = {name: column for name, column in columns.items() if column in schema and name not in DATE_PARTS}
        raw = raw_columns(there, schema, _is_json(opened))
        asked = [name for name in ("price", "quantity") if name in raw and is_text(schema[there[name]])]
        asked += ["time"] if "time" in raw and self.order == "time" else []
        try:
            return table.select(raw[name].alias(name) for name in asked).head(SAMPLE).collect()
        except (pl.exceptions.PolarsError, OSError) as error:
            raise (opened.explain(error) if opened else error) from None

    def _time_format(self, sample: pl.DataFrame, columns: dict[str, str], opened: Opened | None) -> TimeFormat:
        try:
            ZoneInfo(self.timezone)
        except (ZoneInfoNotFoundError, ValueError):
            raise InputError(f"source.timezone: {self.timezone!r} is no zone; write one like Europe/London.") from None
        if "time" not in columns:
            return TimeFormat("%Y-%m-%d", self.timezone)
        if self.order == "rows":
            return TimeFormat("date-time")
        if self.time_format not in ("auto", "iso"):
            return TimeFormat(self.time_format, self.timezone)
        times = sample["time"].alias(columns["time"])
        if self.time_format == "iso" and not times.dtype.is_temporal():
            return parse_iso(times.drop_nulls().cast(pl.String), self.timezone)
        return detect_time_format(times, self.timezone, _place(opened))

    def _others(self, table: pl.LazyFrame, columns: Mapping[str, str], opened: Opened | None) -> pl.LazyFrame | None:
        """Numbers of rows, and the columns in which duplicates agree beside those of the schema."""
        schema = _schema(table, opened)
        if self.identity is not None:
            names = [self._column(name, "identity", schema, opened) for name in self.identity]
        else:
            compared = {column for name, column in columns.items() if name != "text"}
            names = [name for name in schema if not name.startswith(MARK) and name not in {*compared, *self.derive}]
        return table.select(ROW, *names) if names else None

    def _attributes(self) -> pl.LazyFrame | None:
        """What the second table says of users, in text."""
        if self.attributes is None:
            return None
        opened = open_files(self.attributes, self._style(True))
        table = opened.frame().select(opened.columns)
        schema = _schema(table, opened)
        user = self._column(self.attributes_user or self.user, "attributes_user", schema, opened)
        rest = [name for name in opened.columns if name != user]
        # As where two tables are joined, the second's column of the same name has a name of its own.
        named = [pl.col(name).alias("user_right" if name == "user" else name) for name in rest]
        dtype = pl.String() if is_text(schema[user]) else schema[user]
        return table.select(identifier(as_text(pl.col(user), schema[user]), dtype).alias("user"), *named)


def _cut_times(sample: pl.DataFrame) -> dict[str, str]:
    """A fact of times such as 1.6E+09, as spreadsheets write long numbers: fewer digits than they had."""
    if "time" not in sample or sample["time"].dtype != pl.String:
        return {}
    cut = sample["time"].str.strip_chars().str.contains(r"^\d(\.\d{1,5})?[eE]\+?(09|9|1\d)$").fill_null(False)
    return {"cut_times": sample["time"].filter(cut)[0]} if cut.any() else {}


def _schema(table: pl.LazyFrame, opened: Opened | None) -> pl.Schema:
    try:
        return table.collect_schema()
    except (pl.exceptions.PolarsError, OSError) as error:
        raise (opened.explain(error) if opened else InputError(f"source.derive: {first_line(error)}.")) from None


def _legible(dtype: pl.DataType) -> bool:
    """Whether a column may hold what a log is made of."""
    plain = (pl.String, pl.Categorical, pl.Enum, pl.Binary, pl.Boolean, pl.Date, pl.Datetime, pl.Null)
    return dtype.is_numeric() or isinstance(dtype, plain)


def _place(opened: Opened | None) -> str:
    return str(opened.files[0]) if opened else "the frame"


def _is_json(opened: Opened | None) -> bool:
    return opened is not None and opened.kind == "json"


def _facts(
    columns: dict[str, str], times: TimeFormat, numbers: Mapping[str, NumberFormat], opened: Opened | None
) -> dict[str, Any]:
    named = {ours: theirs for ours, theirs in columns.items() if theirs != ORDER}
    facts: dict[str, Any] = {"columns": named, "time_format": times.kind, "time_zone": times.zone}
    facts |= {"numbers": said} if (said := {name: form.remark for name, form in numbers.items() if form.remark}) else {}
    if opened is not None and opened.style is not None:
        facts |= {"separator": opened.style.separator, "header": opened.style.header}
    return facts
