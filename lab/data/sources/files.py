"""Files of rows: a lazy frame of their columns as text."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import polars as pl
from polars.io.plugins import register_io_source

from lab.core.digests import file_digest
from lab.core.errors import InputError
from lab.data.sources.base import Records
from lab.data.sources.compressed import DAMAGED, refuse_others
from lab.data.sources.damage import ReadError, read_error
from lab.data.sources.delimited import Delimited, Part
from lab.data.sources.heads import Head, read_head, with_columns
from lab.data.sources.json_text import JsonFile
from lab.data.sources.parquet import ParquetFiles
from lab.data.sources.paths import find_files, kind_of, partitions_of
from lab.data.sources.reserved_names import FILE, ROW, SURPLUS, refuse_internal
from lab.data.sources.separators import sniff_separator
from lab.data.sources.text import CHUNK, TextStyle

SAMPLE_BYTES = 1 << 20
"""Bytes that are read at a time where a few rows are asked for."""

Read = Callable[[Path, Sequence[str], int], Iterator[Part]]
"""The rows of a file: of these of its own columns, so many bytes at a time."""


@dataclass
class Tally:
    """What is read of the files, from their beginning on: a plan may read them twice at a time, each with its own."""

    rows: int = 0
    blank: int = 0
    made: int = 0
    """Rows that JSON's lists make; without lists, the rows."""
    empty: int = 0


@dataclass(frozen=True)
class Opened:
    """Files whose columns are known and whose rows are not read yet."""

    files: tuple[Path, ...]
    own: tuple[str, ...]
    """The columns that the files have."""
    stated: tuple[str, ...]
    """Those that their folders state (`date=2023-01-01/part-0.csv`)."""
    kind: str
    """`text`, `parquet` or `json`."""
    style: TextStyle | None = None
    """None for a format that needs none."""
    heads: Mapping[Path, Head] = field(default_factory=dict)
    """Of text files."""
    whole: list[Records] = field(default_factory=list, compare=False)
    """What was found each time that the files were read to their end."""

    @property
    def columns(self) -> tuple[str, ...]:
        return (*self.own, *self.stated)

    def frame(self, nested: Mapping[str, Any] | None = None) -> pl.LazyFrame:
        """All columns, with `ROW` (from 0, over all files) and `FILE`, and of text `SURPLUS`; text and JSON files give
        strings alone.

        `nested` are the types of JSON's lists and objects, which are else their own text.
        """
        if self.kind == "parquet":
            return ParquetFiles(self.files).frame()
        schema: dict[str, Any] = {ROW: pl.get_index_type(), FILE: pl.String, **dict.fromkeys(self.columns, pl.String)}
        schema |= dict(nested or {}) | ({SURPLUS: pl.String} if self.kind == "text" else {})
        types = {name: dtype for name, dtype in schema.items() if name not in (ROW, FILE)}
        read = self._read_json(types) if self.kind == "json" else self._read_text

        def source(
            names: list[str] | None, predicate: pl.Expr | None, most: int | None, _: int | None
        ) -> Iterator[pl.DataFrame]:
            for frame in self._frames(read, list(schema) if names is None else names, most):
                yield frame if predicate is None else frame.filter(predicate)

        return register_io_source(source, schema=schema)

    def records(self) -> Records | None:
        """What the files hold, counted apart from the parser; None before they were read to their end."""
        if self.kind == "parquet":
            return Records(ParquetFiles(self.files).rows())
        return self.whole[-1] if self.whole else None

    def explain(self, error: Exception) -> InputError:
        """What was found while reading, as one sentence that names the file."""
        return error if isinstance(error, InputError) else read_error(error, self.files, self.style)

    def _frames(self, read: Read, names: list[str], most: int | None) -> Iterator[pl.DataFrame]:
        """The rows part by part, no more of them than `most`."""
        tally = Tally()
        size = CHUNK if most is None else SAMPLE_BYTES
        for file in self.files:
            for frame in self._of_file(file, read, names, size, tally):
                left = len(frame) if most is None else most - tally.rows
                yield frame.head(left)
                tally.rows += min(left, len(frame))
                if most is not None and tally.rows >= most:
                    return
        self.whole.append(Records(tally.made, tally.blank, tally.empty))

    def _of_file(self, file: Path, read: Read, names: list[str], size: int, tally: Tally) -> Iterator[pl.DataFrame]:
        """The rows of a file, with the reader's own columns and those that its folders state."""
        stated = {name: value for name, value in partitions_of(file) if name in self.stated}
        own = [name for name in names if name not in (*self.stated, ROW, FILE)]
        own = own or [self.own[0]]  # a frame without columns has no rows
        try:
            for part in read(file, own, size):
                tally.blank += part.blank
                tally.made += len(part.frame) if part.made is None else part.made
                tally.empty += part.empty
                made = {name: pl.lit(value, pl.String) for name, value in stated.items()}
                first = tally.rows
                made[ROW] = pl.int_range(first, first + len(part.frame), dtype=pl.get_index_type())
                made[FILE] = pl.lit(str(file), pl.String)
                yield part.frame.with_columns(**{n: e for n, e in made.items() if n in names}).select(names)
        except DAMAGED as error:
            raise read_error(error, (file,), self.style) from None

    def _read_text(self, file: Path, names: Sequence[str], size: int) -> Iterator[Part]:
        assert self.style is not None
        return Delimited(self.heads[file], self.style).parts(names, size)

    def _read_json(self, types: Mapping[str, Any]) -> Read:
        return lambda file, names, size: JsonFile(file).parts({name: types[name] for name in names}, size)


