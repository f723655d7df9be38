"""The beginning of a text file: its first lines, the separator they show, the columns they name."""

import csv
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from lab.core.errors import InputError
from lab.data.sources.compressed import DAMAGED
from lab.data.sources.damage import WIDE, ReadError, not_text, read_error
from lab.data.sources.separators import SEPARATORS, sniff_separator
from lab.data.sources.text import TextStyle, encoding_of, escapes_marked, unmarked, utf8_chunks

FIRST = 1 << 18
"""Bytes that are looked at."""
LONGEST = 1 << 24
"""Bytes that a first line may have."""
LINES = 200
LONGEST_FIELD = 1 << 30
"""Letters that a field may have."""

_SEP_LINE = re.compile(r'^"?sep=(.|\\t)"?$', re.IGNORECASE)


@dataclass(frozen=True)
class Head:
    """How the text of one file begins."""

    file: Path
    encoding: str
    carriage: bool
    """Whether lines end in `\\r` alone, as on the first Macs."""
    skipped: int
    """Lines before the first row or the header: comments, blank lines, a line `sep=;`."""
    lines: tuple[str, ...]
    """The first lines after these."""
    stated: str | None = None
    """The separator that a line `sep=;` states."""
    columns: tuple[str, ...] = ()
    body: int = 0
    """Lines before the first row of data."""
    padded: bool = False
    """Whether a blank follows each separator."""


def head_lines(file: Path, stated: str) -> list[str]:
    """The first lines of a text file, comments before them taken off."""
    return list(read_head(file, TextStyle("", True, '"', stated)).lines)


def read_head(file: Path, style: TextStyle) -> Head:
    """Look at the first lines. Raises InputError for a file that has none, or is not text in this encoding."""
    encoding = style.encoding
    try:
        encoding = encoding_of(file, style.encoding)
        text = _beginning(file, encoding, style)
    except LookupError:
        raise InputError(f"encoding: {style.encoding!r} is not known; use one like utf-8, latin-1 or cp1252.") from None
    except UnicodeDecodeError:
        raise not_text(file, encoding) from None
    except DAMAGED as error:
        raise read_error(error, (file,), None) from None
    carriage = "\r" in text[:-1] and "\n" not in text
    text = text.replace("\r", "\n") if carriage else text
    lines = [line.removesuffix("\r") for line in text.split("\n")[: LINES + 50]]
    if not any(lines):
        raise InputError(f"{file}: the file holds no rows.")
    skipped, separator = _before(lines, file)
    lines = lines[skipped : skipped + LINES]
    if "\0" in lines[0]:
        _refuse_zeros(file, text)
    return Head(file, encoding, carriage, skipped, tuple(lines), separator)


def _beginning(file: Path, encoding: str, style: TextStyle) -> str:
    """Some of the file's first lines whole, and more of them where the first is long."""
    held, size = b"", FIRST
    for chunk in utf8_chunks(file, encoding, size=FIRST):
        held += chunk
        if len(held) >= size:
            if b"\n" in held or b"\r" in held:
                break
            if len(held) > LONGEST and held.strip(b"\0"):
                said = (
                    f"{file}: its first line has more than {LONGEST >> 20} MB ({held[:40].decode(errors='replace')!r}"
                )
                raise ReadError(f"{said} ...)", "a log has a row on each line; is this a text file?")
            if len(held) > LONGEST:
                break
    if len(held) >= FIRST:  # what stands last may be cut
        end = max(held.rfind(b"\n"), held.rfind(b"\r"))
        held = held[: end + 1] if end >= 0 else held[:-4]
    return b"".join(escapes_marked(iter([held]), style) if style.separator else [held]).decode()


def _refuse_zeros(file: Path, text: str) -> None:
    if not text.strip("\0\n"):
        raise ReadError(f"{file}: holds zero bytes, and no text", "the file is damaged: get it anew")
    raise ReadError(f"{file}: its first line is full of zero bytes, as UTF-16 text is", WIDE)


