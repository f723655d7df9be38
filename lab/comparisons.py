"""Who is ahead of whom: paired differences between the lines of one target and horizon, as comparisons.csv has them.

The family is fixed before anything is seen: every model line against every baseline of its variant, and every two
model lines that differ in the model, the feature set or the variant alone, on the main metric and each slice. Holm's
correction of the p over users goes over the whole family.
"""

from collections.abc import Iterable, Iterator
from dataclasses import astuple, dataclass, fields, replace

import numpy as np
from jaxtyping import Float

from lab.statistics.across_runs import improvement
from lab.statistics.intervals import over_seeds, over_users
from lab.statistics.permutation import flip_p, holm, smallest_p
from lab.store import USERS, Store, csv_bytes, days
from lab.summary import SLICES, Line, Summary

KEYS = ("fold", "user", "cutoff", "slice")
_NAMES: list[str] = [*KEYS]
METHOD = "paired by query; users: cluster bootstrap, sign flips; seeds: Student t, sign flips; Holm of users_p"


@dataclass(frozen=True)
class Comparison:
    """How much more a has than b at the queries both answer; None for what too few users or seeds cannot say."""

    target: str
    horizon: float
    """Days."""
    slice: str
    metric: str
    a: str
    b: str
    queries: int
    users: int
    difference: float
    users_low: float | None
    users_high: float | None
    users_p: float
    seeds: int
    """Paired differences over seeds; 0 where neither line has seeds."""
    seeds_low: float | None
    seeds_high: float | None
    seeds_p: float | None
    smallest_seeds_p: float | None
    """The smallest p that so many seeds can give: 2 / 2^seeds."""
    holm_p: float
    improvement: float
    """The chance that a random run of a beats a random run of b in a random fold."""
    method: str = METHOD


COLUMNS = tuple(one.name for one in fields(Comparison))


def comparisons(store: Store, summary: Summary, metric: str) -> tuple[Comparison, ...]:
    """All comparisons of complete lines, those without a common query left out."""
    scores = {id(line): _Scores.of(store, line, metric) for line, _ in summary.lines if line.complete}
    pairs = [(a, b) for a, b in _pairs([line for line, _ in summary.lines]) if {id(a), id(b)} <= scores.keys()]
    found = [one for a, b in pairs for one in _compared(a, b, scores[id(a)], scores[id(b)], metric)]
    adjusted = holm([one.users_p for one in found])
    return tuple(replace(one, holm_p=float(p)) for one, p in zip(found, adjusted, strict=True))


def comparisons_csv(found: Iterable[Comparison]) -> bytes:
    """The comparisons as CSV; what cannot be said is empty."""
    rows = (dict(zip(COLUMNS, astuple(one), strict=True)) | {"horizon": days(one.horizon)} for one in found)
    return csv_bytes(COLUMNS, (tuple(row.values()) for row in rows))


def _pairs(lines: list[Line]) -> Iterator[tuple[Line, Line]]:
    for i, a in enumerate(lines):
        if a.kind != "model":
            continue
        for j, b in enumerate(lines):
            one_thing = sum((a.model != b.model, a.features != b.features, a.variant != b.variant)) == 1
            if (a.target, a.horizon) == (b.target, b.horizon) and (
                (b.kind == "baseline" and b.variant in ("", a.variant)) or (b.kind == "model" and i < j and one_thing)
            ):
                yield a, b


