"""A line's metric query by query, and two lines at the queries both answer."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float, Int

from lab.evaluation.measures import QUERIES
from lab.results.line import Line
from lab.results.query_tables import query_tables
from lab.results.store import Store
from lab.results.summary import SPLIT, Draws, values_by_seed

KEYS: list[str] = ["fold", "user", "cutoff", "slice"]
_KEY = np.dtype([(name, "i8") for name in KEYS])


@dataclass(frozen=True)
class Scores:
    """One metric of a line: a row of values for each seed, a column for each query."""

    line: Line
    seeds: tuple[int | None, ...]
    keys: np.ndarray
    """[Q] records of KEYS, sorted; the slice by its place in `slices`."""
    values: Float[np.ndarray, "S Q"]
    slices: tuple[str, ...]
    """All that the target has."""

    @classmethod
    def of(cls, store: Store, line: Line, metric: str, slices: tuple[str, ...]) -> "Scores":
        """Read a complete line; no query where its cells have none, or where its seeds were run on other folds."""
        tables = query_tables(store, line)
        seeds = sorted({cell.seed for cell in line.done}, key=lambda seed: -1 if seed is None else seed)
        rows = [
            _sorted(
                [(cell.fold, tables[cell.id]) for cell in line.done if cell.seed == seed and cell.id in tables],
                metric,
                slices,
            )
            for seed in seeds
        ]
        keys = rows[0][0] if rows else np.empty(0, _KEY)
        if any(not np.array_equal(keys, other) for other, _ in rows):
            return cls(line, tuple(seeds), keys[:0], np.empty((len(seeds), 0)), slices)
        return cls(line, tuple(seeds), keys, np.stack([values for _, values in rows]), slices)

    def at(self, rows: np.ndarray) -> "Scores":
        """The queries that `rows`, an index or a mask, picks."""
        return replace(self, keys=self.keys[rows], values=self.values[:, rows])


def _sorted(
    tables: list[tuple[int, dict[str, np.ndarray]]], metric: str, slices: tuple[str, ...]
) -> tuple[np.ndarray, np.ndarray]:
    """The keys and values of one seed's cells, folds end to end, in the order of the keys."""
    parts = [_keyed(fold, table, metric, slices) for fold, table in tables if metric in table]
    keys = np.concatenate([key for key, _ in parts] or [np.empty(0, _KEY)])
    values = np.concatenate([value for _, value in parts] or [np.empty(0)])
    order = np.lexsort([keys[name] for name in reversed(KEYS)])
    return keys[order], values[order]


def _keyed(
    fold: int, table: dict[str, np.ndarray], metric: str, slices: tuple[str, ...]
) -> tuple[np.ndarray, np.ndarray]:
    places = np.stack([table["slice"] == name for name in slices])
    kept = places.any(axis=0)
    keys = np.empty(int(kept.sum()), _KEY)
    keys["fold"], keys["slice"] = fold, places.argmax(axis=0)[kept]
    keys["user"], keys["cutoff"] = table["user"][kept], table["cutoff"][kept]
    return keys, np.asarray(table[metric], np.float64)[kept]


@dataclass(frozen=True)
class Pair:
    """Two lines at the queries of one slice that both answer."""

    a: Scores
    b: Scores
    slice: str

    @property
    def difference(self) -> Float[np.ndarray, "Q"]:
        """By how much a's mean over seeds is above b's."""
        return self.a.values.mean(axis=0) - self.b.values.mean(axis=0)

    @property
    def user(self) -> Int[np.ndarray, "Q"]:
        """Whose query it is."""
        return self.a.keys["user"]

    def by_seed(self) -> Float[np.ndarray, "S"]:
        """The difference at each seed both have; a line that draws nothing is the same at every seed."""
        one, other = (dict(zip(line.seeds, line.values.mean(axis=1), strict=True)) for line in (self.a, self.b))
        return np.array(differences_by_seed(one, other))

    def by_fold(self) -> tuple[Float[np.ndarray, "S T"], Float[np.ndarray, "R T"]]:
        """The mean of each line's seeds in each fold."""
        fold = self.a.keys["fold"]
        here = [fold == one for one in np.unique(fold)]
        one, other = (np.stack([line.values[:, at].mean(axis=1) for at in here], axis=1) for line in (self.a, self.b))
        return one, other


