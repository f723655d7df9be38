"""What the cells say together: a mean per line, slice and metric, with its two 95 % intervals.

A line is what a table shows as one: a model with a feature set (or a baseline, or the oracle) for one
target and one horizon; its cells differ in fold and seed alone. Means are over queries, then over seeds.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from lab.core.errors import FaultError
from lab.evaluation.measures import QUERIES, Measures
from lab.experiment.cell_record import CellRecord
from lab.results.cell_files import DRAWS
from lab.results.line import Line, group_lines
from lab.results.query_tables import NOT_METRICS, query_tables
from lab.results.stale_cells import refuse_mixed
from lab.results.store import Store
from lab.statistics.intervals import Interval, over_seeds, over_users

SPLIT = "test"


@dataclass(frozen=True)
class Estimate:
    """One number of a line."""

    slice: str
    metric: str
    mean: float
    users: Interval | None
    """Over users; None below two users, and for a metric of whole cells that was not computed with users resampled."""
    seeds: Interval | None
    """Over seeds; None below two."""
    queries: int
    """Queries that have the metric, in all folds; 0 for a metric of whole cells without an interval over users."""
    user_count: int


@dataclass(frozen=True)
class Summary:
    """The lines of an experiment, in the order of its plan, each with its estimates (none when no cell is done)."""

    lines: tuple[tuple[Line, tuple[Estimate, ...]], ...]
    measures: Mapping[str, Measures]
    """How each target judges."""

    @property
    def targets(self) -> list[str]:
        """In the order of the lines."""
        return list(dict.fromkeys(line.target for line, _ in self.lines))

    def of_target(self, target: str) -> "Summary":
        """The lines of one target."""
        return Summary(tuple(pair for pair in self.lines if pair[0].target == target), self.measures)

    @property
    def judged_by(self) -> Measures:
        """How its one target judges."""
        (target,) = self.targets
        return self.measures[target]

    def estimate(self, line: Line, slice: str, metric: str) -> Estimate | None:
        estimates = next(found for one, found in self.lines if one is line)
        return next((e for e in estimates if (e.slice, e.metric) == (slice, metric)), None)


def summarise(
    store: Store,
    planned: Iterable[CellRecord] | None = None,
    split: str = SPLIT,
    measures: Mapping[str, Measures] | None = None,
) -> Summary:
    """Read the planned cells (or all that are stored) and estimate every metric of the split.

    `measures` are those of targets of which no cell says how it was judged. Raises InputError where two cells claim
    one place, or where stale and fresh ones are not told apart, rather than averaging over them.
    """
    found = group_lines(store.records() if planned is None else store.plan(planned))
    refuse_mixed([line.cells for line in found])
    known = {
        **(measures or {}),
        **{line.target: cell.measures for line in found for cell in line.cells if cell.measures},
    }
    for line in found:
        if line.target not in known:
            raise FaultError(
                f"{store.root}: its cells do not say how target {line.target} judges, as those of an older version; "
                "run the experiment again."
            )
    return Summary(tuple((line, tuple(_estimates(store, line, split))) for line in found), known)


def _estimates(store: Store, line: Line, split: str) -> Iterator[Estimate]:
    if not line.done:
        return
    queries = _Queries.of(line, query_tables(store, line))
    asked = ((m.slice, m.metric) for cell in line.done for m in cell.metrics if m.split == split)
    names = list(dict.fromkeys(pair for pair in asked if pair[1] != QUERIES))
    of_queries = queries.estimates([pair for pair in names if pair[1] in queries.metrics])
    draws = Draws.of(store, line)
    for pair in names:
        if pair in of_queries:
            yield of_queries[pair]
        else:
            yield _of_cells(line, split, *pair, draws.interval(*pair), draws.users)


def _of_cells(
    line: Line, split: str, slice_name: str, metric: str, users: Interval | None, user_count: int
) -> Estimate:
    """The estimate of a number that only a whole cell has."""
    by_seed = values_by_seed(line, split, slice_name, metric)
    means = np.array([np.mean(values) for values in by_seed.values()])
    seeds = over_seeds(means) if np.isfinite(means).all() else None
    asked = values_by_seed(line, split, slice_name, QUERIES)
    queries = int(sum(next(iter(asked.values())))) if users else 0
    return Estimate(slice_name, metric, float(np.mean(means)), users, seeds, queries, user_count if users else 0)


def values_by_seed(line: Line, split: str, slice_name: str, metric: str) -> dict[int | None, list[float]]:
    """A number of each done cell, fold by fold, by seed."""
    by_seed: dict[int | None, list[float]] = {}
    for cell in line.done:
        by_seed.setdefault(cell.seed, []).append(cell.value(split, slice_name, metric))
    return by_seed


@dataclass(frozen=True)
class Draws:
    """A line's metrics of whole cells with the users resampled, averaged over its cells."""

    values: Mapping[str, np.ndarray]
    """`slice/metric` -> float64[draws]; none where some cell kept none."""
    users: int
    """Users behind them."""

    @classmethod
    def of(cls, store: Store, line: Line) -> "Draws":
        kept = [store.draws(cell.id) for cell in line.done if store.has(cell.id, DRAWS)]
        if not kept or len(kept) < len(line.done):
            return cls({}, 0)
        names = [name for name in kept[0] if all(name in one for one in kept)]
        asked = [(cell.fold, store.users(cell.id)["user"]) for cell in line.done]
        users = len(np.unique(np.concatenate(list(dict(asked).values()))))
        # Folds that ask fewer users have more draws; the first of them are as good as any.
        several = {name: min(len(one[name]) for one in kept) for name in names}
        return cls({name: np.mean([one[name][:n] for one in kept], axis=0) for name, n in several.items()}, users)

    def interval(self, slice_name: str, metric: str) -> Interval | None:
        """Its 95 % interval over users, percentiles of the draws; None where there are no draws, or one user alone."""
        drawn = self.values.get(f"{slice_name}/{metric}")
        return None if drawn is None or self.users < 2 else percentiles(drawn)


