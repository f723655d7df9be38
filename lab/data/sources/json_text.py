"""Rows of JSON as frames of text, a block of lines at a time, every block's rows counted apart from the parser."""

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import polars as pl

from lab.data.sources.blocks import Blocks
from lab.data.sources.damage import JSON_LINES, ReadError, first_line, not_text
from lab.data.sources.delimited import Part
from lab.data.sources.json_layout import FIRST, layout_of, rows_of_columns
from lab.data.sources.json_rows import list_lengths, parsed, rows_of, unread, written
from lab.data.sources.json_values import DECODER, kind_of, objects, too_deep
from lab.data.sources.text import CHUNK, encoding_of, utf8_chunks

KEYS_OF = 1_000
"""Objects whose keys are the columns; further keys are looked for by name."""
BATCH = 10_000
"""Objects that are written as lines at a time."""

_WRAPPED = (
    r'^\{"\$(?:oid|date|numberLong|numberInt|numberDouble|numberDecimal|uuid|symbol)": "?([^"{}]*)"?\}$',
    r'^\{"\$date": \{"\$numberLong": "(-?\d+)"\}\}$',
)
"""Values that MongoDB's export wraps in an object that names their type."""


@dataclass(frozen=True)
class _Lines:
    """Lines of JSON, an object on each."""

    data: bytes
    count: int
    first: int
    """Number of the first object, from 1: its line where these are the file's own lines."""
    own: bool


