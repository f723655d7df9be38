"""Files of rows: a lazy frame of their columns as text."""

import csv
import io
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from lab.core.errors import InputError
from lab.data.sources.damage import JSON_LINES, WIDE, ReadError, bad_json, first_line, not_text, read_error
from lab.data.sources.paths import find_files, format_of
from lab.data.sources.text import UTF8, TextStyle, binary, encoding_of

SURPLUS = "surplus"
"""Name of the column that catches what a row has beyond the header's columns."""

ROW = "row"
FILE = "file"


@dataclass(frozen=True)
class Opened:
    """Files whose columns are known and whose rows are not read yet."""

    files: tuple[Path, ...]
    columns: tuple[str, ...]
    style: TextStyle | None = None
    """None for a format that needs none."""

    def frame(self, nested: Mapping[str, Any] | None = None) -> pl.LazyFrame:
        """All columns, with `row` (from 0, over all files) and `file`; text and JSON files give strings alone.

        `nested` are the types of JSON's lists and objects, which are else their own text.
        """
        kind = format_of(self.files[0]) or "text"
        if kind == "parquet":
            return pl.scan_parquet(list(self.files), row_index_name=ROW, include_file_paths=FILE)
        if kind == "json":
            schema: dict[str, Any] = dict.fromkeys(self.columns, pl.String) | dict(nested or {})
            return pl.scan_ndjson(list(self.files), schema=schema, row_index_name=ROW, include_file_paths=FILE)
        assert self.style is not None
        return _scan_text(self.files, self.columns, self.style)

    def explain(self, error: Exception) -> ReadError:
        """What polars found while reading, as one sentence that names the file."""
        return read_error(error, self.files, self.style)


def open_files(path: str | tuple[str, ...], style: TextStyle | None, separator: str | None = None) -> Opened:
    """Look at the heads of the files. `style.separator` is replaced by a sniffed one unless `separator` is stated."""
    files = find_files(path)
    for file in files:
        if file.stat().st_size == 0:
            raise InputError(f"{file}: the file is empty.")
    kind = format_of(files[0]) or "text"
    if kind != "text" or style is None:
        return Opened(files, _columns(files, kind))
    lines = head_lines(files[0], style.encoding)
    sep = separator if separator is not None else sniff_separator(lines, files[0])
    style = TextStyle(sep, style.header, style.quote, style.encoding)
    columns = tuple(split_line(lines[0], style))
    if not style.header:
        columns = tuple(str(k + 1) for k in range(len(columns)))
    _check_columns(columns, lines, style, files[0])
    for other in files[1:]:
        names = split_line(head_lines(other, style.encoding)[0], style)
        if (sorted(names) if style.header else len(names)) != (sorted(columns) if style.header else len(columns)):
            raise ReadError(
                f"{other}: its columns ({', '.join(names)}) are not those of {files[0].name} ({', '.join(columns)})"
            )
    return Opened(files, columns, style)


def _columns(files: tuple[Path, ...], kind: str) -> tuple[str, ...]:
    try:
        head = (
            pl.scan_parquet(list(files)) if kind == "parquet" else pl.scan_ndjson(list(files), infer_schema_length=1000)
        )
        return tuple(head.collect_schema().names())
    except (pl.exceptions.PolarsError, OSError) as error:
        if kind == "json" and (broken := next(filter(None, map(bad_json, files)), None)):
            raise ReadError(broken, JSON_LINES) from None
        raise ReadError(f"{files[0]}: cannot be read as {kind}: {first_line(error)}") from None


