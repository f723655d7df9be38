"""Quotation marks that leave in doubt where a row ends, in sentences that name the lines."""

import re
from collections.abc import Sequence
from functools import cached_property
from itertools import pairwise

from lab.data.sources.blocks import Block
from lab.data.sources.damage import QUOTE, ReadError
from lab.data.sources.heads import Head, records
from lab.data.sources.text import TextStyle

ESCAPE = "if a backslash stands before a mark that is part of the text, state --escape '\\' (escape in Python)"
DOUBLE = "within quotation marks, write a mark of the text twice"

_NUMERIC = re.compile(r"[\d.:/TZ+ -]*\d[\d.:/TZ+ -]*")
"""A number, a date or a time."""


class Quotations:
    """The quotation marks of one file."""

    def __init__(self, head: Head, style: TextStyle) -> None:
        self._head = head
        self._style = style

    def never_closed(self, block: Block) -> ReadError:
        last = block.data.rfind(self._style.quote.encode())
        return self.unclosed(block.line + block.data.count(b"\n", 0, last))

    def unclosed(self, line: int) -> ReadError:
        return ReadError(f"{self._head.file}: the quotation that line {line} opens is never closed", QUOTE)

    def refuse_swallowed(self, block: Block) -> None:
        """Raise ReadError where lines within a quotation look like rows: a mark opened it that is part of a text."""
        assert block.marks is not None
        inside = block.marks.inside.tolist()
        for here, following in pairwise(inside):
            line = block.data[here + 1 : following]
            if b"\n" not in line and self._is_row(line.decode(errors="replace")):
                raise self._swallowed(block.line + block.data.count(b"\n", 0, here + 1))

    def refuse_rows(self, lines: Sequence[str], number: int) -> None:
        """The same of the lines of one row, the first of which has this number."""
        for k, line in enumerate(lines[1:-1], 1):
            if self._is_row(line):
                raise self._swallowed(number + k)

    def stray(self, lines: Sequence[str], number: int) -> ReadError:
        """Of a row, on these lines, in which a quotation ends and its field goes on."""
        quote, last = self._style.quote, lines[-1].rstrip("\r\n")
        advice = ESCAPE if f"\\{quote}" in "".join(lines) else DOUBLE
        where = f"{self._head.file}: line {number}"
        if len(lines) == 1:
            return ReadError(
                f"{where}: a quotation ends before its field does ({last[:60]!r})", f"{advice}, or {QUOTE}"
            )
        said = f"{where} opens a quotation that ends within a field of line {number + len(lines) - 1} ({last[:60]!r})"
        return ReadError(said, f"{advice}, or {QUOTE}")

    def _swallowed(self, number: int) -> ReadError:
        said = (
            f"{self._head.file}: line {number} looks like a row, but stands in a quotation that a line before it opens"
        )
        return ReadError(said, f"{QUOTE}; {ESCAPE}")

    def _is_row(self, line: str) -> bool:
        """Whether a line has as many fields as the table, and numbers and dates where its first rows have them."""
        fields = line.rstrip("\r\n").split(self._style.separator)
        if len(fields) != len(self._head.columns) or not self._numeric:
            return False
        return all(_NUMERIC.fullmatch(fields[k].strip(self._style.quote)) for k in self._numeric)

    @cached_property
    def _numeric(self) -> list[int]:
        """The columns in which the first rows have numbers and dates alone."""
        rows = [row for row, _ in records(self._head.lines, self._style, self._head.padded)][
            int(self._style.header) : 20
        ]
        width = len(self._head.columns)
        whole = [row for row in rows if len(row) == width]
        return [k for k in range(width) if whole and all(_NUMERIC.fullmatch(row[k]) for row in whole)]
