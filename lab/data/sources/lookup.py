"""Columns that a log's table takes from a second one: by a key, and as known at the event's time."""

from collections.abc import Mapping
from dataclasses import astuple, dataclass, field
from pathlib import Path
from typing import Any

import polars as pl

from lab.data.sources.files import Opened, content_identity, open_files
from lab.data.sources.reserved_names import AT, KEY, SINCE
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

    def join(self, table: pl.LazyFrame) -> pl.LazyFrame:
        """The table with the columns beside it, null where nothing is known; rows may come in another order.

        A column takes the place of one of its name.
        """
        table = table.drop(self.columns, strict=False)
        found = self.opened().frame(self.nested)
        found = found if self.where is None else found.filter(self.where)
        if self.since is None or self.at is None:
            first = found.select(pl.col(self.key).alias(KEY), **self.columns).unique(KEY, keep="first")
            return table.join(first, left_on=self.on, right_on=KEY, how="left")
        known = found.select(pl.col(self.key).alias(KEY), self.since.alias(SINCE), **self.columns)
        return (
            table.with_columns(self.at.fill_null(NEVER).alias(AT))
            .sort(AT)
            .join_asof(
                known.filter(pl.col(SINCE).is_not_null()).sort(SINCE, maintain_order=True),
                left_on=AT,
                right_on=SINCE,
                by_left=self.on,
                by_right=KEY,
                check_sortedness=False,
            )
            .drop(AT, SINCE, strict=False)
        )

    def opened(self) -> Opened:
        wanted = {
            self.key,
            *(
                n
                for e in (*self.columns.values(), self.where, self.since)
                if e is not None
                for n in e.meta.root_names()
            ),
        }
        return open_files(self.path, self.style, self.style.separator or None, sorted(wanted))

    def identity(self, cache: Path | None = None) -> list[Any]:
        """What the columns depend on: the settings and the content of the files."""
        expressions = [str(e) for e in (self.where, self.at, self.since)]
        columns = [(name, str(expression)) for name, expression in self.columns.items()]
        nested = sorted((name, str(dtype)) for name, dtype in self.nested.items())
        style = list(astuple(self.style))
        return [self.on, self.key, columns, expressions, style, nested, content_identity(self.path, cache)]
