"""Events in a DataFrame instead of a file."""

import io
from typing import Any

import polars as pl

from lab.data.digests import digest
from lab.data.sources.damage import first_line
from lab.data.sources.files import FILE, ROW
from lab.errors import InputError


def frame_rows(frame: Any) -> pl.LazyFrame:
    """The rows of a pandas or polars DataFrame, with `row` (from 0) and `file`. Raises InputError where it is none."""
    if not isinstance(frame, pl.DataFrame | pl.LazyFrame):
        try:
            frame = pl.from_pandas(frame)
        except (TypeError, ValueError) as error:
            raise InputError(f"source.frame: {_why_no_frame(frame, first_line(error))}.") from None
    named = [name for name in (ROW, FILE) if name in frame.collect_schema()]
    return frame.lazy().drop(named).with_row_index(ROW).with_columns(pl.lit("frame").alias(FILE))


def _why_no_frame(frame: Any, error: str) -> str:
    """Which column of a pandas DataFrame holds values of several kinds, as ids read from a spreadsheet do."""
    for name in getattr(frame, "columns", ()):
        try:
            pl.from_pandas(frame[[name]])
        except (TypeError, ValueError) as mixed:
            return (
                f"column {name!r} holds values of several kinds ({first_line(mixed)}); make them one, as by "
                f"frame[{name!r}].astype('string')"
            )
    return f"is no pandas or polars DataFrame ({error})"


def frame_digest(frame: Any) -> str:
    """Hash of the content. Arrow's older layout keeps strings end to end, so that equal frames give equal bytes."""
    stream = io.BytesIO()
    rows = frame_rows(frame).collect().rechunk()
    rows.write_ipc(stream, compat_level=pl.CompatLevel.oldest())
    return digest([bytes(stream.getbuffer())])