def pairs(a: Scores, b: Scores) -> Iterator[Pair]:
    """The pair in each slice where both have a value at some query."""
    if not np.array_equal(a.keys, b.keys):
        _, left, right = np.intersect1d(a.keys, b.keys, assume_unique=True, return_indices=True)
        a, b = a.at(left), b.at(right)
    known = ~np.isnan(a.values).any(axis=0) & ~np.isnan(b.values).any(axis=0)
    for place, name in enumerate(a.slices):
        here = known & (a.keys["slice"] == place)
        if here.any():
            yield Pair(a.at(here), b.at(here), name)


@dataclass(frozen=True)
class WholePair:
    """Two lines by a metric that only whole cells have, users being resampled alike for both."""

    a: Line
    b: Line
    slice: str
    metric: str
    drawn: Float[np.ndarray, "D"]
    """By how much a's mean over cells is above b's, in each draw."""
    users: int

    @property
    def queries(self) -> int:
        """Of all folds."""
        asked = values_by_seed(self.a, SPLIT, self.slice, QUERIES)
        return int(sum(next(iter(asked.values()))))

    def by_seed(self) -> Float[np.ndarray, "S"]:
        """The difference at each seed both have; a line that draws nothing is the same at every seed."""
        one, other = (
            {seed: float(np.mean(values)) for seed, values in self._values(line).items()} for line in (self.a, self.b)
        )
        return np.array(differences_by_seed(one, other))

    @property
    def difference(self) -> float:
        """By how much a's mean over seeds and folds is above b's."""
        one, other = (np.mean([np.mean(v) for v in self._values(line).values()]) for line in (self.a, self.b))
        return float(one - other)

    def by_fold(self) -> tuple[Float[np.ndarray, "S T"], Float[np.ndarray, "R T"]]:
        """Each line's seeds in each fold."""
        one, other = (np.array(list(self._values(line).values())) for line in (self.a, self.b))
        return one, other

    def _values(self, line: Line) -> dict[int | None, list[float]]:
        return values_by_seed(line, SPLIT, self.slice, self.metric)


@dataclass(frozen=True)
class WholeScores:
    """What a line keeps of metrics that only whole cells have, read once for all of its comparisons."""

    line: Line
    draws: Draws
    asked: Mapping[int, Mapping[str, np.ndarray]]
    """Fold -> the users table of one of its cells, which says who is asked."""

    @classmethod
    def of(cls, store: Store, line: Line) -> "WholeScores":
        one_each = {cell.fold: cell.id for cell in line.done}
        return cls(line, Draws.of(store, line), {fold: store.users(cell) for fold, cell in one_each.items()})

    def asks_as(self, other: "WholeScores") -> bool:
        """Whether both answer the same users at the same cutoffs in every fold, so that draws belong together."""
        return self.asked.keys() == other.asked.keys() and all(
            np.array_equal(self.asked[fold][name], other.asked[fold][name])
            for fold in self.asked
            for name in ("user", "cutoff", "slice")
        )


def whole_pairs(a: WholeScores, b: WholeScores, metric: str, slices: Sequence[str]) -> Iterator[WholePair]:
    """The pair in each slice where both kept draws; none where they answer different queries."""
    if not a.asks_as(b):
        return
    one, other = a.draws, b.draws
    for name in slices:
        key = f"{name}/{metric}"
        if key in one.values and key in other.values:
            yield WholePair(a.line, b.line, name, metric, one.values[key] - other.values[key], one.users)


def differences_by_seed(one: Mapping[int | None, float], other: Mapping[int | None, float]) -> list[float]:
    """The difference of two lines' means at each seed both have; a line that draws nothing is the same at every one."""
    seeds = [s for s in {**one, **other} if s is not None and {s, None} & one.keys() and {s, None} & other.keys()]
    return [one[s if s in one else None] - other[s if s in other else None] for s in seeds]
