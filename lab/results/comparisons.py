"""Who is ahead of whom: paired differences between the lines of one target and horizon, as comparisons.csv has them.

The family is fixed before anything is seen: every two lines, the oracle apart, on the leading metric and each slice
that is shown (`lab.results.slices`): one that is `all` over again would be counted twice.
Holm's correction of the p over users goes over the whole family.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import astuple, dataclass, fields, replace
from itertools import combinations, groupby
from typing import Any

import numpy as np
from jaxtyping import Float

from lab.evaluation.measures import MetricSpec
from lab.results.cells_table import csv_bytes, days
from lab.results.line import Line
from lab.results.paired import Pair, Scores, WholePair, WholeScores, pairs, whole_pairs
from lab.results.slices import shown_slices
from lab.results.store import Store
from lab.results.summary import Summary, percentiles
from lab.statistics.across_runs import improvement
from lab.statistics.intervals import Interval, over_seeds, over_users
from lab.statistics.permutation import flip_p, holm, smallest_p, users_p_each

WHOLE_METHOD = (
    "of whole cells; users: cluster bootstrap, the same draws for both lines, percentiles and p of the draws; "
    "seeds: Student t, sign flips; Holm of users_p"
)
METHOD = (
    "paired by query; users: cluster bootstrap, skewness-corrected sign flips, both allowing for few; "
    "seeds: Student t, sign flips; Holm of users_p"
)
AT_ONCE = 128
"""Comparisons whose users' signs are drawn together, which is most of the work."""


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
    """The chance that a random run of a is better than a random run of b in a random fold."""
    method: str = METHOD

    def lead(self, spec: MetricSpec) -> "Comparison":
        """The same with differences of which more is better: turned where lower values are."""
        if spec.better != "lower":
            return self
        return replace(
            self,
            difference=-self.difference,
            users_low=_negative(self.users_high),
            users_high=_negative(self.users_low),
            seeds_low=_negative(self.seeds_high),
            seeds_high=_negative(self.seeds_low),
        )

    @property
    def reversed(self) -> "Comparison":
        """The same, of b with a."""
        return replace(
            self,
            a=self.b,
            b=self.a,
            difference=-self.difference,
            users_low=_negative(self.users_high),
            users_high=_negative(self.users_low),
            seeds_low=_negative(self.seeds_high),
            seeds_high=_negative(self.seeds_low),
            improvement=1 - self.improvement,
        )


COLUMNS = tuple(one.name for one in fields(Comparison))
_WORDS = {"target", "slice", "metric", "a", "b", "method"}
_COUNTS = {"queries", "users", "seeds"}


def comparisons(store: Store, summary: Summary) -> tuple[Comparison, ...]:
    """All comparisons of complete lines that are not stale, those without a common query left out."""
    found: list[Comparison] = []
    for target in summary.targets:
        mine = summary.of_target(target)
        slices, spec = shown_slices(mine), mine.judged_by.lead
        lines = [line for line, _ in mine.lines if line.complete and line.kind != "oracle" and not line.stale]
        for _, group in groupby(lines, key=lambda line: line.horizon):
            if spec.per == "cell":
                found += _of_cells(store, list(group), spec, slices)
            else:
                every = mine.judged_by.slice_names
                scores = [Scores.of(store, line, spec.name, every) for line in group]
                found += (one for several in _batches(scores, slices) for one in _compared(several, spec))
    adjusted = holm([one.users_p for one in found])
    return tuple(replace(one, holm_p=float(p)) for one, p in zip(found, adjusted, strict=True))


def comparisons_csv(found: Iterable[Comparison]) -> bytes:
    """The comparisons as CSV; what cannot be said is empty."""
    rows = (dict(zip(COLUMNS, astuple(one), strict=True)) | {"horizon": days(one.horizon)} for one in found)
    return csv_bytes(COLUMNS, (tuple(row.values()) for row in rows))


def from_row(row: Mapping[str, str]) -> Comparison:
    """The comparison that a row of comparisons.csv is. Raises KeyError or ValueError for anything else."""
    return Comparison(**{name: _read(name, row[name]) for name in COLUMNS})


def _read(name: str, text: str) -> Any:
    return text if name in _WORDS else None if text == "" else int(text) if name in _COUNTS else float(text)


