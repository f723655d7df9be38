"""What the cells say together: a mean per line, slice and metric, with its two 95 % intervals.

A line is what a table shows as one: a model with a feature set (or a baseline, or the oracle) for one
target and one horizon; its cells differ in fold and seed alone. Means are over queries, then over seeds.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from lab.core.errors import FaultError, InputError
from lab.experiment.cell_record import KINDS, STATUSES, CellRecord, Kind, line_name, line_of
from lab.results.stale import refuse_mixed
from lab.results.store import USERS, Store, days
from lab.statistics.intervals import Interval, over_seeds, over_users_each

SPLIT = "test"


@dataclass(frozen=True)
class Line:
    """Cells that differ in fold and seed alone."""

    kind: Kind
    model: str
    features: str
    variant: str
    target: str
    horizon: float
    """Days."""
    cells: tuple[CellRecord, ...]

    @property
    def done(self) -> tuple[CellRecord, ...]:
        return tuple(cell for cell in self.cells if cell.status == "done")

    @property
    def complete(self) -> bool:
        return len(self.done) == len(self.cells)

    @property
    def name(self) -> str:
        """What the line is called: `lstm · full`, `last category`."""
        return line_name(self.model, self.features, self.variant, self.stale)

    @property
    def stale(self) -> tuple[str, ...]:
        """What differs from what is asked for; such a line is shown, and compared with none."""
        return self.cells[0].stale

    @property
    def counts(self) -> dict[str, int]:
        """How many cells ended how."""
        counted = Counter(cell.status for cell in self.cells)
        return {status: counted[status] for status in STATUSES}


@dataclass(frozen=True)
class Estimate:
    """One number of a line."""

    slice: str
    metric: str
    mean: float
    users: Interval | None
    """Over users; None for a metric of whole cells and below two users."""
    seeds: Interval | None
    """Over seeds; None below two."""
    queries: int
    """Queries that have the metric, in all folds; 0 for a metric of whole cells."""
    user_count: int


@dataclass(frozen=True)
class Summary:
    """The lines of an experiment, in the order of its plan, each with its estimates (none when no cell is done)."""

    lines: tuple[tuple[Line, tuple[Estimate, ...]], ...]

    def estimate(self, line: Line, slice: str, metric: str) -> Estimate | None:
        estimates = next(found for one, found in self.lines if one is line)
        return next((e for e in estimates if (e.slice, e.metric) == (slice, metric)), None)


def summarise(store: Store, planned: Iterable[CellRecord] | None = None, split: str = SPLIT) -> Summary:
    """Read the planned cells (or all that are stored) and estimate every metric of the split.

    Raises InputError where two cells claim one place, or where stale and fresh ones are not told apart, rather than
    averaging over them.
    """
    found = lines(store.records() if planned is None else store.plan(planned))
    refuse_mixed([line.cells for line in found])
    return Summary(tuple((line, tuple(_estimates(store, line, split))) for line in found))


def lines(records: Iterable[CellRecord]) -> list[Line]:
    """Group records into lines: targets, then horizons, then kinds, then lines as they first appear, stale ones below
    those in whose place they stand."""
    groups: dict[tuple, dict[tuple[str, ...], list[CellRecord]]] = {}
    for one in records:
        groups.setdefault(line_of(one), {}).setdefault(one.stale, []).append(one)
    found = [Line(*key, cells=tuple(group[s])) for key, group in groups.items() for s in sorted(group)]
    for line in found:
        _refuse_duplicates(line)
    targets = list(dict.fromkeys(line.target for line in found))
    return sorted(found, key=lambda line: (targets.index(line.target), line.horizon, KINDS.index(line.kind)))


def _refuse_duplicates(line: Line) -> None:
    seen: dict[tuple, str] = {}
    for cell in line.cells:
        place = (cell.fold, cell.seed)
        if place in seen:
            raise InputError(
                f"cells {seen[place]} and {cell.id} both claim {line.name}, horizon {days(line.horizon)}, fold "
                f"{cell.fold}, seed {cell.seed}: they are of two different settings; give each a folder with --out."
            )
        seen[place] = cell.id


def _estimates(store: Store, line: Line, split: str) -> Iterator[Estimate]:
    if not line.done:
        return
    queries = _Queries.of(line, answered(store, line))
    asked = ((m.slice, m.metric) for cell in line.done for m in cell.metrics if m.split == split)
    names = list(dict.fromkeys(pair for pair in asked if pair[1] != "queries"))
    of_queries = queries.estimates([pair for pair in names if pair[1] in queries.metrics])
    yield from (of_queries[pair] if pair in of_queries else _of_cells(line, split, *pair) for pair in names)


_KEYS = ("user", "cutoff", "slice")
_ABOUT = (*_KEYS, "history")
"""Columns that say which query a row is of; the others are metrics."""


def answered(store: Store, line: Line) -> dict[str, dict[str, np.ndarray]]:
    """The metrics per query of each done cell, by its id; empty where no cell of the line keeps any.

    Raises FaultError where the cells of a fold answer different queries, and where some keep theirs and one lost them.
    """
    tables = {cell.id: store.users(cell.id) for cell in line.done if store.has(cell.id, USERS)}
    for cell in line.done if tables else ():
        other = next((one.id for one in line.done if one.fold == cell.fold and one.id in tables), cell.id)
        if cell.id not in tables:
            raise FaultError(
                f"cell {cell.id} of the row {line.name} has no {USERS}, which {next(iter(tables))} has; "
                "delete its folder and run again."
            )
        if any(not np.array_equal(tables[cell.id][key], tables[other][key]) for key in _KEYS):
            raise FaultError(
                f"cells {other} and {cell.id} of the row {line.name} answer different queries; they cannot be "
                "averaged. Delete the older one and run again."
            )
    return tables


def _of_cells(line: Line, split: str, slice_name: str, metric: str) -> Estimate:
    """The estimate of a number that only a whole cell has."""
    by_seed: dict[int | None, list[float]] = {}
    for cell in line.done:
        by_seed.setdefault(cell.seed, []).append(cell.value(split, slice_name, metric))
    means = np.array([np.mean(values) for values in by_seed.values()])
    seeds = over_seeds(means) if np.isfinite(means).all() else None
    return Estimate(slice_name, metric, float(np.mean(means)), None, seeds, 0, 0)


@dataclass(frozen=True)
class _Queries:
    """A line's metrics per query, the folds end to end, one row of values per seed (NaN where it has no cell)."""

    user: np.ndarray
    """int[Q]."""
    slice: np.ndarray
    """str objects [Q]."""
    metrics: Mapping[str, np.ndarray]
    """float64[S, Q] each."""

    @classmethod
    def of(cls, line: Line, tables: Mapping[str, Mapping[str, np.ndarray]]) -> "_Queries":
        cells = [cell for cell in line.done if cell.id in tables]
        seeds = list(dict.fromkeys(cell.seed for cell in cells))
        folds = [_fold(cells, tables, fold, seeds) for fold in sorted({cell.fold for cell in cells})]
        if not folds:
            return cls(np.empty(0, int), np.empty(0, object), {})
        names = [name for name in folds[0].metrics if all(name in fold.metrics for fold in folds)]
        return cls(
            np.concatenate([fold.user for fold in folds]),
            np.concatenate([fold.slice for fold in folds]),
            {name: np.concatenate([fold.metrics[name] for fold in folds], axis=1) for name in names},
        )

    def estimates(self, names: Sequence[tuple[str, str]]) -> dict[tuple[str, str], Estimate]:
        """The estimates of (slice, metric) pairs, users being drawn once for all of them."""
        samples = [self._sample(*pair) for pair in names]
        # One stream for every line: what differs between two lines is the lines, not the draws.
        intervals = over_users_each(samples, np.random.default_rng(0))
        return {
            pair: _estimate(*pair, *sample, users)
            for pair, sample, users in zip(names, samples, intervals, strict=True)
        }

    def _sample(self, slice_name: str, metric: str) -> tuple[np.ndarray, np.ndarray]:
        here = self.slice == slice_name
        return self.metrics[metric][:, here], self.user[here]


