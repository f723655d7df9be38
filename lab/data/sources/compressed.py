"""Compressed files, told by their first bytes whatever they are called, and files that are no tables of text."""

import bz2
import codecs
import gzip
import lzma
import zipfile
import zlib
from pathlib import Path
from typing import IO, Any, cast

from lab.core.errors import InputError

ENDINGS = {".gz": "gzip", ".bz2": "bz2", ".xz": "xz", ".zst": "zstd", ".zip": "zip"}

MAGIC = {b"\x1f\x8b": "gzip", b"BZh": "bz2", b"\xfd7zXZ\0": "xz", b"\x28\xb5\x2f\xfd": "zstd", b"PK\x03\x04": "zip"}
"""First bytes -> how a file is compressed. (An empty zip begins otherwise, and holds no rows.)"""

SAVE = "open it in a spreadsheet, save the sheet as CSV, and name that file"
UNPACK = "unpack it, and name the file that holds the log, or the folder"
PAGE = "the download may have given a page to log in: get the file itself"
AS_FRAME = "read it in Python, and give it as Table(frame=...), or write it as Parquet"

OTHERS = {
    b"\xd0\xcf\x11\xe0": ("an old Excel file", SAVE),
    b"7z\xbc\xaf\x27\x1c": ("a 7z archive", UNPACK),
    b"Rar!": ("a rar archive", UNPACK),
    b"SQLite format 3\0": ("a SQLite database", "export the table as CSV, and name that file"),
    b"ARROW1": ("an Arrow (Feather) file", AS_FRAME),
    b"ORC": ("an ORC file", AS_FRAME),
    b"Obj\x01": ("an Avro file", AS_FRAME),
    b"\x89HDF": ("an HDF5 file", AS_FRAME),
    b"<!DOCTYPE": ("a web page", PAGE),
    b"<!doctype": ("a web page", PAGE),
    b"<html": ("a web page", PAGE),
    b"<?xml": ("an XML file", AS_FRAME),
    b"%PDF": ("a PDF file", "a log is a table: CSV, Parquet or JSON"),
}
"""First bytes -> what a file is that is not read, and what to do about it."""

DAMAGED = (OSError, EOFError, zlib.error, lzma.LZMAError, zipfile.BadZipFile)
"""What is raised while a damaged file is decompressed."""


def first_bytes(file: Path, count: int = 512) -> bytes:
    with file.open("rb") as stream:
        return stream.read(count)


def compression_of(file: Path) -> str | None:
    """gzip, bz2, xz, zstd or zip, by the file's first bytes; None for a file that is not compressed.

    Raises InputError for one whose name alone says that it is, and for a spreadsheet, which is a zip of its own.
    """
    head = first_bytes(file)
    found = next((name for mark, name in MAGIC.items() if head.startswith(mark)), None)
    if found == "zip":
        _refuse_spreadsheet(file)
    if found is None and head and file.suffix.lower() in ENDINGS:
        raise InputError(f"{file}: is not compressed, though its name ends in {file.suffix}; take that off its name.")
    return found


def open_bytes(file: Path) -> IO[bytes]:
    """A stream of the file's bytes, decompressed. While it is read, errors of `DAMAGED` may be raised."""
    kind = compression_of(file)
    openers: dict[str | None, Any] = {None: open, "gzip": gzip.open, "bz2": bz2.open, "xz": lzma.open}
    if kind in openers:
        return cast(IO[bytes], openers[kind](file, "rb"))
    if kind == "zip":
        archive = zipfile.ZipFile(file)
        return archive.open(member_of(file))
    import pyarrow  # which has zstd, and which the standard library lacks before Python 3.14

    return cast(IO[bytes], pyarrow.CompressedInputStream(str(file), "zstd"))


def member_of(file: Path) -> str:
    """The one file in a zip. Raises InputError where there are several, or none, or a password is asked."""
    try:
        with zipfile.ZipFile(file) as archive:
            entries = [one for one in archive.infolist() if not one.is_dir() and not _hidden(one.filename)]
    except zipfile.BadZipFile as error:
        raise InputError(f"{file}: the compressed file is cut short or damaged ({error}); get it anew.") from None
    names = [entry.filename for entry in entries]
    if len(names) != 1:
        held = f"{len(names)} files ({', '.join(names[:4])}{', ...' if len(names) > 4 else ''})" if names else "no file"
        raise InputError(f"{file}: holds {held}, and one is wanted; {UNPACK}.")
    if entries[0].flag_bits & 1:
        raise InputError(f"{file}: is protected by a password; {UNPACK}.")
    return names[0]


def plain_name(file: Path) -> str:
    """The name of what a file holds, in lower case and without endings such as .gz."""
    name = file.name.lower()
    if name.endswith(".zip") and file.is_file() and first_bytes(file, 4) == b"PK\x03\x04":
        name = Path(member_of(file)).name.lower()
    return next((name.removesuffix(ending) for ending in ENDINGS if name.endswith(ending)), name)


def refuse_others(file: Path) -> None:
    """Raise InputError for a file that is no table of text, Parquet or JSON, with words on what to do."""
    head = first_bytes(file).removeprefix(codecs.BOM_UTF8).lstrip()
    found = next((said for mark, said in OTHERS.items() if head.startswith(mark)), None)
    if found is not None:
        raise InputError(f"{file}: is {found[0]}, which is not read; {found[1]}.")
    if compression_of(file) is None:
        return
    try:
        with open_bytes(file) as stream:
            inner = stream.read(512)
    except DAMAGED:
        return  # said where it is read
    if inner[257:262] == b"ustar":
        raise InputError(f"{file}: is a tar archive, which is not read; {UNPACK}.")
    if inner.startswith(b"PAR1"):
        raise InputError(
            f"{file}: is a compressed Parquet file, which is not read; unpack it (Parquet compresses its own columns)."
        )


def _refuse_spreadsheet(file: Path) -> None:
    try:
        with zipfile.ZipFile(file) as archive:
            names = set(archive.namelist())
    except zipfile.BadZipFile:
        return  # said where it is read
    if names & {"[Content_Types].xml", "mimetype"}:
        raise InputError(f"{file}: is a spreadsheet, which is not read; {SAVE}.")


def _hidden(name: str) -> bool:
    return name.startswith("__MACOSX/") or Path(name).name.startswith(".")