def _scan_text(files: tuple[Path, ...], columns: tuple[str, ...], style: TextStyle) -> pl.LazyFrame:
    recoded = any(encoding_of(file, style.encoding) not in UTF8 for file in files)
    sources: Any = [_as_utf8(file, style) for file in files] if recoded else list(files)
    several = len(style.separator.encode()) > 1
    # A separator of several bytes: read whole lines, then split them.
    names = (*columns, SURPLUS)
    frame = pl.scan_csv(
        sources,
        separator="\x01" if several else style.separator,
        quote_char=None if several or not style.quote else style.quote,
        has_header=style.header and not several,
        skip_lines=int(style.header and several),
        schema=dict.fromkeys(("line",) if several else names, pl.String),
        truncate_ragged_lines=True,
        missing_columns="insert",
        row_index_name=ROW,
        include_file_paths=None if recoded else FILE,
    )
    if recoded:
        frame = frame.with_columns(pl.lit(files[0].name if len(files) == 1 else "").alias(FILE))
    if not several:
        return frame
    fields = pl.col("line").str.strip_suffix("\r").str.splitn(style.separator, len(names)).struct.rename_fields(names)
    return (
        frame.with_columns(fields)
        .unnest("line")
        .with_columns(pl.when(pl.col(name) != "").then(pl.col(name)).alias(name) for name in columns)
    )


def _as_utf8(file: Path, style: TextStyle) -> io.BytesIO:
    encoding = encoding_of(file, style.encoding)
    with binary(file) as stream:
        raw = stream.read()
    try:
        return io.BytesIO(raw.decode(encoding).removeprefix("\ufeff").encode())
    except UnicodeDecodeError:
        raise not_text(file, encoding) from None


def head_lines(file: Path, stated: str, most: int = 200) -> list[str]:
    """The first lines of a (compressed) text file, its byte-order mark taken off."""
    encoding = stated
    try:
        encoding = encoding_of(file, stated)
        with binary(file) as stream, io.TextIOWrapper(stream, encoding, newline="\n") as text:
            lines = [line.rstrip("\r\n").removeprefix("\ufeff") for _, line in zip(range(most), text, strict=False)]
    except LookupError:
        raise InputError(f"encoding: {stated!r} is not known; use one like utf-8, latin-1 or cp1252.") from None
    except UnicodeDecodeError:
        raise not_text(file, encoding) from None
    except (OSError, EOFError, zlib.error) as error:
        raise read_error(error, (file,), None) from None
    if not any(lines):
        raise InputError(f"{file}: the file holds no rows.")
    if "\0" in lines[0]:
        raise ReadError(
            f"{file}: its first line is full of zero bytes, as UTF-16 text is",
            WIDE,
        )
    return lines


def sniff_separator(lines: list[str], file: Path) -> str:
    """The separator that cuts the first lines into the most columns alike."""

    def columns(sep: str) -> int:
        counts = {
            len(line.split(sep)) if len(sep) > 1 else len(next(csv.reader([line], delimiter=sep)))
            for line in lines[:20]
            if line
        }
        return min(counts) if len(counts) <= 2 else 0

    found = {sep: columns(sep) for sep in ("::", "\t", ",", ";", "|", " ")}
    best = max(found, key=lambda sep: found[sep])
    if found[best] < 2:
        raise ReadError(
            f"{file}: no separator cuts its first line into columns ({lines[0][:60]!r})", "state the separator"
        )
    return best


def split_line(line: str, style: TextStyle) -> list[str]:
    """The fields of a line of text."""
    if len(style.separator) > 1:
        return line.split(style.separator)
    quoting = csv.QUOTE_MINIMAL if style.quote else csv.QUOTE_NONE
    return next(csv.reader([line], delimiter=style.separator, quotechar=style.quote or None, quoting=quoting), [""])


def _check_columns(columns: tuple[str, ...], lines: list[str], style: TextStyle, file: Path) -> None:
    if len(columns) < 2:
        better = sniff_separator(lines, file)
        raise ReadError(
            f"{file}: separator {style.separator!r} leaves one column in the first line ({lines[0][:60]!r})",
            f"{better!r} would give {len(lines[0].split(better))}",
        )
    twice = sorted({name for name in columns if columns.count(name) > 1})
    if twice == [""]:
        said = f"{file}: separator {style.separator!r} leaves columns without a name in the header ({lines[0][:60]!r})"
        raise ReadError(said, "put one separator between two names, and no more")
    if twice:
        raise ReadError(f"{file}: the header names column {twice[0]!r} more than once", "name the columns apart")
