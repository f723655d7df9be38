"""A log in memory: flat numpy columns of codes, still in the source's order or sorted into histories."""

from dataclasses import dataclass, replace

import numpy as np
import polars as pl

from lab.core.errors import FaultError, InputError
from lab.data.schema import Behaviour
from lab.data.sources.base import Scan
from lab.data.timeline import DAY

MISSING_TIME = np.iinfo(np.int64).min

_RESOLUTIONS = (DAY, DAY // 24, DAY // 1440, 1_000_000, 1_000, 1)


@dataclass(frozen=True)
class Log:
    """N events as columns of N values.

    user, item, category, text: int32 codes into `names`, -1 where missing; time: int64 microseconds,
    MISSING_TIME where missing; behaviour: int8; price, quantity: float32, NaN where missing; row: uint32;
    identity: uint64; fault: uint8; missed0, missed1, ...: int32 codes of the keys that a second table does not have, -1
    where it has them. Columns that the source lacks are absent.
    """

    columns: dict[str, np.ndarray]
    names: dict[str, np.ndarray]
    """str objects by code, of user, item, category, text: in order, so that codes sort as names do."""
    behaviours: tuple[Behaviour, ...]

    def __len__(self) -> int:
        return len(self.columns["time"])

    def __getitem__(self, column: str) -> np.ndarray:
        return self.columns[column]

    def __contains__(self, column: str) -> bool:
        return column in self.columns

    def keep(self, mask: np.ndarray) -> "Log":
        """The events where the mask is true."""
        if mask.all():
            return self
        return replace(self, columns={name: column[mask] for name, column in self.columns.items()})

    def with_column(self, name: str, column: np.ndarray) -> "Log":
        return replace(self, columns={**self.columns, name: column})

    def without(self, *names: str) -> "Log":
        return replace(self, columns={name: column for name, column in self.columns.items() if name not in names})

    def sorted(self) -> "Log":
        """By user, then time, then the source's row (the order that rows are in before)."""
        order = history_order(self["user"], self["time"])
        return replace(self, columns={name: column[order] for name, column in self.columns.items()})


def read_log(scan: Scan) -> Log:
    """Collect a scan, encoding ids as they stream past. Raises InputError for what cannot be read."""
    schema = scan.frame.collect_schema()
    ids = [name for name in schema if name in ("user", "item", "category", "text") or name.startswith("missed")]
    coded = {name: pl.Categorical(pl.Categories.random()) for name in ids}
    casts = [_text(name, schema).cast(dtype) for name, dtype in coded.items()]
    if "behaviour" in schema:
        names = [behaviour.name for behaviour in scan.behaviours]
        casts.append(_text("behaviour", schema).cast(pl.Enum(names)))
    try:
        frame = scan.frame.with_columns(casts).collect(engine="streaming")
    except (pl.exceptions.PolarsError, OSError, InputError) as error:
        raise (scan.explain(error) if scan.explain else error) from None
    _check_count(scan, len(frame))
    columns: dict[str, np.ndarray] = {}
    names_of: dict[str, np.ndarray] = {}
    for name in frame.columns:
        series = frame.drop_in_place(name)
        if name in coded:
            columns[name], names_of[name] = _ranked(series, numeric=schema[name].is_integer())
        else:
            columns[name] = _plain(name, series)
    if "behaviour" not in columns:
        columns["behaviour"] = np.zeros(len(columns["time"]), np.int8)
    if not (np.diff(columns["row"].astype(np.int64)) > 0).all():
        order = np.argsort(columns["row"], kind="stable")
        columns = {name: column[order] for name, column in columns.items()}
    return Log(columns, names_of, scan.behaviours)


def _check_count(scan: Scan, rows: int) -> None:
    """Raise FaultError unless there are as many rows as the files hold."""
    held = scan.records() if scan.records is not None else None
    if held is not None and held.rows != rows:
        place = scan.files[0] if scan.files else "the source"
        raise FaultError(f"{place}: {held.rows:,} rows are in the files, but {rows:,} were read; report this as a bug.")


def _text(name: str, schema: pl.Schema) -> pl.Expr:
    return pl.col(name) if schema[name] == pl.String else pl.col(name).cast(pl.String)


def _ranked(series: pl.Series, numeric: bool) -> tuple[np.ndarray, np.ndarray]:
    """Codes in the order of the names (as numbers when the source gave numbers), and the names."""
    distinct = series.unique().drop_nulls()
    physical = distinct.to_physical().to_numpy()
    text = distinct.cast(pl.String)
    order = (text.cast(pl.Int64) if numeric else text).arg_sort().to_numpy()
    rank = np.full(int(physical.max(initial=0)) + 2, -1, np.int32)
    rank[physical[order]] = np.arange(len(order), dtype=np.int32)
    absent = len(rank) - 1
    codes = rank[series.to_physical().fill_null(absent).to_numpy()]
    return codes, text.gather(order).to_numpy()


def _plain(name: str, series: pl.Series) -> np.ndarray:
    if name == "time":
        return series.cast(pl.Int64).fill_null(MISSING_TIME).to_numpy()
    if name in ("price", "quantity"):
        return series.cast(pl.Float32).fill_null(float("nan")).to_numpy()
    if name == "behaviour":
        return series.to_physical().cast(pl.Int8).fill_null(-1).to_numpy()
    return series.to_numpy()


def resolution(time: np.ndarray) -> int:
    """The coarsest of day, hour, minute, second, ms, us (in microseconds) that every time is a multiple of."""
    head = time[:1000]
    return next(unit for unit in _RESOLUTIONS if not (head % unit).any() and not (time % unit).any())


def history_order(user: np.ndarray, time: np.ndarray) -> np.ndarray:
    """The stable permutation that sorts by (user, time)."""
    if not len(time):
        return np.zeros(0, np.int64)
    first, step = int(time.min()), resolution(time)
    span = (int(time.max()) - first) // step + 1
    users = int(user.max()) + 1
    ticks = (time - first) // step
    if users * span * len(time) < 2**63:
        return _stable(user.astype(np.int64) * span + ticks, users * span)
    by_time = _stable(ticks, span)
    return by_time[_stable(user[by_time], users)]


def _stable(key: np.ndarray, extent: int) -> np.ndarray:
    """Stable argsort of non-negative keys below `extent`: packed with their places into one word where they fit.

    Sorting plain words in parallel is several times faster than any indirect sort.
    """
    count = len(key)
    if extent * count >= 2**63:
        return np.argsort(key, kind="stable")
    packed = key.astype(np.int64) * count
    packed += np.arange(count, dtype=np.int64)
    ordered = pl.Series(packed).sort().to_numpy()
    return ordered % count
