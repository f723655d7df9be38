"""What is wrong with a file that cannot be read, in a sentence that names it and the line."""

import codecs
import gzip
import io
import json
import zlib
from pathlib import Path

from lab.core.errors import InputError
from lab.data.sources.paths import format_of
from lab.data.sources.text import UTF8, TextStyle, binary, encoding_of

JSON_LINES = 'JSON lines are wanted: on each line one object, such as {"user": 1, "item": 2}'
QUOTE = "if the file does not quote its fields, say so with --quote '' (quote in Python)"
ENCODE = "state the file's encoding, for example --encoding latin-1"
WIDE = "state the file's encoding, --encoding utf-16-le or --encoding utf-16-be"


class ReadError(InputError):
    """A file is not as its settings say. `found` tells what it is, free of any setting; `advice` which to change."""

    def __init__(self, found: str, advice: str = "", setting: str = "") -> None:
        super().__init__(f"{setting and f'{setting}: '}{found}{advice and f'; {advice}'}.")
        self.found = found


def not_text(file: Path, encoding: str) -> ReadError:
    """Of a file that is not in its encoding: which line is not, and what to state instead."""
    marked = "" if encoding.lower() in UTF8 else "the file is damaged, or in another encoding than that"
    return ReadError(bad_bytes(file, encoding) or f"{file}: is not {encoding} text", marked or _encoding_advice(file))


def _encoding_advice(file: Path) -> str:
    """Which encoding to state of a file that is not UTF-8: of what is written in one byte a character, none is zero."""
    with binary(file) as stream:
        return WIDE if b"\0" in stream.read(1 << 16) else ENCODE


def bad_bytes(file: Path, encoding: str) -> str | None:
    """Which line of a file is not text in this encoding, None where every line is."""
    decoder, lines, column = codecs.getincrementaldecoder(encoding)(), 1, 1
    with binary(file) as stream:
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


def open_quote(file: Path, style: TextStyle) -> str | None:
    """Which line opens a quotation that the file never closes, None where there is none."""
    opened = None
    with binary(file) as stream, io.TextIOWrapper(stream, encoding_of(file, style.encoding)) as text:
        for number, line in enumerate(text, 1):
            if line.count(style.quote) % 2:
                opened = number if opened is None else None
    return None if opened is None else f"{file}: the quotation that line {opened} opens is never closed"


def _json_files(files: tuple[Path, ...]) -> tuple[Path, ...]:
    return tuple(file for file in files if format_of(file) == "json")


def bad_json(file: Path) -> str | None:
    """Which line of a file is no JSON object, None where every line is."""
    with binary(file) as stream:
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