def _negative(value: float | None) -> float | None:
    return None if value is None else -value


def _batches(scores: Sequence[Scores], slices: Sequence[str]) -> Iterator[list[Pair]]:
    """The pairs of each two lines in some slices, AT_ONCE together."""
    batch: list[Pair] = []
    for a, b in combinations(scores, 2):
        batch += (pair for pair in pairs(a, b) if pair.slice in slices)
        if len(batch) >= AT_ONCE:
            yield batch
            batch = []
    if batch:
        yield batch


def _compared(several: Sequence[Pair], spec: MetricSpec) -> Iterator[Comparison]:
    """The comparison of each pair, the signs of users being drawn once for all of them."""
    people = np.unique(np.concatenate([pair.user for pair in several]))
    samples = [(pair.difference, np.searchsorted(people, pair.user)) for pair in several]
    sums = np.stack([np.bincount(user, weights=values, minlength=len(people)) for values, user in samples])
    p = _flipped(sums, np.array([pair.slice for pair in several]))
    for pair, (values, user), one in zip(several, samples, p, strict=True):
        users = over_users(values, user, bca=False)
        yield _comparison(pair, len(np.unique(user)), users, float(one), spec)


def _flipped(sums: Float[np.ndarray, "B U"], slices: np.ndarray) -> Float[np.ndarray, "B"]:
    """The sign-flip p of each row of sums by user, the signs being drawn once for each slice."""
    p = np.empty(len(sums))
    for name in np.unique(slices):
        here = sums[slices == name]
        p[slices == name] = users_p_each(here[:, (here != 0).any(axis=0)], np.random.default_rng(0))
    return p


def _comparison(pair: Pair, count: int, users: Interval | None, users_p: float, spec: MetricSpec) -> Comparison:
    return _common_fields(
        pair,
        (pair.a.line, pair.b.line),
        spec,
        queries=len(pair.user),
        users=count,
        difference=float(pair.difference.mean()),
        users_low=users.low if users else None,
        users_high=users.high if users else None,
        users_p=users_p,
    )


def _of_cells(store: Store, lines: Sequence[Line], spec: MetricSpec, slices: Sequence[str]) -> Iterator[Comparison]:
    """The comparisons of every two lines by a metric that only whole cells have."""
    for a, b in combinations([WholeScores.of(store, line) for line in lines], 2):
        for pair in whole_pairs(a, b, spec.name, slices):
            users = percentiles(pair.drawn) if pair.users > 1 else None
            yield _common_fields(
                pair,
                (a.line, b.line),
                spec,
                queries=pair.queries,
                users=pair.users,
                difference=pair.difference,
                users_low=users.low if users else None,
                users_high=users.high if users else None,
                users_p=_drawn_p(pair.drawn),
                method=WHOLE_METHOD,
            )


def _drawn_p(drawn: np.ndarray) -> float:
    """Twice the share of draws on the rarer side of 0, one draw added to each: Davison and Hinkley 1997, 4.4."""
    known = drawn[np.isfinite(drawn)]
    rarer = min((known <= 0).sum(), (known >= 0).sum())
    return float(min(1.0, 2 * (rarer + 1) / (len(known) + 1)))


def _common_fields(pair: Pair | WholePair, lines: tuple[Line, Line], spec: MetricSpec, **values: Any) -> Comparison:
    """What both kinds of pairs say in one way: of seeds and of runs."""
    (a, b), by_seed = lines, pair.by_seed()
    seeds = over_seeds(by_seed)
    merit = np.vectorize(spec.merit, otypes=[float])
    one, other = pair.by_fold()
    return Comparison(
        target=a.target,
        horizon=a.horizon,
        slice=pair.slice,
        metric=spec.name,
        a=a.name,
        b=b.name,
        seeds=len(by_seed),
        seeds_low=seeds.low if seeds else None,
        seeds_high=seeds.high if seeds else None,
        seeds_p=flip_p(by_seed, np.random.default_rng(0)) if len(by_seed) else None,
        smallest_seeds_p=smallest_p(len(by_seed)) if len(by_seed) else None,
        holm_p=float("nan"),
        improvement=improvement(merit(one), merit(other)),
        **values,
    )