def _before(lines: list[str], file: Path) -> tuple[int, str | None]:
    """How many lines stand before the table, and the separator that one of them states."""
    skipped, separator = 0, None
    while skipped < len(lines) and (not lines[skipped].strip() or _SEP_LINE.match(lines[skipped])):
        if (stated := _SEP_LINE.match(lines[skipped])) is not None:
            separator = "\t" if stated[1] == "\\t" else stated[1]
        skipped += 1
    comments = skipped
    while comments < len(lines) and (lines[comments].startswith("#") or not lines[comments].strip()):
        comments += 1
    if comments == len(lines):
        return skipped, separator
    # A line that begins with # and has as many fields as the one below it is a header, and no comment.
    table = lines[comments]
    while skipped < comments and not (lines[skipped] and _alike(lines[skipped], table)):
        skipped += 1
    return skipped, separator


def _alike(line: str, table: str) -> bool:
    return any(line.count(sep) == table.count(sep) for sep in SEPARATORS[:-1] if sep in table)


def split_line(line: str, style: TextStyle) -> list[str]:
    """The fields of a line of text."""
    return next(records([line], style), ([""], 1))[0]


def allow_long_fields() -> None:
    """Let the standard library's csv, which by itself refuses 131,073 letters, read fields of LONGEST_FIELD."""
    csv.field_size_limit(max(csv.field_size_limit(), LONGEST_FIELD))


def records(
    lines: list[str] | tuple[str, ...], style: TextStyle, padded: bool = False
) -> Iterator[tuple[list[str], int]]:
    """The rows that these lines of text make, and after each the number of lines that were read."""
    if len(style.separator) > 1:
        yield from ((line.split(style.separator), number) for number, line in enumerate(lines, 1))
        return
    quoting = csv.QUOTE_MINIMAL if style.quote else csv.QUOTE_NONE
    allow_long_fields()
    reader = csv.reader(
        (f"{line}\n" for line in lines),
        delimiter=style.separator,
        quotechar=style.quote or None,
        quoting=quoting,
        skipinitialspace=padded,
    )
    try:
        for row in reader:
            yield [unmarked(field, style) for field in row], reader.line_num
    except csv.Error as error:
        raise InputError(f"line {reader.line_num}: {error}.") from None


def with_columns(head: Head, style: TextStyle) -> Head:
    """The head with its columns: named by the header, or numbered from 1. Raises ReadError for names that cannot be."""
    padded = _is_padded(head.lines, style)
    names, read = next(records(head.lines, style, padded), ([""], 1))
    columns = (
        tuple(name.strip(" \t") for name in names) if style.header else tuple(str(k + 1) for k in range(len(names)))
    )
    _check_columns(columns, head, style)
    body = head.skipped + (read if style.header else 0)
    return replace(head, columns=columns, body=body, padded=padded)


def _is_padded(lines: tuple[str, ...], style: TextStyle) -> bool:
    """Whether a blank stands behind every separator of the first lines (and no separator is a blank)."""
    if not style.separator.strip() or len(style.separator) > 1:
        return False
    some = [line for line in lines[:-1] if style.separator in line] or list(lines[:1])
    rows = [line.split(style.separator)[1:] for line in some]
    data = rows[1:] if style.header and len(rows) > 1 else rows
    fields = [field for row in data for field in row if field]
    return bool(fields) and all(field.startswith(" ") for field in fields)


def _check_columns(columns: tuple[str, ...], head: Head, style: TextStyle) -> None:
    first = head.lines[0]
    if len(columns) < 2:
        better = sniff_separator(head.lines, head.file)
        raise ReadError(
            f"{head.file}: separator {style.separator!r} leaves one column in the first line ({first[:60]!r})",
            f"{better!r} would give {len(first.split(better))}",
        )
    twice = sorted({name for name in columns if columns.count(name) > 1})
    if twice == [""]:
        said = (
            f"{head.file}: separator {style.separator!r} leaves columns without a name in the header ({first[:60]!r})"
        )
        raise ReadError(said, "put one separator between two names, and no more")
    if twice:
        raise ReadError(f"{head.file}: the header names column {twice[0]!r} more than once", "name the columns apart")
