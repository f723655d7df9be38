"""The results folder of one experiment: the truth that tables, figures and mirrors are made from.

results/<experiment>/cells/<cell id>/cell.json       the record; written last, so that its being there
                                     curve.csv       says the rest is whole
                                     users.parquet   metrics per query: user row, cutoff, slice, history, metrics
                                     draws.parquet   metrics of the whole cell with users resampled, where it has any
                                     <name>.csv      what else its target keeps, such as reliability
                                     checkpoint      its parameters
                                     unfinished.<n>  two of a cell in training, after n dispatches each
results/<experiment>/cells.csv                       one line per cell, split, slice and metric
results/<experiment>/tables.json                     its digest
"""

import io
import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import xxhash

from lab.core.errors import FaultError
from lab.core.files import canonical_json, make_folder, write_error, write_whole
from lab.core.sealed import DIGEST, is_intact, read_json, seal
from lab.evaluation.judge import CellEvaluation
from lab.evaluation.measures import MetricSpec
from lab.experiment.cell_record import CellRecord, from_json, sort_records, to_json
from lab.results.cell_files import (
    CHECKPOINT,
    CURVE,
    DRAWS,
    RECORD,
    UNFINISHED,
    USERS,
    Columns,
    csv_table,
    evaluation_files,
)
from lab.results.cells_table import CELLS_COLUMNS, columns_of, csv_bytes, record_rows
from lab.results.checkpoint_files import CheckpointFiles
from lab.results.results_folder import ResultsFolder
from lab.results.table_files import CELLS, write_table_files

VERSION = 2
"""Of the records; raised whenever a reader of the last version could misread one."""


class DamageError(FaultError):
    """A file of a cell is not the one that was kept, so that the cell has to be computed again."""


