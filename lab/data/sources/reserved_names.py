"""Names of the columns that the reader adds to those of a file, which no file can have."""

from collections.abc import Iterable

from lab.core.errors import InputError

MARK = "\x1e"
"""What they begin with: a control character (record separator), and a column that begins with it is refused."""

ROW = f"{MARK}row"
"""The number of a row, from 0, over all files."""
FILE = f"{MARK}file"
"""The path of a row's file."""
SURPLUS = f"{MARK}surplus"
"""The first field that a row of text has beyond the header's columns."""
ORDER = f"{MARK}order"
"""The column that stands for the time where rows are in order and have none: their numbers, as microseconds."""
KEY, SINCE, AT, ON, FOUND = (f"{MARK}{name}" for name in ("key", "since", "at", "on", "found"))
"""Columns of a lookup, for as long as it is joined."""
MISSED = f"{MARK}missed"
"""With the number of a lookup behind it: the keys that its table does not have."""


def refuse_internal(names: Iterable[str], place: str) -> None:
    """Raise InputError for a column whose name the reader keeps for its own."""
    odd = next((name for name in names if name.startswith(MARK)), None)
    if odd is not None:
        raise InputError(f"{place}: column {odd!r} begins with a control character (U+001E); rename it.")
