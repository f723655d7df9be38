"""How a JSON file is laid out: an object on each line, an array of objects, or an object of columns."""

import json
import shlex
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any, Literal

from lab.core.errors import InputError
from lab.data.sources.damage import ReadError
from lab.data.sources.json_values import objects
from lab.data.sources.text import encoding_of, utf8_chunks

Layout = Literal["lines", "objects", "columns"]
"""An object on each line; an array of objects, or objects over several lines; one object of columns."""

FIRST = 1 << 16
"""Bytes that are looked at to tell the layout."""


def layout_of(file: Path) -> Layout:
    """Raises InputError for a file without any text, and for an object that only holds the array."""
    head = next(utf8_chunks(file, encoding_of(file, "utf-8"), size=FIRST), b"").lstrip()
    if not head:
        raise InputError(f"{file}: the file holds no rows.")
    line, _, more = head.partition(b"\n")
    if head[:1] != b"{":
        return "objects" if head[:1] == b"[" else "lines"
    try:
        json.loads(line)
    except json.JSONDecodeError as error:
        # A line that ends before its object does is one of several; one that is cut here says nothing.
        unfinished = error.pos >= len(line.rstrip().decode(errors="replace"))
        return _of_objects(file) if unfinished or not more else "lines"
    except (ValueError, RecursionError):
        return "lines"
    return "lines" if more.strip() else _of_objects(file)


def rows_of_columns(file: Path) -> Iterator[dict[str, Any]]:
    """The rows of an object of columns: lists, or objects that name their rows as pandas writes them."""
    columns = next(objects(file))
    name, first = next(iter(columns.items()))
    for other, column in columns.items():
        if isinstance(column, dict) and column.keys() != first.keys():
            odd = min(column.keys() ^ first.keys())
            said = f"{file}: of its columns {name!r} and {other!r} one alone has a row {odd!r}"
            raise ReadError(said, "give each column the same rows")
    values = [column if isinstance(column, list) else [column.get(key) for key in first] for column in columns.values()]
    for row in zip(*values, strict=True):
        yield dict(zip(columns, row, strict=True))


def _of_objects(file: Path) -> Layout:
    """Of objects over several lines, or on a single one: whether there is one alone, of columns."""
    first, *more = islice(objects(file), 2)
    if more:
        return "objects"
    if _are_columns(first):
        return "columns"
    if len(first) > 1 and all(isinstance(column, list) for column in first.values()):
        said = ", ".join(f"{len(column)} in {name!r}" for name, column in first.items())
        found = f"{file}: holds one object of lists that differ in length ({said})"
        raise ReadError(found, "write one object for each row (in pandas: to_json(..., orient='records', lines=True))")
    inner = next((key for key, value in first.items() if _is_table(value)), None)
    if inner is not None and len(first[inner]) > 1:
        said = f"{file}: holds one object, and in it a list of objects, {inner!r}"
        query = f".{inner}" if inner.isidentifier() and inner.isascii() else f".[{json.dumps(inner)}]"
        raise ReadError(said, f"keep that list alone, as by {shlex.join(['jq', query, file.name])} > rows.json")
    return "objects"


def _are_columns(value: dict[str, Any]) -> bool:
    """Whether an object is of at least two lists, or of two objects, of one length."""
    kinds = {type(column) for column in value.values()}
    return len(value) > 1 and kinds in ({list}, {dict}) and len({len(column) for column in value.values()}) == 1


def _is_table(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(one, dict) for one in value)
