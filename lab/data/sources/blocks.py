"""Text cut into blocks of whole rows, with the rows of each counted apart from whoever parses them."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import chain

import numpy as np

from lab.data.sources.marks import Marks, marks_of

_LINE = ord("\n")

LARGEST = 1 << 26
"""Bytes (64 MiB) that one row may have."""


@dataclass(frozen=True)
class Block:
    """Whole rows as text, each of them ended by a line's end."""

    data: bytes
    line: int
    """Number of its first line in the file, from 1."""
    lines: int
    marks: Marks | None
    """Its quotation marks, None where there are none."""

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
    """The blocks of a stream of text; what is left of it can be had as it is."""

    def __init__(self, chunks: Iterable[bytes], quote: str, separator: str, line: int = 1) -> None:
        """`quote` and `separator` are of one byte each; with an empty `quote` every line is a row."""
        self._chunks = iter(chunks)
        self._quote, self._separator = quote.encode(), separator.encode()
        self._line = line
        self._rest: list[bytes] = []

    def __iter__(self) -> Iterator[Block]:
        for chunk in self._chunks:
            self._rest.append(chunk)
            if b"\n" in chunk:
                yield from self._cut(b"".join(self._rest))
        whole = b"".join(self._rest)
        self._rest = []
        if whole:
            whole = whole if whole.endswith(b"\n") else whole + b"\n"
            yield self._block(whole, self._marks(whole))

    def remainder(self, block: Block) -> Iterator[bytes]:
        """The text from a block on, which is the last that was given."""
        return chain([block.data], self._rest, self._chunks)

    def _cut(self, whole: bytes) -> Iterator[Block]:
        """The whole rows of a text as a block; none where the first row goes on."""
        marks = self._marks(whole)
        end = whole.rfind(b"\n") + 1
        if marks is not None and marks.regular and len(whole) < LARGEST:
            end = marks.last + 1
        self._rest = [whole[end:]] if end < len(whole) else []
        if end:
            data = whole[:end]
            yield self._block(data, self._marks(data) if marks is not None and marks.open else marks)

    def _marks(self, data: bytes) -> Marks | None:
        return marks_of(data, self._quote, self._separator) if self._quote and self._quote in data else None

    def _block(self, data: bytes, marks: Marks | None) -> Block:
        block = Block(data, self._line, int(np.count_nonzero(np.frombuffer(data, np.uint8) == _LINE)), marks)
        self._line += block.lines
        return block
