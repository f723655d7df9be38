"""What is wrong with a file that cannot be read, in a sentence that names it and the line."""

import codecs
from pathlib import Path

from lab.core.errors import InputError
from lab.data.sources.compressed import DAMAGED, compression_of
from lab.data.sources.text import UTF8, TextStyle, binary

JSON_LINES = 'one object for each row is wanted, on lines or in an array, such as {"user": 1, "item": 2}'
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


def first_line(error: BaseException) -> str:
    """The first line of an error's text, without a closing full stop."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0].rstrip(".")


def read_error(error: Exception, files: tuple[Path, ...], style: TextStyle | None) -> ReadError:
    """What was found while files were read, as one sentence that names the file."""
    text = str(error)
    name = next((str(file) for file in files if str(file) in text), None) or _unreadable(files)
    encoding = style.encoding if style else "utf-8"
    if "utf-8" in text:
        broken = next(filter(None, (bad_bytes(file, encoding) for file in files)), None)
        return ReadError(broken or f"{name}: is not {encoding} text", _encoding_advice(Path(name)))
    if "invalid utf8" in text:
        return ReadError(f"{name}: a column of bytes holds some that are no text", "write that column as text")
    if isinstance(error, OSError) and error.filename is not None:
        return ReadError(f"{error.filename}: cannot be read ({error.strerror})")
    if isinstance(error, DAMAGED):
        return ReadError(f"{name}: the compressed file is cut short or damaged ({first_line(error)})", "get it anew")
    return ReadError(f"{name}: cannot be read: {first_line(error)}")


def _unreadable(files: tuple[Path, ...]) -> str:
    """The first compressed file that does not decompress, else the first file."""
    for file in files:
        if compression_of(file) is not None:
            try:
                with binary(file) as stream:
                    while stream.read(1 << 20):
                        pass
            except DAMAGED:
                return str(file)
    return str(files[0])
