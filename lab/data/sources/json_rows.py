"""Lines of JSON as a frame, and what a frame of them is compared with: the elements of their lists."""

import io
import json
from collections.abc import Mapping, Sequence
from typing import Any

import polars as pl

from lab.data.sources.damage import first_line


def written(rows: Sequence[Mapping[str, Any]]) -> bytes:
    """An object on each line."""
    return "".join(f"{json.dumps(row, ensure_ascii=False)}\n" for row in rows).encode()


def parsed(data: bytes, schema: Mapping[str, Any]) -> pl.DataFrame | None:
    """The objects on these lines; None where polars cannot read one (NaN is no JSON, and no list a number)."""
    try:
        return _parsed(data, schema)
    except pl.exceptions.PolarsError:
        return None


def _parsed(data: bytes, schema: Mapping[str, Any]) -> pl.DataFrame:
    if not data:
        return pl.DataFrame(schema=dict(schema))
    return pl.scan_ndjson(io.BytesIO(data), schema=dict(schema)).collect()


def unread(lines: Sequence[bytes], schema: Mapping[str, Any]) -> tuple[int, str]:
    """Which of these lines is the first that polars cannot read, and why. Some line must be one."""
    first, last = 0, len(lines)
    while last - first > 1:
        middle = (first + last) // 2
        frame = parsed(b"\n".join(lines[first:middle]) + b"\n", schema)
        whole = frame is not None and len(frame) == middle - first
        first, last = (middle, last) if whole else (first, middle)
    try:
        _parsed(lines[first] + b"\n", schema)
    except pl.exceptions.PolarsError as error:
        return first, first_line(error)
    return first, "it is not one object"


def list_lengths(data: bytes, schema: Mapping[str, Any]) -> pl.DataFrame | None:
    """The elements of each list on these lines, null where there is none; None where the schema has no lists.

    Each element counts, whatever it is: all are read as text.
    """
    names = [name for name, dtype in schema.items() if isinstance(dtype, pl.List)]
    texts = parsed(data, dict.fromkeys(names, pl.List(pl.String))) if names else None
    return None if texts is None else texts.select(pl.col(name).list.len() for name in names)


def rows_of(lengths: pl.DataFrame) -> pl.Series:
    """How many rows each object makes: one for each element of its list, of several lists each with each. An object
    without the list is one row that lacks what would be in it."""
    rows = pl.fold(pl.lit(1, pl.Int64), lambda a, b: a * b, pl.all().fill_null(1).cast(pl.Int64))
    return lengths.select(rows=rows)["rows"]
