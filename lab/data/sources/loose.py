"""Rows of text that have a mark within an unquoted field, one by one, by the standard library's csv."""

import csv
from collections.abc import Iterable, Iterator

from lab.data.sources.heads import Head
from lab.data.sources.quotations import Quotations
from lab.data.sources.text import TextStyle

_RETURN = "\ufdd4"
"""Stands for a `\\r` within a line, which csv does not take. Unicode keeps it for use inside of programs."""


def loose_rows(chunks: Iterable[bytes], line: int, head: Head, style: TextStyle) -> Iterator[list[str]]:
    """The fields of each row, none of a blank line's; `line` is the number of the first.

    A mark within an unquoted field is part of it. Raises ReadError where a quotation ends and its field goes on.
    """
    held: list[str] = []
    quotations = Quotations(head, style)
    reader = csv.reader(
        _kept(_lines(chunks), held),
        delimiter=style.separator,
        quotechar=style.quote,
        skipinitialspace=head.padded,
        strict=True,
    )
    done = line
    while True:
        try:
            row = next(reader, None)
        except csv.Error:
            raise quotations.stray(held, done) from None
        if row is None:
            return
        if len(held) > 1:
            quotations.refuse_rows(held, done)
        done += len(held)
        held.clear()
        yield [field.replace(_RETURN, "\r") for field in row]


def _kept(lines: Iterable[str], held: list[str]) -> Iterator[str]:
    """The lines, each of which is held as well."""
    for line in lines:
        held.append(line)
        yield line


def _lines(chunks: Iterable[bytes]) -> Iterator[str]:
    rest = b""
    for chunk in chunks:
        *whole, rest = (rest + chunk).split(b"\n")
        for line in whole:
            yield line.decode().removesuffix("\r").replace("\r", _RETURN) + "\n"
    if rest:
        yield rest.decode().removesuffix("\r").replace("\r", _RETURN) + "\n"
