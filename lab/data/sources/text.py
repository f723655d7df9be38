"""Text files as a stream of UTF-8: how they are compressed and encoded, and how rows are written in them."""

import codecs
import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from lab.data.sources.compressed import open_bytes

UTF8 = ("utf-8", "utf8")

MARKS = {
    codecs.BOM_UTF32_LE: "utf-32", codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16", codecs.BOM_UTF16_BE: "utf-16",
}  # fmt: skip
"""Byte-order marks and the encodings they tell, none of which can begin a text in UTF-8; the longest first."""

CHUNK = 1 << 21
"""Bytes that are read at a time: 8 MB took longer by the clock on two busy cores (docs/speed.md)."""

ESCAPED = "\ufdd0\ufdd1\ufdd2\ufdd3"
"""What stands, while rows are cut, for an escaped quotation mark, separator, line break and escape.

Unicode keeps these four for use inside of programs: no text has them.
"""


@dataclass(frozen=True)
class TextStyle:
    """How rows are written as text."""

    separator: str
    header: bool
    quote: str
    encoding: str
    escape: str = ""
    """What takes its meaning from the quotation mark or separator behind it; empty for nothing."""


def encoding_of(file: Path, stated: str) -> str:
    """The stated encoding, or where that is UTF-8 what the file's byte-order mark says instead."""
    if stated.lower() not in UTF8:
        return stated
    with binary(file) as stream:
        head = stream.read(4)
    return next((encoding for mark, encoding in MARKS.items() if head.startswith(mark)), stated)


def binary(file: Path) -> IO[bytes]:
    """A stream of a file's bytes, decompressed whatever its name is."""
    return open_bytes(file)


def utf8_chunks(file: Path, encoding: str, carriage: bool = False, size: int = CHUNK) -> Iterator[bytes]:
    """The file as UTF-8, without its byte-order mark; with `carriage`, its lines' `\\r` become `\\n`.

    Text in UTF-8 is not looked at. Raises UnicodeDecodeError for a byte that is not in another encoding.
    """
    decoder = None if encoding.lower() in UTF8 else codecs.getincrementaldecoder(encoding)()
    first = True
    with binary(file) as stream:
        # A small size is for the first lines alone.
        for chunk in read_ahead(stream, size) if size >= CHUNK else iter(lambda: stream.read(size), b""):
            chunk = chunk if decoder is None else decoder.decode(chunk).encode()
            chunk = chunk.removeprefix(codecs.BOM_UTF8) if first else chunk
            first = False
            yield chunk.replace(b"\r", b"\n") if carriage else chunk
    if decoder is not None:
        yield decoder.decode(b"", final=True).encode()


def read_ahead(stream: IO[bytes], size: int) -> Iterator[bytes]:
    """The stream in pieces; while one is worked on, a thread reads (and decompresses) the next."""
    with ThreadPoolExecutor(1) as pool:
        coming = pool.submit(stream.read, size)
        while chunk := coming.result():
            coming = pool.submit(stream.read, size)
            yield chunk


def escapes_marked(chunks: Iterator[bytes], style: TextStyle) -> Iterator[bytes]:
    """The chunks with what is escaped as one of `ESCAPED`, so that it ends no field and no row."""
    if not style.escape:
        yield from chunks
        return
    meant = zip((style.quote, style.separator, "\n", style.escape), ESCAPED, strict=True)
    marks = {what.encode(): mark.encode() for what, mark in meant if what}
    escape, held = style.escape.encode(), b""
    pattern = re.compile(re.escape(escape) + b"(" + b"|".join(map(re.escape, marks)) + b")")
    for chunk in chunks:
        whole = held + chunk
        odd = (len(whole) - len(whole.rstrip(escape))) % 2  # what the last escape stands before is not here yet
        held = whole[len(whole) - odd :]
        yield pattern.sub(lambda found: marks[found[1]], whole[: len(whole) - odd])
    yield held


def unmarked(text: str, style: TextStyle) -> str:
    """Text with what `ESCAPED` stands for in its place."""
    for mark, meant in zip(ESCAPED, (style.quote, style.separator, "\n", style.escape), strict=True):
        text = text.replace(mark, meant)
    return text
