"""Files of rows: which there are, how they are written, and a lazy frame of their columns as text."""

import codecs
import csv
import glob
import gzip
import io
import json
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from lab.errors import InputError
from lab.nearest import nearest

FORMATS = {
    ".csv": "text", ".tsv": "text", ".txt": "text", ".dat": "text", ".tab": "text",
    ".parquet": "parquet", ".pq": "parquet",
    ".jsonl": "json", ".ndjson": "json", ".json": "json",
}  # fmt: skip

SURPLUS = "surplus"
"""Name of the column that catches what a row has beyond the header's columns."""

ROW = "row"
FILE = "file"


JSON_LINES = 'JSON lines are wanted: on each line one object, such as {"user": 1, "item": 2}'
QUOTE = "if the file does not quote its fields, say so with --quote '' (quote in Python)"
UTF8 = ("utf-8", "utf8")
ENCODE = "state the file's encoding, for example --encoding latin-1"
WIDE = "state the file's encoding, --encoding utf-16-le or --encoding utf-16-be"


MARKS = {
    codecs.BOM_UTF32_LE: "utf-32", codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16", codecs.BOM_UTF16_BE: "utf-16",
}  # fmt: skip
"""Byte-order marks and the encodings they tell, none of which can begin a text in UTF-8; the longest first."""


class ReadError(InputError):
    """A file is not as its settings say. `found` tells what it is, free of any setting; `advice` which to change."""

    def __init__(self, found: str, advice: str = "", setting: str = "") -> None:
        super().__init__(f"{setting and f'{setting}: '}{found}{advice and f'; {advice}'}.")
        self.found = found


def find_files(path: str | tuple[str, ...]) -> tuple[Path, ...]:
    """The files that a path, a folder or a glob pattern names, sorted; those of several, one after the other.

    Raises InputError when there are none.
    """
    if isinstance(path, tuple):
        return _of_one_format(", ".join(path), tuple(file for one in path for file in find_files(one)))
    place = Path(path).expanduser()
    if place.is_file():
        return (place,)
    if place.is_dir():
        found = [file for file in sorted(place.iterdir()) if file.is_file() and format_of(file) is not None]
        if not found:
            raise InputError(
                f"{path}: the folder holds no file ending in {', '.join(FORMATS)} (or one of these and .gz)."
            )
    else:
        found = [Path(file) for file in sorted(glob.glob(str(place), recursive=True)) if Path(file).is_file()]
    if not found:
        raise InputError(f"{path}: no such file{_nearest_file(place)}.")
    return _of_one_format(path, tuple(found))


def _of_one_format(path: str, files: tuple[Path, ...]) -> tuple[Path, ...]:
    if len({format_of(file) for file in files}) > 1:
        raise InputError(
            f"{path}: holds files of several formats ({', '.join(f.name for f in files[:4])}); name one kind."
        )
    return files


def format_of(path: Path) -> str | None:
    """`text`, `parquet` or `json` by the file's ending (less `.gz`), None for an unknown one."""
    name = path.name.lower().removesuffix(".gz").removesuffix(".zst")
    return FORMATS.get(Path(name).suffix)


def _nearest_file(place: Path) -> str:
    # By stems: two names are not alike because both end in .csv.
    names = {p.stem: p.name for p in sorted(place.parent.iterdir())} if place.parent.is_dir() else {}
    near = nearest(place.stem, names)
    return f"; the nearest in that folder is {names[near]!r}" if near else ""


@dataclass(frozen=True)
class TextStyle:
    """How rows are written as text."""

    separator: str
    header: bool
    quote: str
    encoding: str


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


def encoding_of(file: Path, stated: str) -> str:
    """The stated encoding, or where that is UTF-8 what the file's byte-order mark says instead."""
    if stated.lower() not in UTF8:
        return stated
    with _opener(file)(file, "rb") as stream:
        head = stream.read(4)
    return next((encoding for mark, encoding in MARKS.items() if head.startswith(mark)), stated)


def _as_utf8(file: Path, style: TextStyle) -> io.BytesIO:
    encoding = encoding_of(file, style.encoding)
    with _opener(file)(file, "rb") as stream:
        raw = stream.read()
    try:
        return io.BytesIO(raw.decode(encoding).removeprefix("\ufeff").encode())
    except UnicodeDecodeError:
        raise _not_text(file, encoding) from None


def head_lines(file: Path, stated: str, most: int = 200) -> list[str]:
    """The first lines of a (compressed) text file, its byte-order mark taken off."""
    encoding = stated
    try:
        encoding = encoding_of(file, stated)
        with _opener(file)(file, "rb") as stream, io.TextIOWrapper(stream, encoding, newline="\n") as text:
            lines = [line.rstrip("\r\n").removeprefix("\ufeff") for _, line in zip(range(most), text, strict=False)]
    except LookupError:
        raise InputError(f"encoding: {stated!r} is not known; use one like utf-8, latin-1 or cp1252.") from None
    except UnicodeDecodeError:
        raise _not_text(file, encoding) from None
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


