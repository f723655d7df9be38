"""Text files as bytes: how they are compressed and encoded, and how rows are written in them."""

import codecs
import gzip
from dataclasses import dataclass
from pathlib import Path
from typing import IO, cast

UTF8 = ("utf-8", "utf8")

MARKS = {
    codecs.BOM_UTF32_LE: "utf-32", codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16", codecs.BOM_UTF16_BE: "utf-16",
}  # fmt: skip
"""Byte-order marks and the encodings they tell, none of which can begin a text in UTF-8; the longest first."""


@dataclass(frozen=True)
class TextStyle:
    """How rows are written as text."""

    separator: str
    header: bool
    quote: str
    encoding: str


def encoding_of(file: Path, stated: str) -> str:
    """The stated encoding, or where that is UTF-8 what the file's byte-order mark says instead."""
    if stated.lower() not in UTF8:
        return stated
    with binary(file) as stream:
        head = stream.read(4)
    return next((encoding for mark, encoding in MARKS.items() if head.startswith(mark)), stated)


def binary(file: Path) -> IO[bytes]:
    """A stream of a file's bytes, decompressed where its name ends in .gz."""
    return cast(IO[bytes], gzip.open(file, "rb")) if file.suffix == ".gz" else file.open("rb")