class Store(ResultsFolder):
    """The cells of one experiment on disk.

    Every write is whole or not at all; a failing one raises FaultError and leaves what is finished.
    """

    def folder(self, cell: str) -> Path:
        """Where a cell lies. Raises ValueError for an id that could not name a folder everywhere."""
        if not re.fullmatch(r"[A-Za-z0-9_=+@-][A-Za-z0-9._=+@-]{0,199}", cell):
            raise ValueError(f"cell id {cell!r}: use up to 200 letters, digits and ._=+@- in it, no dot first")
        return self.root / "cells" / cell

    def write(
        self,
        record: CellRecord,
        *,
        curve: Columns | None = None,
        judged: CellEvaluation | None = None,
        checkpoint: bytes | None = None,
    ) -> None:
        """Keep a cell, in place of what was there under its id. Raises FaultError for a metric that cannot be.

        `curve` has a column per quantity and a row per measured step; users are row numbers in what was `judged`,
        never raw ids.
        """
        if wrong := _impossible(record):
            raise FaultError(f"{record.id}: {wrong}; what judged it is wrong.")
        files = {} if curve is None else {CURVE: csv_table(curve)}
        files |= {} if judged is None else dict(evaluation_files(judged))
        files |= {} if checkpoint is None else {CHECKPOINT: checkpoint}
        folder = self.folder(record.id)
        self._clear(folder)
        for name, content in files.items():
            write_whole(folder / name, content)
        if record.status != "failed":
            # Before the record, so that no finished cell has any; one that failed goes on from there another time.
            self.checkpoints(record.id).clear()
        digests = {name: xxhash.xxh3_128_hexdigest(content) for name, content in files.items()}
        sizes = {name: len(content) for name, content in files.items()}
        content = {"version": VERSION} | to_json(record) | {"files": digests, "bytes": sizes}
        # As it is read again, where no integer is a float and nothing has two orders.
        write_whole(folder / RECORD, canonical_json(seal(json.loads(canonical_json(content)))))

    def is_finished(self, cell: str) -> bool:
        """Whether the cell need not be computed again: it is there, and it is done or diverged."""
        return (self.folder(cell) / RECORD).exists() and self.read(cell).status in ("done", "diverged")

    def checkpoints(self, cell: str) -> CheckpointFiles:
        """What is kept of a cell in the middle of its training, numbered by dispatches."""
        return CheckpointFiles(self.folder(cell), UNFINISHED)

    def cells_in_training(self) -> list[str]:
        """The cells of which something is kept in the middle of their training."""
        return sorted({path.parent.name for path in (self.root / "cells").glob(f"*/{UNFINISHED}.*")})

    def stamp(self, cell: str) -> tuple[int, int] | None:
        """What changes whenever a cell's record is written; None while there is none."""
        try:
            found = (self.folder(cell) / RECORD).stat()
        except FileNotFoundError:
            return None
        return found.st_ino, found.st_mtime_ns

    def read(self, cell: str) -> CellRecord:
        """A cell's record. Raises FaultError where it is absent or damaged."""
        try:
            record = from_json(self._content(cell))
        except (KeyError, TypeError, ValueError) as error:
            raise self._damaged(cell, RECORD) from error
        if record.id != cell or _impossible(record):
            raise self._damaged(cell, RECORD)
        return record

    def records(self) -> Iterator[CellRecord]:
        """Every cell on disk, in an order that depends on the cells alone."""
        yield from sort_records(self.read(cell) for cell in self.cell_ids())

    def readable(self) -> list[CellRecord]:
        """The same, but for those whose record is damaged: what they were of, nobody knows."""
        found = []
        for cell in self.cell_ids():
            try:
                found.append(self.read(cell))
            except DamageError:
                continue
        return sort_records(found)

    def outdated(self) -> list[str]:
        """The cells whose records are of another version of the lab, which nothing reads."""
        return [cell for cell in self.cell_ids() if self._is_outdated(cell)]

    def cell_ids(self) -> list[str]:
        """The ids of every cell on disk."""
        return sorted(path.parent.name for path in (self.root / "cells").glob(f"*/{RECORD}"))

    def plan(self, planned: Iterable[CellRecord]) -> list[CellRecord]:
        """What is planned, in its order, each as it is on disk or else as it was given (missing, failed)."""
        there = ((one, (self.folder(one.id) / RECORD).exists()) for one in planned)
        return [replace(self.read(one.id), stale=one.stale) if kept else one for one, kept in there]

    def curve(self, cell: str) -> dict[str, np.ndarray]:
        """A cell's learning curve by column."""
        import polars as pl

        frame = pl.read_csv(io.BytesIO(self.file(cell, CURVE)), infer_schema_length=None)
        frame = frame.with_columns(pl.col(pl.String).cast(pl.Float64))  # a column of nothing but blanks
        return {name: frame[name].to_numpy() for name in frame.columns}

    def users(self, cell: str) -> dict[str, np.ndarray]:
        """A cell's metrics per query by column."""
        import polars as pl

        frame = pl.read_parquet(io.BytesIO(self.file(cell, USERS)))
        return {name: frame[name].to_numpy() for name in frame.columns}

    def draws(self, cell: str) -> dict[str, np.ndarray]:
        """A cell's metrics of the whole with users resampled, by `slice/metric`."""
        import polars as pl

        frame = pl.read_parquet(io.BytesIO(self.file(cell, DRAWS)))
        return {name: frame[name].to_numpy() for name in frame.columns}

    def table(self, cell: str, name: str) -> dict[str, np.ndarray]:
        """A table that the cell's target keeps beside its numbers, such as `reliability`, by column."""
        import polars as pl

        frame = pl.read_csv(io.BytesIO(self.file(cell, f"{name}.csv")), infer_schema_length=None)
        return {name: frame[name].to_numpy() for name in frame.columns}

    def checkpoint(self, cell: str) -> bytes:
        """A cell's parameters, as they were given."""
        return self.file(cell, CHECKPOINT)

    def file(self, cell: str, name: str) -> bytes:
        """One file of a cell, whole. Raises DamageError where it is not the one that was kept."""
        digest = self._content(cell)["files"].get(name)
        if digest is None:
            raise FaultError(f"{self.folder(cell)}: the cell was kept without {name}.")
        path = self.folder(cell) / name
        try:
            content = path.read_bytes()
        except FileNotFoundError as error:
            raise self._damaged(cell, name) from error
        except OSError as error:
            raise _unreadable(path, error) from error
        if xxhash.xxh3_128_hexdigest(content) != digest:
            raise self._damaged(cell, name)
        return content

    def digests(self, cell: str) -> dict[str, str]:
        """The hash of each file that is kept for a cell, by its name."""
        return dict(self._content(cell)["files"])

    def sizes(self, cell: str) -> dict[str, int]:
        """The bytes of each file that is kept for a cell."""
        return dict(self._content(cell)["bytes"])

    def has(self, cell: str, name: str) -> bool:
        """Whether a file of that name (CURVE, USERS, DRAWS, CHECKPOINT, a table's) is kept for the cell; none is for a
        cell that is not here."""
        return (self.folder(cell) / RECORD).exists() and name in self._content(cell)["files"]

    def write_cells_table(self, planned: Iterable[CellRecord] | None = None, flag: str = "--out") -> None:
        """Rebuild cells.csv from what is on disk: the planned cells in their order, or else all there are.

        `flag` is what names another folder on the command line.
        """
        records = self.records() if planned is None else self.plan(planned)
        records = list(records)
        columns = columns_of(records, CELLS_COLUMNS, after="status")
        rows = ([row[name] for name in columns] for record in records for row in record_rows(record))
        write_table_files(self.root, {CELLS: csv_bytes(columns, rows)}, flag)

    def _clear(self, folder: Path) -> None:
        """Remove what an earlier writer left, its record first: a cell without one is no cell."""
        try:
            make_folder(folder)
            (folder / RECORD).unlink(missing_ok=True)
            for path in folder.iterdir():
                if path.name in (USERS, DRAWS, CHECKPOINT) or path.suffix in (".csv", ".partial"):
                    path.unlink()
        except OSError as error:
            raise write_error(folder, error) from error

    def _content(self, cell: str) -> dict[str, Any]:
        path = self.folder(cell) / RECORD
        try:
            content = read_json(path.read_bytes())
        except (ValueError, RecursionError) as error:
            raise self._damaged(cell, RECORD) from error
        except OSError as error:
            raise _unreadable(path, error) from error
        if not isinstance(content, dict) or not is_intact(content) or content.get("version") != VERSION:
            raise self._damaged(cell, RECORD)
        return content

    def _is_outdated(self, cell: str) -> bool:
        """Whether a record says that it is of another version, or as those of the first, which had no digest."""
        try:
            content = read_json((self.folder(cell) / RECORD).read_bytes())
        except (OSError, ValueError):
            return False
        of_first = isinstance(content, dict) and "files" in content and not {"version", DIGEST} & set(content)
        return of_first or (isinstance(content, dict) and is_intact(content) and content.get("version") != VERSION)

    def _damaged(self, cell: str, name: str) -> DamageError:
        folder = self.folder(cell)
        return DamageError(
            f"{folder / name}: is missing, damaged or was changed; delete {folder} and run again to recompute it."
        )


def _impossible(record: CellRecord) -> str:
    """What is wrong with the first metric that cannot be, by what its target declares; empty where all can."""
    wrong = record.measures.impossible(record.metrics) if record.measures else None
    if record.measures is None or wrong is None:
        return ""
    return f"{' '.join(wrong[:3])} is {wrong.value:g}, and can only be {_range(record.measures.metric(wrong.metric))}"


def _range(spec: MetricSpec) -> str:
    ends = (("at least", spec.low), ("at most", spec.high))
    return " and ".join(f"{words} {end:g}" for words, end in ends if end is not None)


def _unreadable(path: Path, error: OSError) -> FaultError:
    """A file that may well be whole."""
    return FaultError(f"{path}: cannot be read ({error.strerror}).")