class JsonFile:
    """One JSON file, whatever its layout, read from its beginning to its end."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._encoding = encoding_of(file, "utf-8")
        self._layout = layout_of(file)

    def keys(self) -> tuple[tuple[str, ...], bool]:
        """The keys of the first objects in the order in which they come, and whether these are all objects.

        Raises ReadError for an object that cannot be read.
        """
        rows = self._line_objects() if self._layout == "lines" else self._objects()
        some = list(islice(rows, KEYS_OF + 1))
        return tuple(dict.fromkeys(key for row in some[:KEYS_OF] for key in row)), len(some) <= KEYS_OF

    def late_keys(self, names: Iterable[str]) -> set[str]:
        """Those of the names that are keys of any object."""
        left, found = set(names), set()
        for data in self._pieces() if left else ():
            found |= {name for name in left if _has_key(data, name)}
            left -= found
        return found

    def _pieces(self) -> Iterator[bytes]:
        """The objects as whole lines."""
        if self._layout != "lines":
            yield from (lines.data for lines in self._blocks(CHUNK))
            return
        rest = b""
        for chunk in self._chunks(CHUNK):
            whole = rest + chunk
            end = whole.rfind(b"\n") + 1
            yield whole[:end]
            rest = whole[end:]
        yield rest

    def parts(self, schema: Mapping[str, Any], size: int = CHUNK) -> Iterator[Part]:
        """The rows, in parts of about `size` bytes, as columns of the schema; a text is made of what is none.

        Raises ReadError for what is no JSON, for values that are no objects, and where rows are lost.
        """
        for lines in self._blocks(size):
            yield self._part(lines, schema)

    def _part(self, lines: _Lines, schema: Mapping[str, Any]) -> Part:
        frame, data, count = parsed(lines.data, schema), lines.data, lines.count
        if (frame is None or len(frame) != count) and lines.own:
            data = written(list(self._objects_of(data, lines.first)))
            frame, count = parsed(data, schema), data.count(b"\n")
        if frame is None or len(frame) != count:
            raise self._unread(lines, data, schema)
        return self._counted(frame, lines, data, lines.count - count)

    def _counted(self, frame: pl.DataFrame, lines: _Lines, data: bytes, blank: int) -> Part:
        """The rows of a frame, whose lists are compared with those in the text."""
        lengths = list_lengths(data, frame.schema)
        if lengths is None:
            return Part(_unwrapped(frame), blank)
        for name in lengths.columns:
            lost = (~frame[name].list.len().eq_missing(lengths[name])).arg_true()
            if len(lost):
                held, read = lengths[name][lost[0]], frame[name].list.len()[lost[0]]
                where = self._where(lines, data.split(b"\n"), lost[0])
                raise ReadError(f"{where} has {held} elements in {name!r}, of which {read or 0} were read")
        rows = rows_of(lengths)
        return Part(_unwrapped(frame), blank, int(rows.sum()), int((rows == 0).sum()))

    def _unread(self, lines: _Lines, data: bytes, schema: Mapping[str, Any]) -> ReadError:
        texts = data.split(b"\n")[:-1]
        place, why = unread(texts, schema)
        shown = texts[place][:60].decode(errors="replace")
        return ReadError(f"{self._where(lines, texts, place)} cannot be read ({why}): {shown!r}", JSON_LINES)

    def _where(self, lines: _Lines, texts: Sequence[bytes], place: int) -> str:
        """The file with the line, or with the number of the object where objects stand over any lines."""
        if not lines.own:
            return f"{self._file}: object {lines.first + place}"
        # What was written anew has no blank lines.
        full = [k for k, text in enumerate(lines.data.split(b"\n")) if text.strip()]
        there = place if len(texts) > len(full) else full[place]
        return f"{self._file}: line {lines.first + there}"

    def _blocks(self, size: int) -> Iterator[_Lines]:
        if self._layout == "lines":
            for block in Blocks(self._chunks(size), "", ","):
                yield _Lines(block.data, block.lines, block.line, own=True)
            return
        rows, first = self._objects(), 1
        while some := list(islice(rows, BATCH)):
            yield _Lines(written(some), len(some), first, own=False)
            first += len(some)

    def _line_objects(self) -> Iterator[dict[str, Any]]:
        for block in Blocks(self._chunks(FIRST), "", ","):
            yield from self._objects_of(block.data, block.line)

    def _objects_of(self, data: bytes, line: int) -> Iterator[dict[str, Any]]:
        for number, text in enumerate(data.split(b"\n")[:-1], line):
            if text.strip():
                yield self._object_of(text, number)

    def _object_of(self, line: bytes, number: int) -> dict[str, Any]:
        where = f"{self._file}: line {number}"
        try:
            value = DECODER.decode(line.decode().rstrip())
        except UnicodeDecodeError:
            raise not_text(self._file, self._encoding) from None
        except json.JSONDecodeError as error:  # whose own text counts lines anew
            raise ReadError(f"{where} is no JSON ({error.msg} at position {error.colno})", JSON_LINES) from None
        except ValueError as error:
            raise ReadError(f"{where} is no JSON ({first_line(error)})", JSON_LINES) from None
        except RecursionError:
            raise too_deep(self._file, number) from None
        if not isinstance(value, dict):
            raise ReadError(f"{where} holds a {kind_of(value)}, not an object", JSON_LINES)
        return value

    def _objects(self) -> Iterator[dict[str, Any]]:
        return rows_of_columns(self._file) if self._layout == "columns" else objects(self._file)

    def _chunks(self, size: int) -> Iterator[bytes]:
        return utf8_chunks(self._file, self._encoding, size=size)


def _unwrapped(frame: pl.DataFrame) -> pl.DataFrame:
    wrapped = [s.name for s in frame.get_columns() if s.dtype == pl.String and s.str.starts_with('{"$').any()]
    values = {name: [pl.col(name).str.extract(pattern) for pattern in _WRAPPED] for name in wrapped}
    return frame.with_columns(pl.coalesce(*found, pl.col(name)).alias(name) for name, found in values.items())


def _has_key(data: bytes, name: str) -> bool:
    """Whether an object on one of these lines has the key (and none within the object alone)."""
    for quoted in {json.dumps(name).encode(), json.dumps(name, ensure_ascii=False).encode()}:
        if quoted not in data:
            continue
        for match in re.finditer(re.escape(quoted) + rb"\s*:", data):
            begin, end = data.rfind(b"\n", 0, match.start()) + 1, data.find(b"\n", match.end())
            try:
                if name in json.loads(data[begin:end]):
                    return True
            except (ValueError, RecursionError):
                continue
    return False
