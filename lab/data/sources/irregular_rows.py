"""Rows of text that have a mark within an unquoted field, one by one, by the standard library's csv."""

import csv
from collections.abc import Iterable, Iterator

from lab.data.sources.heads import Head, allow_long_fields
from lab.data.sources.quotations import Quotations
from lab.data.sources.text import TextStyle

_RETURN = "\ufdd4"
"""Stands for a `\\r` within a line, which csv does not take. Unicode keeps it for use inside of programs."""


def loose_rows(lines: Iterable[bytes], most: int, line: int, head: Head, style: TextStyle) -> Iterator[list[str]]:
    """The fields of each row, none of a blank line's, until so many lines are read, and those that a row goes on with.

    `line` is the number of the first line. A mark within an unquoted field is part of it. Raises ReadError where a
    quotation ends and its field goes on.
    """
    held: list[str] = []
    quotations = Quotations(head, style)
    allow_long_fields()
    reader = csv.reader(
        _decode_and_hold(lines, held),
        delimiter=style.separator,
        quotechar=style.quote,
        skipinitialspace=head.padded,
        strict=True,
    )
    while reader.line_num < most:
        begun = line + reader.line_num
        try:
            row = next(reader, None)
        except csv.Error as error:
            ended = "unexpected end of data" in str(error)
            raise (quotations.unclosed(begun) if ended else quotations.stray(held, begun)) from None
        if row is None:
            return
        if len(held) > 1:
            quotations.refuse_rows(held, begun)
        held.clear()
        yield [field.replace(_RETURN, "\r") for field in row]


def _decode_and_hold(lines: Iterable[bytes], held: list[str]) -> Iterator[str]:
    """The lines as text that csv takes, each of which is held as well."""
    for line in lines:
        held.append(line.decode().removesuffix("\r").replace("\r", _RETURN) + "\n")
        yield held[-1]
