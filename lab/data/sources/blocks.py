"""Text cut into blocks of whole rows, with the rows of each counted apart from whoever parses them."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from lab.data.sources.quotation_marks import QuotationMarks, count_lines, find_quotation_marks

_LINE = ord("\n")

LARGEST = 1 << 26
"""Bytes (64 MiB) that one row may have."""


@dataclass(frozen=True)
class Block:
    """Whole rows as text, each of them ended by a line's end."""

    view: memoryview
    line: int
    """Number of its first line in the file, from 1."""
    lines: int
    marks: QuotationMarks | None
    """Its quotation marks, None where there are none."""

    @cached_property
    def data(self) -> bytes:
        """Its text: a copy, since what was read goes on behind it."""
        return bytes(self.view)

    @property
    def rows(self) -> int:
        """How many rows there are, blank lines among them."""
        return self.lines if self.marks is None else self.marks.rows

    def without_blank_lines(self) -> tuple[bytes, int]:
        """Its text without blank lines, and how many there were."""
        if not (self.data.startswith((b"\n", b"\r\n")) or b"\n\n" in self.data or b"\n\r\n" in self.data):
            return self.data, 0
        text = np.frombuffer(self.data, np.uint8)
        ends = np.flatnonzero(text == _LINE) if self.marks is None else self.marks.ends
        begins = np.concatenate([[0], ends[:-1] + 1])
        blank = (ends == begins) | ((ends == begins + 1) & (text[begins] == ord("\r")))
        keep = np.ones(len(text), bool)
        keep[ends[blank]] = keep[begins[blank]] = False
        return text[keep].tobytes(), int(blank.sum())


class Blocks:
    """The blocks of a stream of text; between two of them, lines may be taken from it one by one."""

    def __init__(self, chunks: Iterable[bytes], quote: str, separator: str, line: int = 1) -> None:
        """`quote` and `separator` are of one byte each; with an empty `quote` every line is a row."""
        self._chunks = iter(chunks)
        self._quote, self._separator = quote.encode(), separator.encode()
        self._line = line
        self._rest: list[bytes] = []
        self._taken = 0
        """Bytes of the rest that were taken as lines."""

    def __iter__(self) -> Iterator[Block]:
        for chunk in self._chunks:
            self._rest.append(chunk)
            if b"\n" in chunk:
                yield from self._cut(self._left())
        whole = self._left()
        self._rest = []
        if whole:
            whole = whole if whole.endswith(b"\n") else whole + b"\n"
            yield self._block(memoryview(whole), self._marks(whole))

    def lines_from(self, block: Block) -> Iterator[bytes]:
        """The lines from a block on, which is the last that was given; blocks go on behind the last line taken."""
        yield from block.data.split(b"\n")[:-1]
        while (line := self._take()) is not None:
            yield line

    def _take(self) -> bytes | None:
        while True:
            whole = self._rest[0] if len(self._rest) == 1 else b"".join(self._rest)
            end = whole.find(b"\n", self._taken)
            if end >= 0:
                self._line += 1
                line = whole[self._taken : end]
                self._rest, self._taken = [whole], end + 1
                return line
            left, self._taken = whole[self._taken :], 0
            chunk = next(self._chunks, None)
            self._rest = [] if chunk is None else [left, chunk]
            if chunk is None:
                return left or None

    def _left(self) -> bytes:
        whole, self._taken = b"".join(self._rest)[self._taken :], 0
        self._rest = [whole]
        return whole

    def _cut(self, whole: bytes) -> Iterator[Block]:
        """The whole rows of a text as a block; none where the first row goes on."""
        marks = self._marks(whole)
        end = whole.rfind(b"\n") + 1
        if marks is not None and marks.regular and len(whole) < LARGEST:
            end = marks.last + 1
        self._rest = [whole[end:]] if end < len(whole) else []
        if end:
            if marks is not None and marks.regular:  # what stands behind its last row is not of this block
                marks = marks.of_whole_rows() if end == marks.last + 1 else self._marks(whole[:end])
            yield self._block(memoryview(whole)[:end], marks)

    def _marks(self, data: bytes) -> QuotationMarks | None:
        return find_quotation_marks(data, self._quote, self._separator) if self._quote and self._quote in data else None

    def _block(self, view: memoryview, marks: QuotationMarks | None) -> Block:
        block = Block(view, self._line, count_lines(view) if marks is None else marks.lines, marks)
        self._line += block.lines
        return block