@dataclass(frozen=True)
class _Scores:
    """A line's metric by query: float64[S, Q], and the key of each query, in the keys' order."""

    seeds: tuple[int | None, ...]
    keys: np.ndarray
    """A record of KEYS each, sorted."""
    values: Float[np.ndarray, "S Q"]

    @classmethod
    def of(cls, store: Store, line: Line, metric: str) -> "_Scores":
        seeds = tuple(sorted({cell.seed for cell in line.done}, key=lambda seed: -1 if seed is None else seed))
        kept = [cell for cell in line.done if store.has(cell.id, USERS)]
        by_seed = [[_table(store.users(cell.id), cell.fold, metric) for cell in kept if cell.seed == s] for s in seeds]
        joined = [np.sort(np.concatenate(parts or [_EMPTY]), order=_NAMES) for parts in by_seed]
        keys = joined[0][_NAMES] if joined else _EMPTY[_NAMES]
        if any(not np.array_equal(keys, other[_NAMES]) for other in joined[1:]):
            return cls(seeds, _EMPTY[_NAMES], np.empty((len(seeds), 0)))
        return cls(seeds, keys, np.stack([one["value"] for one in joined]) if joined else np.empty((0, 0)))

    def at(self, rows: np.ndarray) -> "_Scores":
        return _Scores(self.seeds, self.keys[rows], self.values[:, rows])


_ROW = np.dtype([("fold", "i8"), ("user", "i8"), ("cutoff", "i8"), ("slice", "U16"), ("value", "f8")])
_EMPTY = np.empty(0, _ROW)


def _table(columns: dict[str, np.ndarray], fold: int, metric: str) -> np.ndarray:
    if metric not in columns:
        return _EMPTY
    rows = np.empty(len(columns["user"]), _ROW)
    rows["fold"], rows["value"] = fold, columns[metric]
    for name in KEYS[1:]:
        rows[name] = columns[name]
    return rows


def _compared(a: Line, b: Line, one: _Scores, other: _Scores, metric: str) -> Iterator[Comparison]:
    """A comparison for each slice in which both lines have the metric."""
    _, left, right = np.intersect1d(one.keys, other.keys, assume_unique=True, return_indices=True)
    one, other = one.at(left), other.at(right)
    known = ~np.isnan(one.values).any(axis=0) & ~np.isnan(other.values).any(axis=0)
    for name in SLICES:
        here = known & (one.keys["slice"] == name)
        if here.any():
            yield _comparison(a, b, one.at(here), other.at(here), metric, name)


def _comparison(a: Line, b: Line, one: _Scores, other: _Scores, metric: str, slice_name: str) -> Comparison:
    difference = one.values.mean(axis=0) - other.values.mean(axis=0)
    people, user = np.unique(one.keys["user"], return_inverse=True)
    # One stream for every comparison: what differs between two is the lines, not the draws.
    users = over_users(difference, user, np.random.default_rng(0), bca=False)
    by_seed = _by_seed(one, other)
    seeds = over_seeds(by_seed)
    return Comparison(
        target=a.target,
        horizon=a.horizon,
        slice=slice_name,
        metric=metric,
        a=a.name,
        b=b.name,
        queries=len(difference),
        users=len(people),
        difference=float(difference.mean()),
        users_low=users.low if users else None,
        users_high=users.high if users else None,
        users_p=flip_p(np.bincount(user, weights=difference), np.random.default_rng(0)),
        seeds=len(by_seed),
        seeds_low=seeds.low if seeds else None,
        seeds_high=seeds.high if seeds else None,
        seeds_p=flip_p(by_seed, np.random.default_rng(0)) if len(by_seed) else None,
        smallest_seeds_p=smallest_p(len(by_seed)) if len(by_seed) else None,
        holm_p=float("nan"),
        improvement=improvement(_by_fold(one), _by_fold(other)),
    )


def _by_seed(one: _Scores, other: _Scores) -> Float[np.ndarray, "S"]:
    """The difference at each seed both have; a line that draws nothing is the same at every seed."""
    means = [dict(zip(scores.seeds, scores.values.mean(axis=1), strict=True)) for scores in (one, other)]
    seeds = [s for s in {**means[0], **means[1]} if s is not None and all({s, None} & m.keys() for m in means)]
    one_each, other_each = ([m[s] if s in m else m[None] for s in seeds] for m in means)
    return np.array(one_each) - np.array(other_each)


def _by_fold(scores: _Scores) -> Float[np.ndarray, "S T"]:
    fold = scores.keys["fold"]
    return np.stack([scores.values[:, fold == one].mean(axis=1) for one in np.unique(fold)], axis=1)
