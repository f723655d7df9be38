"""The values of a JSON file one at a time, however they stand over its lines."""

import codecs
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from lab.data.sources.damage import JSON_LINES, ReadError, not_text
from lab.data.sources.text import encoding_of, utf8_chunks

PIECE = 1 << 20
"""Bytes that are read at a time."""

_BLANK = re.compile(r"[ \t\r\n]*")

DECODER = json.JSONDecoder(parse_constant=lambda _: None)
"""Numbers that are none (NaN, Infinity) are null."""


def objects(file: Path) -> Iterator[dict[str, Any]]:
    """The objects of an array, or those that stand one after the other.

    Raises ReadError for what is no JSON, for an array that is cut short, and for values of other kinds.
    """
    for line, value in _Values(file):
        if not isinstance(value, dict):
            raise ReadError(f"{file}: line {line} holds a {kind_of(value)}, not an object", JSON_LINES)
        yield value


def kind_of(value: Any) -> str:
    return {list: "list", str: "text", bool: "truth value", type(None): "null"}.get(type(value), "number")


def too_deep(file: Path, line: int) -> ReadError:
    return ReadError(f"{file}: line {line} is nested too deeply to be read", JSON_LINES)


class _Values:
    """The elements of an array or, without one, all values, each with the number of its line."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._pieces = _texts(file)
        self._text, self._place, self._line = "", 0, 1

    def __iter__(self) -> Iterator[tuple[int, Any]]:
        array = self._next() == "["
        opened = self._line
        self._place += array
        while following := self._next():
            if array and following == "]":
                self._place += 1
                if self._next():
                    raise self._no_json("something stands behind the array")
                return
            yield self._line, self._value()
            following = self._next()
            if array and following == ",":
                self._place += 1
            elif array and following and following != "]":
                raise self._no_json("a comma is missing between two elements")
        if array:
            raise ReadError(f"{self._file}: the array that line {opened} opens is never closed", "get the file anew")

    def _value(self) -> Any:
        wanted = 0
        while True:
            whole = not self._more(wanted)
            try:
                value, stop = DECODER.raw_decode(self._text, self._place)
            except json.JSONDecodeError as error:
                if whole:
                    self._move(error.pos)
                    raise self._no_json(error.msg) from None
            except RecursionError:
                raise too_deep(self._file, self._line) from None
            else:
                if stop < len(self._text) or whole:  # a number that the text's end cuts is none yet
                    self._move(stop)
                    return value
            wanted = 2 * (len(self._text) - self._place) + 1

    def _next(self) -> str:
        """The character that comes next but for blanks; empty at the end."""
        while True:
            blank = _BLANK.match(self._text, self._place)
            assert blank is not None
            self._move(blank.end())
            if self._place < len(self._text):
                return self._text[self._place]
            if not self._more(1):
                return ""

    def _more(self, wanted: int) -> bool:
        """Whether so many characters are there, once they have been read; False at the file's end."""
        pieces = [self._text[self._place :]] if len(self._text) - self._place < wanted else []
        size = len(self._text) - self._place
        while size < wanted:
            piece = next(self._pieces, None)
            if piece is None:
                break
            pieces.append(piece)
            size += len(piece)
        if pieces:
            self._text, self._place = "".join(pieces), 0
        return size >= wanted

    def _move(self, place: int) -> None:
        self._line += self._text.count("\n", self._place, place)
        self._place = place

    def _no_json(self, why: str) -> ReadError:
        return ReadError(f"{self._file}: line {self._line} is no JSON ({why})", JSON_LINES)


def _texts(file: Path) -> Iterator[str]:
    decoder = codecs.getincrementaldecoder("utf-8")()
    encoding = encoding_of(file, "utf-8")
    try:
        for chunk in utf8_chunks(file, encoding, size=PIECE):
            yield decoder.decode(chunk)
        yield decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        raise not_text(file, encoding) from None