def percentiles(drawn: np.ndarray) -> Interval | None:
    """The middle 95 % of draws; those in which the metric has no value (NaN) are left out, None where all have none."""
    known = drawn[np.isfinite(drawn)]
    if not len(known):
        return None
    low, high = np.quantile(known, [0.025, 0.975])
    return Interval(float(known.mean()), float(low), float(high))


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
        """The estimates of (slice, metric) pairs."""
        return {pair: _estimate(*pair, *self._sample(*pair)) for pair in names}

    def _sample(self, slice_name: str, metric: str) -> tuple[np.ndarray, np.ndarray]:
        here = self.slice == slice_name
        return self.metrics[metric][:, here], self.user[here]


def _estimate(slice_name: str, metric: str, values: np.ndarray, user: np.ndarray) -> Estimate:
    """The estimate from values float64[S, Q], and its interval over users."""
    known = ~np.isnan(values)
    counts = known.any(axis=0)
    # A seed whose cell of some fold is not done would be a mean over other queries than the rest.
    whole = known[:, counts].all(axis=1)
    means = values[whole][:, counts].mean(axis=1) if counts.any() else np.empty(0)
    mean = float(values[known].mean()) if counts.any() else float("nan")
    users = over_users(values, user)
    return Estimate(slice_name, metric, mean, users, over_seeds(means), int(counts.sum()), len(np.unique(user[counts])))


def _fold(cells: list[CellRecord], tables: Mapping, fold: int, seeds: list[int | None]) -> _Queries:
    """One fold of a line."""
    here = {cell.seed: tables[cell.id] for cell in cells if cell.fold == fold}
    first = next(iter(here.values()))
    absent = np.full(len(first["user"]), np.nan)
    names = [name for name in first if name not in NOT_METRICS and all(name in table for table in here.values())]
    values = {
        name: np.stack([here[seed][name] if seed in here else absent for seed in seeds]).astype(np.float64)
        for name in names
    }
    return _Queries(first["user"], first["slice"].astype(object), values)
