"""Columns that a log's table takes from a second one: by a key, and as known at the event's time."""

from collections.abc import Mapping
from dataclasses import astuple, dataclass, field
from pathlib import Path
from typing import Any

import polars as pl

from lab.data.sources.damage import ReadError, first_line
from lab.data.sources.files import Opened, content_identity, open_files
from lab.data.sources.ids import as_text, identifier
from lab.data.sources.mapping import is_text, nearest_column
from lab.data.sources.paths import find_files
from lab.data.sources.reserved_names import AT, FOUND, KEY, MARK, ON, SINCE
from lab.data.sources.text import TextStyle

NEVER = -(2**62)
"""Stands for a missing time: before everything, so that nothing was known at it."""


@dataclass(frozen=True, kw_only=True)
class Lookup:
    """Columns of a second table, one row a key; or with `since`, the latest row that was there at the event's time.

    Where the table names a key twice, its first row counts; with `since`, of two rows at one time the later one.
    """

    path: str | tuple[str, ...]
    """A file, several, a folder or a glob pattern, in any format that a log may have."""
    on: str
    """The log's column of the key."""
    key: str
    """The second table's."""
    columns: Mapping[str, pl.Expr]
    """What is taken, name to expression over the second table's columns (text, unless `nested` says otherwise)."""
    where: pl.Expr | None = None
    """Which of the second table's rows count. Default: all."""
    at: pl.Expr | None = None
    """The event's time as a whole number, over the log's columns; nothing later than it is taken."""
    since: pl.Expr | None = None
    """From when a row holds, in the same unit, over the second table's columns."""
    style: TextStyle = field(default_factory=lambda: TextStyle("", True, '"', "utf-8"))
    """How a text file is written; an empty separator is found out."""
    nested: Mapping[str, Any] = field(default_factory=dict)
    """Types of the columns of JSON that are lists or objects."""

    def facts(self) -> dict[str, str]:
        """What it is, for a remark: the file's name, the log's column and its own."""
        first, *others = find_files(self.path)
        more = f" and {len(others)} more" if others else ""
        return {"file": f"{first.name}{more}", "on": self.on, "key": self.key}

    def join(self, table: pl.LazyFrame, missed: str) -> pl.LazyFrame:
        """The table with the columns beside it, null where nothing is known; rows may come in another order.

        A column takes the place of one of its name. Keys are compared as ids are: `12`, ` 12` and `12.0` are one. The
        column `missed` has the keys that the second table does not have, as text, and is null elsewhere. Raises
        ReadError for a column that the second table lacks.
        """
        schema = table.collect_schema()
        left = table.with_columns(_key(self.on, schema).alias(ON)).drop(self.columns, strict=False)
        known = self._known_columns()
        if self.since is None or self.at is None:
            joined = left.join(known.unique(KEY, keep="first"), left_on=ON, right_on=KEY, how="left")
        else:
            joined = self._as_of(left.with_columns(self.at.fill_null(NEVER).alias(AT)), known)
        unknown = pl.col(FOUND).is_null() & pl.col(ON).is_not_null()
        return joined.with_columns(pl.when(unknown).then(pl.col(ON)).alias(missed)).drop(ON, FOUND)

    def _known_columns(self) -> pl.LazyFrame:
        """`KEY`, `FOUND`, which is true, and the columns; with `since` also `SINCE`."""
        opened = self.opened()
        found = opened.frame(self.nested)
        schema = found.collect_schema()
        for name in sorted(self._wanted()):
            if name not in schema:
                names = [one for one in schema if not one.startswith(MARK)]
                said = f"{opened.files[0]} has no column {name!r}; {nearest_column(name, names)}"
                raise ReadError(said, setting="source.lookups")
        found = found if self.where is None else found.filter(self.where)
        since = {} if self.since is None else {SINCE: self.since}
        key = _key(self.key, schema).alias(KEY)
        known = found.select(key, pl.lit(True).alias(FOUND), **since, **self.columns).filter(pl.col(KEY).is_not_null())
        try:
            known.collect_schema()
        except pl.exceptions.PolarsError as error:
            raise ReadError(f"{opened.files[0]}: {first_line(error)}", setting="source.lookups") from None
        return known

    def _as_of(self, left: pl.LazyFrame, known: pl.LazyFrame) -> pl.LazyFrame:
        """The rows beside what was known at their time; `FOUND` also where the key was known at another alone."""
        held = known.filter(pl.col(SINCE).is_not_null())
        joined = left.sort(AT).join_asof(
            held.drop(FOUND).sort(SINCE, maintain_order=True),
            left_on=AT,
            right_on=SINCE,
            by_left=ON,
            by_right=KEY,
            check_sortedness=False,
        )
        keys = known.select(KEY, FOUND).unique(KEY)
        return joined.drop(AT, SINCE, KEY, strict=False).join(keys, left_on=ON, right_on=KEY, how="left")

    def opened(self) -> Opened:
        return open_files(self.path, self.style, self.style.separator or None, sorted(self._wanted()))

    def _wanted(self) -> set[str]:
        """The columns that are asked of the second table."""
        expressions = [one for one in (*self.columns.values(), self.where, self.since) if one is not None]
        return {self.key, *(name for one in expressions for name in one.meta.root_names())}

    def identity(self, cache: Path | None = None) -> list[Any]:
        """What the columns depend on: the settings and the content of the files."""
        expressions = [str(e) for e in (self.where, self.at, self.since)]
        columns = [(name, str(expression)) for name, expression in self.columns.items()]
        nested = sorted((name, str(dtype)) for name, dtype in self.nested.items())
        style = list(astuple(self.style))
        return [self.on, self.key, columns, expressions, style, nested, content_identity(self.path, cache)]


def _key(name: str, schema: pl.Schema) -> pl.Expr:
    """A column of keys as text, each written in one way."""
    dtype = schema[name]
    return identifier(as_text(pl.col(name), dtype), pl.String() if is_text(dtype) else dtype)
