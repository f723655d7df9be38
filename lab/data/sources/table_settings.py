"""What can be set of a table of events: its columns, how they are written, and the tables beside it."""

from dataclasses import dataclass, field
from typing import Annotated, Any, Literal

import tyro

from lab.core.errors import InputError
from lab.core.setting_types import check_types
from lab.data.schema import OPTIONAL
from lab.data.sources.lookup import Lookup
from lab.data.sources.mapping import DATE_PARTS, IDS

IN_PYTHON = (
    tyro.conf.Suppress,
    tyro.constructors.PrimitiveConstructorSpec(1, "", lambda _: None, lambda _: True, lambda _: [""]),
)
"""Of a setting that no flag can give: tyro does not take it apart either, as a DataFrame's own annotations forbid."""

_NAMES = {"separator": "give what stands between the columns"} | dict.fromkeys(("path", "attributes"), "name a file")


@dataclass(frozen=True, kw_only=True)
class TableSettings:
    """The columns of a table by their names, how it is written, and what stands in other tables."""

    path: str | tuple[str, ...] | None = None
    """A file, several files alike, a folder of them, or a glob pattern."""
    user: str = "user"
    """Column of the user's id."""
    item: str = "item"
    """Column of the item's id."""
    order: Literal["time", "rows"] = "time"
    """What orders a user's events: their time, or their rows alone, for a log without times."""
    time: str | None = None
    """Column of the time. Default: `time`, unless year, month and day are given."""
    year: str | None = None
    """Column of the year, where the date is split over three columns."""
    month: str | None = None
    """Column of the month (1 to 12)."""
    day: str | None = None
    """Column of the day of the month."""
    category: str | None = None
    """Column of the item's category. Default: `category`, where there is one; likewise below."""
    behaviour: str | None = None
    """Column of what the user did."""
    price: str | None = None
    """Column of the price per unit."""
    quantity: str | None = None
    """Column of the units."""
    text: str | None = None
    """Column of what the item is called."""
    behaviours: dict[str, str] = field(default_factory=dict)
    """The behaviour column's values and what to call them, from the weakest sign of interest to the
    strongest: `pv view fav favourite buy purchase`; `cancellation` takes back a purchase. Default: the
    common names."""
    ignore: tuple[Literal["category", "behaviour", "price", "quantity", "text"], ...] = ()
    """Columns to read the log without, though it has them: `price text`."""
    identity: tuple[str, ...] | None = None
    """Columns (an order number, say) in which duplicates agree beside those named above. Default: all of the
    log's. None at all: `--identity` with nothing behind it."""
    time_format: str = "auto"
    """auto; iso; d, s, ms, us or ns since 1970; ticks (of .NET); or a pattern like `%d/%m/%Y %H:%M`."""
    timezone: str = "UTC"
    """Zone of times that state none, like Europe/London."""
    separator: str | None = None
    """What stands between the columns of a text file. Default: found out."""
    header: bool | None = None
    """Whether the first line names the columns. Default: unless user and item are given by number."""
    quote: str = '"'
    """What encloses a field that holds a separator; empty for nothing."""
    escape: str = ""
    """What stands before a quotation mark, a separator or a line's end that is part of a field, as `\\` does in MySQL's
    files. Default: nothing."""
    encoding: str = "utf-8"
    """Encoding of text files."""
    attributes: str | None = None
    """A second table with one row a user: age, region, ..."""
    attributes_user: str | None = None
    """Its column of the user's id. Default: as in the log."""
    frame: Annotated[Any, *IN_PYTHON] = field(default=None, compare=False, repr=False)
    """A pandas or polars DataFrame instead of a path (in Python)."""
    derive: Annotated[Any, *IN_PYTHON] = field(default_factory=dict, compare=False, repr=False)
    """Columns made from the table's own before they are mapped, name to polars expression (in Python)."""
    nested: Annotated[Any, *IN_PYTHON] = field(default_factory=dict, compare=False, repr=False)
    """JSON's lists of objects, column to polars type: each object is a row, its fields columns (in Python)."""
    lookups: Annotated[tuple[Lookup, ...], *IN_PYTHON] = field(default=(), compare=False, repr=False)
    """Columns taken from further tables, as `Lookup`s say (in Python)."""

    def __post_init__(self) -> None:
        check_types(self, "source")
        for name in ("path", "attributes", *IDS, "time", *DATE_PARTS, *OPTIONAL, "attributes_user", "separator"):
            if getattr(self, name) == "":
                raise InputError(f"source.{name}: is empty; {_NAMES.get(name, 'name a column')}, or leave it out.")
        self._check_marks()
        if self.user == self.item:
            raise InputError(f"source.user and source.item: both are column {self.user!r}; name two columns.")
        split = (self.year, self.month, self.day)
        if any(split) and (self.time is not None or not all(split)):
            raise InputError("source: give either time, or all of year, month and day.")
        if self.order == "rows" and any((self.time, *split)):
            raise InputError("source.order: 'rows' is for a log without times; leave source.time out, or use 'time'.")
        if self.order == "rows" and (self.timezone, self.time_format) != (
            TableSettings.timezone,
            TableSettings.time_format,
        ):
            raise InputError(
                "source.order: 'rows' is for a log without times; leave source.timezone and source.time_format out."
            )
        if not all(map(str.strip, (*self.behaviours, *self.behaviours.values()))):
            raise InputError("source.behaviours: holds an empty name; give each value and what to call it.")
        for name in self.ignore:
            if getattr(self, name) is not None:
                raise InputError(f"source.{name} and source.ignore: both name {name}; leave one of them out.")
        if self.path is not None and self.frame is not None:
            raise InputError("source: give either a path or a frame, not both.")

    def _check_marks(self) -> None:
        for name, cure in (("quote", "name one, or '' for none"), ("escape", "name one, or leave it out")):
            mark = getattr(self, name)
            if len(mark) > 1 or not mark.isascii() or mark in ("\n", "\r"):
                raise InputError(f"source.{name}: {mark!r} is not one plain character; {cure}.")
        marks = [mark for mark in (self.separator, self.quote, self.escape) if mark]
        if len(set(marks)) < len(marks):
            raise InputError("source: separator, quote and escape are one and the same; name three characters.")
