"""Where rows of text end, by their quotation marks: 64 bytes at a time, as bits of a word.

By RFC 4180 a quotation mark opens a field where one begins, closes it where one ends, and stands for itself where it is
doubled between the two. While all marks of a text are of these three, a line's end ends a row exactly where the number
of marks before it is even, whatever the fields hold. That number's parity at each byte is a prefix sum modulo 2 of the
marks' bits (Langdale and Lemire, Parsing Gigabytes of JSON per Second, VLDB Journal 28, 2019).
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

_PIECE = 1 << 17
"""Bytes that are looked at together: they and what is made of them stay in a core's cache."""

_LINE = ord("\n")
_ONE, _LAST = np.uint64(1), np.uint64(63)


@dataclass(frozen=True)
class QuotationMarks:
    """The quotation marks of a text that begins with a row, and its line ends."""

    regular: bool
    """Whether every mark opens or closes a field, or is doubled within one."""
    open: bool
    """Whether the last mark opens a quotation that this text does not close."""
    lines: int
    """Its line ends, of rows and within quotations."""
    _ends: np.ndarray
    _inside: np.ndarray

    @cached_property
    def rows(self) -> int:
        """How many rows end in it."""
        return _count(self._ends)

    @property
    def breaks(self) -> int:
        """How many line ends stand within quotations."""
        return self.lines - self.rows

    def of_whole_rows(self) -> "QuotationMarks":
        """Those of the text up to its last row's end."""
        inside = self._inside.copy()
        word, bit = divmod(self.last, 64)
        inside[word] &= (_ONE << np.uint64(bit)) - _ONE
        inside[word + 1 :] = 0
        return QuotationMarks(self.regular, False, self.rows + _count(inside), self._ends, inside)

    @property
    def last(self) -> int:
        """Position of the last line end that ends a row, -1 where none does."""
        words = np.flatnonzero(self._ends)
        return -1 if not len(words) else int(words[-1]) * 64 + int(self._ends[words[-1]]).bit_length() - 1

    @property
    def ends(self) -> np.ndarray:
        """Positions of the line ends that end a row."""
        return _positions(self._ends)

    @property
    def inside(self) -> np.ndarray:
        """Positions of the line ends within quotations."""
        return _positions(self._inside)


def find_quotation_marks(data: bytes, quote: bytes, separator: bytes) -> QuotationMarks:
    """The marks of a text (one byte each is a quotation mark and a separator)."""
    text = np.frombuffer(data, np.uint8)
    quotes, lines = _bits(text, quote), _bits(text, b"\n")
    edges = _bits(text, separator, *([b"\r"] if b"\r" in data else []))
    edges |= quotes | lines
    odd = _parity(quotes)
    # An opening mark follows an edge, a closing one stands before an edge; the text's own two ends are edges.
    wrong = (quotes & odd & ~_after(edges)) | (quotes & ~odd & ~_before(edges, len(text)))
    open_ = bool(len(odd)) and bool(int(odd[-1]) >> 63)
    return QuotationMarks(not wrong.any(), open_, _count(lines), lines & ~odd, lines & odd)


def count_lines(data: memoryview) -> int:
    """How many line ends there are, a piece at a time as everything here."""
    text = np.frombuffer(data, np.uint8)
    pieces = (text[begin : begin + _PIECE] for begin in range(0, len(text), _PIECE))
    return sum(int(np.count_nonzero(piece == _LINE)) for piece in pieces)


def _bits(text: np.ndarray, *wanted: bytes) -> np.ndarray:
    """Where any of these characters stands: a word for 64 bytes, the first of them its lowest bit."""
    packed = np.zeros(-(-len(text) // 64) * 8, np.uint8)
    for begin in range(0, len(text), _PIECE):
        piece = text[begin : begin + _PIECE]
        found = piece == wanted[0][0]
        for other in wanted[1:]:
            found |= piece == other[0]
        bits = np.packbits(found, bitorder="little")
        packed[begin // 8 : begin // 8 + len(bits)] = bits
    return packed.view("<u8")


def _parity(bits: np.ndarray) -> np.ndarray:
    """At each bit, whether the number of bits up to and with it is odd."""
    summed = bits.copy()
    for shift in (1, 2, 4, 8, 16, 32):
        summed ^= summed << np.uint64(shift)
    carried = np.bitwise_xor.accumulate(summed >> _LAST)
    summed[1:] ^= np.uint64(0) - carried[:-1]
    return summed


def _after(bits: np.ndarray) -> np.ndarray:
    """The bits moved to the place behind each; the first place has one."""
    moved = bits << _ONE
    moved[1:] |= bits[:-1] >> _LAST
    moved[:1] |= _ONE
    return moved


def _before(bits: np.ndarray, length: int) -> np.ndarray:
    """The bits moved to the place before each; the last place of `length` has one."""
    moved = bits >> _ONE
    moved[:-1] |= bits[1:] << _LAST
    if length:
        moved[(length - 1) // 64] |= _ONE << np.uint64((length - 1) % 64)
    return moved


def _count(bits: np.ndarray) -> int:
    return int(np.bitwise_count(bits).sum())


def _positions(bits: np.ndarray) -> np.ndarray:
    return np.flatnonzero(np.unpackbits(bits.view(np.uint8), bitorder="little"))