def _not_text(file: Path, encoding: str) -> ReadError:
    marked = "" if encoding.lower() in UTF8 else "the file is damaged, or in another encoding than that"
    return ReadError(bad_bytes(file, encoding) or f"{file}: is not {encoding} text", marked or _encoding_advice(file))


def _encoding_advice(file: Path) -> str:
    """Which encoding to state of a file that is not UTF-8: of what is written in one byte a character, none is zero."""
    with _opener(file)(file, "rb") as stream:
        return WIDE if b"\0" in stream.read(1 << 16) else ENCODE


def bad_bytes(file: Path, encoding: str) -> str | None:
    """Which line of a file is not text in this encoding, None where every line is."""
    decoder, lines, column = codecs.getincrementaldecoder(encoding)(), 1, 1
    with _opener(file)(file, "rb") as stream:
        while True:
            block = stream.read(1 << 20)
            waiting = len(decoder.getstate()[0])  # bytes of a character that the last block began
            try:
                text, broken = decoder.decode(block, final=not block), None
            except UnicodeDecodeError as error:
                text, broken = decoder.decode(block[: max(error.start - waiting, 0)]), error.object[error.start]
            lines += text.count("\n")
            column = len(text) - text.rfind("\n") if "\n" in text else column + len(text)
            if broken is not None:
                return f"{file}: line {lines} is not {encoding} text (byte 0x{broken:02x} at position {column})"
            if not block:
                return None


def _opener(file: Path) -> Any:
    return gzip.open if file.suffix == ".gz" else open


def open_quote(file: Path, style: TextStyle) -> str | None:
    """Which line opens a quotation that the file never closes, None where there is none."""
    opened = None
    with _opener(file)(file, "rb") as stream, io.TextIOWrapper(stream, encoding_of(file, style.encoding)) as text:
        for number, line in enumerate(text, 1):
            if line.count(style.quote) % 2:
                opened = number if opened is None else None
    return None if opened is None else f"{file}: the quotation that line {opened} opens is never closed"


def _json_files(files: tuple[Path, ...]) -> tuple[Path, ...]:
    return tuple(file for file in files if format_of(file) == "json")


def bad_json(file: Path) -> str | None:
    """Which line of a file is no JSON object, None where every line is."""
    with _opener(file)(file, "rb") as stream:
        for number, line in enumerate(stream, 1):
            try:
                value = json.loads(line.rstrip()) if line.strip() else {}
            except json.JSONDecodeError as error:  # whose own text counts lines anew
                return f"{file}: line {number} is no JSON ({error.msg} at position {error.colno})"
            except ValueError as error:
                return f"{file}: line {number} is no JSON ({first_line(error)})"
            if not isinstance(value, dict):
                return f"{file}: line {number} holds a {_JSON.get(type(value), 'number')}, not an object"
    return None


_JSON = {list: "list", str: "text", bool: "truth value", type(None): "null"}


def first_line(error: BaseException) -> str:
    """The first line of an error's text, without a closing full stop."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0].rstrip(".")


def read_error(error: Exception, files: tuple[Path, ...], style: TextStyle | None) -> ReadError:
    """What polars found while reading, as one sentence that names the file."""
    text = str(error)
    name = next((str(file) for file in files if str(file) in text), None) or _unreadable(files)
    encoding = style.encoding if style else "utf-8"
    if "utf-8" in text:
        broken = next(filter(None, (bad_bytes(file, encoding) for file in files)), None)
        return ReadError(broken or f"{name}: is not {encoding} text", _encoding_advice(Path(name)))
    if "Not a gzipped file" in text:
        return ReadError(f"{name}: is not compressed, though its name ends in .gz", "take that off its name")
    if any(said in text for said in ("end of file", "end-of-stream", "gzip", "deflate", "compress")):
        return ReadError(f"{name}: the compressed file is cut short or damaged ({first_line(error)})", "get it anew")
    if style is None and (broken := next(filter(None, map(bad_json, _json_files(files))), None)):
        return ReadError(broken, JSON_LINES)
    if style is not None and ("could not parse" in text or "malformed" in text or "quote" in text):
        open_ = next(filter(None, (open_quote(file, style) for file in files)), None)
        return ReadError(open_ or f"{name}: a field holds a quotation mark where none can be", QUOTE)
    return ReadError(f"{name}: cannot be read: {first_line(error)}")


def _unreadable(files: tuple[Path, ...]) -> str:
    """The first compressed file that does not decompress, else the first file."""
    for file in files:
        if file.suffix == ".gz":
            try:
                with gzip.open(file, "rb") as stream:
                    while stream.read(1 << 20):
                        pass
            except (OSError, EOFError, zlib.error):
                return str(file)
    return str(files[0])