def open_files(
    path: str | tuple[str, ...], style: TextStyle | None, separator: str | None = None, wanted: Iterable[str] = ()
) -> Opened:
    """Look at the heads of the files. `style.separator` is replaced by a sniffed one unless `separator` is stated.

    `wanted` are columns that a JSON file may have in late objects alone. Raises InputError for files that are no log.
    """
    files = find_files(path)
    try:
        for file in files:
            if file.stat().st_size == 0:
                raise InputError(f"{file}: the file is empty.")
            refuse_others(file)
        kind = kind_of(files[0])
        if kind == "text" and style is not None:
            opened = _open_text(files, style, separator)
        elif kind == "json":
            opened = Opened(files, _json_columns(files, tuple(wanted)), (), kind)
        else:
            opened = Opened(files, ParquetFiles(files).columns, (), kind)
    except DAMAGED as error:
        raise read_error(error, files, style) from None
    refuse_internal(opened.columns, str(files[0]))
    return replace(opened, stated=_stated_columns(opened))


def _open_text(files: tuple[Path, ...], style: TextStyle, separator: str | None) -> Opened:
    first = read_head(files[0], style)
    sep = separator or first.stated or sniff_separator(first.lines, files[0])
    style = replace(style, separator=sep)
    heads = {file: with_columns(read_head(file, style), style) for file in files}
    own = heads[files[0]].columns
    for file, head in heads.items():
        if sorted(head.columns) != sorted(own):
            _refuse_columns(file, head.columns, files[0], own)
    return Opened(files, own, (), "text", style, heads)


def _refuse_columns(file: Path, columns: Sequence[str], first: Path, own: Sequence[str]) -> None:
    said = f"{file}: its columns ({', '.join(columns)}) are not those of {first.name} ({', '.join(own)})"
    raise ReadError(said)


def _json_columns(files: tuple[Path, ...], wanted: tuple[str, ...]) -> tuple[str, ...]:
    """The keys of the first objects of each file, and those of the wanted ones that a later object has."""
    found: dict[str, None] = {}
    unseen = []
    for file in files:
        opened = JsonFile(file)
        keys, whole = opened.keys()
        found.update(dict.fromkeys(keys))
        unseen += [] if whole else [opened]
    for opened in unseen:
        late = opened.late_keys(name for name in wanted if name not in found)
        found.update(dict.fromkeys(name for name in wanted if name in late))
    if not found:
        raise InputError(f"{files[0]}: the file holds no rows.")
    return tuple(found)


def _stated_columns(opened: Opened) -> tuple[str, ...]:
    """The columns of the folders that the files have not. Raises ReadError where folders name different ones."""
    names = [tuple(name for name, _ in partitions_of(file)) for file in opened.files]
    for file, found in zip(opened.files, names, strict=True):
        if sorted(found) != sorted(names[0]):
            raise ReadError(f"{file}: its folders state {list(found)}, those of {opened.files[0]} {list(names[0])}")
    return tuple(name for name in names[0] if name not in opened.own)


def content_identity(path: str | tuple[str, ...], cache: Path | None = None) -> list[Any]:
    """What files hold and how they are read: a hash of each, its format, and what its folders state."""
    return [[file_digest(file, cache), kind_of(file), partitions_of(file)] for file in find_files(path)]
