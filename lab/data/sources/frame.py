"""Events in a DataFrame instead of a file."""

import io
from typing import Any

import polars as pl

from lab.core.digests import digest
from lab.core.errors import InputError
from lab.data.sources.damage import first_line
from lab.data.sources.reserved_names import FILE, ROW, refuse_internal

UNREADABLE = (TypeError, ValueError, NotImplementedError)
"""What polars and Arrow raise of columns that they cannot take over."""


def frame_rows(frame: Any) -> pl.LazyFrame:
    """The rows of a pandas or polars DataFrame, with `ROW` (from 0) and `FILE`. Raises InputError where it is none."""
    if not isinstance(frame, pl.DataFrame | pl.LazyFrame):
        try:
            frame = pl.from_pandas(frame)
        except UNREADABLE as error:
            raise InputError(f"source.frame: {_why_no_frame(frame, first_line(error))}.") from None
        if not isinstance(frame, pl.DataFrame):
            raise InputError("source.frame: is one column alone; give a pandas or polars DataFrame.")
    refuse_internal(frame.collect_schema().names(), "source.frame")
    return frame.lazy().with_row_index(ROW).with_columns(pl.lit("frame").alias(FILE))


def _why_no_frame(frame: Any, error: str) -> str:
    """Which column of a pandas DataFrame is there twice, or holds what no column of a log can."""
    names = list(getattr(frame, "columns", ()))
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        return f"names column {twice!r} more than once; name the columns apart"
    for name in names:
        try:
            pl.from_pandas(frame[[name]])
        except UNREADABLE as unread:
            if frame[name].dtype != object:
                return f"column {name!r} is of dtype {frame[name].dtype}; make it text, numbers or dates, or drop it"
            # As ids read from a spreadsheet do.
            return (
                f"column {name!r} holds values of several kinds ({first_line(unread)}); make them one, as by "
                f"frame[{name!r}].astype('string')"
            )
    return f"is no pandas or polars DataFrame ({error})"


def frame_digest(frame: Any) -> str:
    """Hash of the content. Arrow's older layout keeps strings end to end, so that equal frames give equal bytes."""
    stream = io.BytesIO()
    rows = frame_rows(frame).collect().rechunk()
    rows.write_ipc(stream, compat_level=pl.CompatLevel.oldest())
    return digest([bytes(stream.getbuffer())])
