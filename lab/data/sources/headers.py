"""Text files whose first line names the columns, though they are said to have no header."""

import polars as pl

from lab.data.sources.damage import ReadError
from lab.data.sources.files import Opened
from lab.data.sources.heads import split_line


def refuse_header(opened: Opened) -> None:
    """Raise ReadError where a first line has a word in a column that holds numbers alone below it.

    Read on, it would be an event of a user and an item of their own.
    """
    assert opened.style is not None
    for file in opened.files:
        first, *rest = (split_line(line, opened.style) for line in opened.heads[file].lines if line)
        words = [word for word, *below in zip(first, *rest, strict=False) if below and _is_name(word, below)]
        if words:
            said = f"{file}: its first line ({', '.join(first)}) looks like a header, and columns given by number say "
            raise ReadError(f"{said}that there is none", "name them, or state header=False if that line is an event")


def _is_name(word: str, below: list[str]) -> bool:
    numbers = pl.Series([word, *below], dtype=pl.String).str.strip_chars().cast(pl.Float64, strict=False).is_not_null()
    return not numbers[0] and bool(numbers[1:].all())