def _estimate(slice_name: str, metric: str, values: np.ndarray, user: np.ndarray, users: Interval | None) -> Estimate:
    """The estimate from values float64[S, Q], and its interval over users."""
    known = ~np.isnan(values)
    counts = known.any(axis=0)
    # A seed whose cell of some fold is not done would be a mean over other queries than the rest.
    whole = known[:, counts].all(axis=1)
    means = values[whole][:, counts].mean(axis=1) if counts.any() else np.empty(0)
    mean = float(values[known].mean()) if counts.any() else float("nan")
    return Estimate(slice_name, metric, mean, users, over_seeds(means), int(counts.sum()), len(np.unique(user[counts])))


def _fold(cells: list[CellRecord], tables: Mapping, fold: int, seeds: list[int | None]) -> _Queries:
    """One fold of a line."""
    here = {cell.seed: tables[cell.id] for cell in cells if cell.fold == fold}
    first = next(iter(here.values()))
    absent = np.full(len(first["user"]), np.nan)
    names = [name for name in first if name not in _ABOUT and all(name in table for table in here.values())]
    values = {
        name: np.stack([here[seed][name] if seed in here else absent for seed in seeds]).astype(np.float64)
        for name in names
    }
    return _Queries(first["user"], first["slice"].astype(object), values)
