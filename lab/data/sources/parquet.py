"""Parquet files as one lazy frame, also where the parts of a log differ in the types of their columns."""

from collections.abc import Sequence
from pathlib import Path

import polars as pl

from lab.data.sources.damage import ReadError, first_line
from lab.data.sources.mapping import identifier
from lab.data.sources.paths import partitions_of
from lab.data.sources.reserved_names import FILE, ROW

UNTIL = 10_000
"""Rows whose bytes are looked at to tell whether they are text."""


class ParquetFiles:
    """The parts of a log, all of which have the same columns."""

    def __init__(self, files: Sequence[Path]) -> None:
        """Raises ReadError for a file that is no Parquet, or whose columns are not those of the first."""
        self._files = files
        self._schemas = [_schema(file) for file in files]
        for file, schema in zip(files, self._schemas, strict=True):
            if set(schema) != set(self._schemas[0]):
                said = f"{file}: its columns ({', '.join(schema)}) are not those of {files[0].name}"
                raise ReadError(f"{said} ({', '.join(self._schemas[0])})")

    @property
    def columns(self) -> tuple[str, ...]:
        return tuple(self._schemas[0])

    def rows(self) -> int:
        """How many there are, as the files' footers say."""
        counts = [pl.scan_parquet(file, glob=False).select(pl.len()).collect().item() for file in self._files]
        return sum(counts)

    def frame(self) -> pl.LazyFrame:
        """All columns, with the reader's own. Raises ReadError for types that cannot be brought together."""
        alike = all(schema == self._schemas[0] for schema in self._schemas)
        if alike and not partitions_of(self._files[0]):
            frame = pl.scan_parquet(list(self._files), glob=False, row_index_name=ROW, include_file_paths=FILE)
            return frame.with_columns(self._texts(self._schemas[0]))
        common = {name: self._common(name) for name in self._schemas[0]}
        parts = [self._part(file, schema, common) for file, schema in zip(self._files, self._schemas, strict=True)]
        return pl.concat(parts).with_row_index(ROW)

    def _part(self, file: Path, schema: pl.Schema, common: dict[str, pl.DataType]) -> pl.LazyFrame:
        frame = pl.scan_parquet(file, glob=False, hive_partitioning=False).with_columns(self._texts(schema))
        stated = [pl.lit(value, pl.String).alias(name) for name, value in partitions_of(file) if name not in schema]
        columns = [_as(name, schema[name], dtype) for name, dtype in common.items()]
        return frame.select(*columns, *stated, pl.lit(str(file)).alias(FILE))

    def _texts(self, schema: pl.Schema) -> list[pl.Expr]:
        """Columns of bytes as text, as Hive and Impala mean them, or as hexadecimal digits where they are none."""
        return [self._text(name) for name, dtype in schema.items() if dtype == pl.Binary]

    def _text(self, name: str) -> pl.Expr:
        for file, schema in zip(self._files, self._schemas, strict=True):
            if schema[name] == pl.Binary and not _is_text(file, name):
                return pl.col(name).bin.encode("hex")
        return pl.col(name).cast(pl.String)

    def _common(self, name: str) -> pl.DataType:
        """The type in which the parts' values can all be written."""
        found = list(dict.fromkeys(pl.String() if s[name] == pl.Binary else s[name] for s in self._schemas))
        dtype = _common(found)
        if dtype is None:
            kinds = {schema[name]: file for schema, file in zip(self._schemas, self._files, strict=True)}
            said = ", ".join(f"{dtype} in {file.name}" for dtype, file in list(kinds.items())[:3])
            raise ReadError(f"{self._files[0].parent}: column {name!r} is {said}", "write it alike in all parts")
        return dtype


def _schema(file: Path) -> pl.Schema:
    try:
        return pl.scan_parquet(file, glob=False, hive_partitioning=False).collect_schema()
    except (pl.exceptions.PolarsError, OSError) as error:
        raise ReadError(f"{file}: cannot be read as parquet: {first_line(error)}") from None


def _is_text(file: Path, name: str) -> bool:
    try:
        pl.scan_parquet(file, glob=False).select(pl.col(name).head(UNTIL).cast(pl.String)).collect()
    except pl.exceptions.PolarsError:
        return False
    return True


def _common(found: list[pl.DataType]) -> pl.DataType | None:
    found = [dtype for dtype in found if dtype != pl.Null] or [pl.Null()]
    if len(found) == 1:
        return found[0]
    if all(dtype.is_temporal() and not isinstance(dtype, pl.Duration | pl.Time) for dtype in found):
        zones = {getattr(dtype, "time_zone", None) for dtype in found}
        return None if None in zones and len(zones) > 1 else pl.Datetime("us", "UTC" if zones != {None} else None)
    if any(dtype.is_temporal() or dtype.is_nested() for dtype in found):
        return None
    if all(dtype.is_integer() for dtype in found) and pl.UInt64 not in found:
        return pl.Int64()
    if all(dtype.is_float() for dtype in found):
        return pl.Float64()
    return pl.String()


def _as(name: str, dtype: pl.DataType, wanted: pl.DataType) -> pl.Expr:
    """A column in another type; whole numbers as text have no decimals, so that 12 and 12.0 are one."""
    column = pl.col(name)
    if dtype in (wanted, pl.Binary):
        return column
    if isinstance(wanted, pl.Datetime) and getattr(dtype, "time_zone", None):
        return column.dt.convert_time_zone("UTC").cast(wanted)
    return identifier(column, dtype).alias(name) if wanted == pl.String else column.cast(wanted)
