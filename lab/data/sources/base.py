"""What every source is: frozen settings that can be scanned into the columns of `lab.data.schema`."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

import polars as pl

from lab.core.errors import InputError
from lab.data.schema import Behaviour


@dataclass(frozen=True)
class Fault:
    """One way in which a row can break the schema."""

    column: str
    """The source's own name of the column."""
    reason: str
    """What is wrong with it, to be read after the value: `is not a number`."""
    fatal: bool = False
    """Whether a single such row stops the run, since every other row is in doubt with it."""
    cure: str = ""
    """What the user may change about it, to be read after the advice's semicolon; empty for nothing."""


@dataclass(frozen=True)
class Records:
    """What files hold."""

    rows: int
    blank: int = 0
    """Blank lines, which are no rows."""
    empty: int = 0
    """Objects whose list of rows is empty."""


@dataclass(frozen=True)
class Scan:
    """A source's rows in the canonical columns, nothing of it read until it is collected.

    A row that breaks the schema (a time that cannot be read, say) stays in `frame` with k + 1 in a column
    `fault` (UInt8, 0 for a sound row), k its place in `faults`; a source that cannot break the schema
    leaves the column out. Values that are merely missing are nulls.
    """

    frame: pl.LazyFrame
    """Canonical columns of `lab.data.schema`, with `row`, and `fault` where rows may break the schema."""
    behaviours: tuple[Behaviour, ...]
    """In rank order, from the weakest sign of interest to the strongest."""
    faults: tuple[Fault, ...] = ()
    """What the codes of `fault` mean."""
    quarantine: pl.LazyFrame | None = None
    """The rows that break the schema: file, row (from 1), column, value, reason; collected only if there are any."""
    others: pl.LazyFrame | None = None
    """`row` and the columns in which duplicates must agree beside those of `frame`; collected for few rows. None where
    there are no such columns."""
    attributes: pl.LazyFrame | None = None
    """One row a user: `user` (as in `frame`) and whatever else is known of users; None when nothing is."""
    files: tuple[Path, ...] = ()
    """The files behind it, in reading order."""
    since: int | None = None
    """First instant that the source vouches for (microseconds), None for no such limit."""
    until: int | None = None
    """Last instant that the source vouches for (microseconds), None for no such limit."""
    facts: Mapping[str, Any] = field(default_factory=dict)
    """What the source had to decide (separator, unit of time, ...), JSON-able, for `python -m lab.data` to print."""
    records: Callable[[], Records | None] | None = None
    """What the files hold, counted apart from what parsed them, once `frame` was collected; None where `frame` need not
    have as many rows."""
    explain: Callable[[Exception], InputError] | None = None
    """Turns an error of polars while `frame` is collected into a sentence that names the file."""


@dataclass(frozen=True, kw_only=True)
class Source:
    """Settings that name a log. A subclass adds its fields (their docstrings are the --help) and scans it."""

    name: ClassVar[str]
    """What the command line and result tables call it."""
    licence: ClassVar[str | None] = None
    citation: ClassVar[str | None] = None
    homepage: ClassVar[str | None] = None

    def scan(self) -> Scan:
        """The rows in canonical columns. Raises InputError for what the user can set right."""
        raise TypeError(f"{type(self).__name__} does not define scan()")

    def fingerprint(self, cache: Path | None = None) -> str:
        """Identity of the content: equal for two sources exactly when they give the same rows.

        `cache` is a folder where hashes of large files may be remembered.
        """
        raise TypeError(f"{type(self).__name__} does not define fingerprint()")

    def paths(self) -> tuple[Path, ...]:
        """The files behind it, in reading order; none for a source that reads no files."""
        return ()
