"""Settings chosen on valid: on as many queries as tell them apart, from grids that do not end at their best.

Many settings race over queries spread evenly over all that are answered. After each look those that are told apart
from the best are out, and the others go on over twice as many queries (Maron and Moore, "Hoeffding Races", NIPS 1994,
with standard errors of paired differences over users in place of Hoeffding's bound). Where the best is the last of
its grid, the grid goes on.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Literal

import numpy as np

from lab.baselines.labelled_queries import LabelledQueries
from lab.data.fold.queries import FoldView, Queries
from lab.evaluation.judge import mean

Settings = tuple[float, ...]
"""A value of each axis."""

Ranked = Callable[[Queries], Callable[..., np.ndarray]]
"""From some queries to what scores them, float32[q, C], by a value of each axis; what settings share is done once."""

FIRST = 256
"""Queries of the first look."""

FEWEST = 32
"""The same where there are so many candidates that more would take too long."""

APART = 3.0
"""Standard errors by which a setting must be worse than the best to be out."""

CLOSE = 0.001
"""What the best of the others could gain at most for it not to matter which one is chosen."""

SCORES = 1 << 32
"""Scores in all, beyond which no further queries are looked at."""

SCORES_AT_ONCE = 1 << 20
"""Scores in memory at once."""

FARTHEST = 4
"""Values by which a grid goes on at its lower end."""


@dataclass(frozen=True)
class Axis:
    """A setting and the values to choose from, ascending.

    Two values or more are where the search begins: it goes on beyond the ends. One value is taken as it is.
    """

    name: str
    values: tuple[float, ...]
    kind: Literal["scale", "share"] = "scale"
    """A scale is above 0 and goes on by the ratio of its last two values, then in ever longer strides, upwards to
    infinity; a share lies between 0 and 1, which are its ends where they are given, and goes on by its odds."""
    least: float = 0.0
    """Of a scale: what is as good as nothing, so that the grid does not go on below it."""

    def beyond(self, values: Sequence[float], best: float) -> float | None:
        """The value that follows the best where that is the last of the values at either end; None elsewhere."""
        if len(self.values) < 2 or best not in (values[0], values[-1]):
            return None
        upwards = best == values[-1]
        before = values[-2] if upwards else values[1]
        gone = sum(one > max(self.values) if upwards else one < min(self.values) for one in values)
        if self.kind == "share":
            return self._share_after(best, upwards) if gone < 3 * FARTHEST else None
        if best == np.inf or (not upwards and gone == FARTHEST):
            return None
        following = np.inf if upwards and gone == 2 else best * (best / before) ** (1 if gone == 0 else 2)
        return None if following < self.least else following

    @staticmethod
    def _share_after(last: float, upwards: bool) -> float | None:
        if last in (0.0, 1.0):
            return None
        odds = last / (1 - last) * (3.0 if upwards else 1 / 3.0)
        return odds / (1 + odds)


@dataclass(frozen=True)
class Choice:
    """What was chosen, and by what."""

    settings: Mapping[str, float]
    value: float
    """The mean of the target's leading metric over the queries that it was chosen on."""
    queries: int
    """How many those are: with `spread` of all that are answered, the first so many."""

    def __getitem__(self, name: str) -> float:
        return self.settings[name]


def choose(
    view: FoldView,
    valid: LabelledQueries,
    axes: Sequence[Axis],
    ranked: Ranked,
    always: Iterable[Settings] = (),
    chances: Callable[[np.ndarray], np.ndarray] | None = None,
) -> Choice:
    """The settings by which the answered valid queries are ranked best, of equal ones the first.

    Best is by the metric that the target's tables go by. `always` are settings that stay in the race to its end, so
    that none that is worse is chosen. `chances` tell what is proportional to the probabilities that scores stand for
    (default: the scores), in case the metric reads these. Of a target that predicts numbers, `ranked` gives numbers
    [q, K] in place of scores.
    """
    valid = valid.with_labels
    race, kept = _Race(view, valid, ranked, chances), list(always)
    values = [sorted(axis.values) for axis in axes]
    running = list(dict.fromkeys([*kept, *product(*values)]))
    queries = min(FIRST, max(FEWEST, SCORES // (len(running) * view.candidates)), len(valid))
    while True:
        race.run(running, queries)
        while new := _beyond(axes, values, race.best(running), running):
            race.run(new, queries)
            running += new
        best = race.best(running)
        more = min(2 * queries, len(valid))
        behind, error = race.behind(best, running)
        running = [one for one, far in zip(running, behind > APART * error, strict=True) if not far or one in kept]
        tied = bool((behind + APART * error)[behind <= APART * error].max() <= CLOSE)
        if more == queries or tied or race.scores + len(running) * (more - queries) * view.candidates > SCORES:
            settings = dict(zip((axis.name for axis in axes), best, strict=True))
            return Choice(settings, mean(race.values[best]), queries)
        queries = more


def _beyond(
    axes: Sequence[Axis], values: list[list[float]], best: Settings, running: Sequence[Settings]
) -> list[Settings]:
    """Settings beyond the ends of the axes at which the best one lies, beside what is running of the other axes."""
    found: list[Settings] = []
    for place, axis in enumerate(axes):
        following = axis.beyond(values[place], best[place])
        if following is None:
            continue
        values[place] = sorted({*values[place], following})
        beside = {one[:place] + one[place + 1 :] for one in running}
        found += [(*one[:place], following, *one[place:]) for one in sorted(beside)]
    return [one for one in dict.fromkeys(found) if one not in running]


class _Race:
    """The metric of each setting at the first of the queries."""

    def __init__(
        self,
        view: FoldView,
        valid: LabelledQueries,
        ranked: Ranked,
        chances: Callable[[np.ndarray], np.ndarray] | None,
    ) -> None:
        self._view, self._valid, self._ranked, self._chances = view, valid, ranked, chances
        self._order = spread(len(valid))
        self._users = np.unique(valid.queries.user, return_inverse=True)[1][self._order]
        self.values: dict[Settings, np.ndarray] = {}
        """float64[q] each, of as many queries as the setting has run over."""
        self.scores = 0

    def run(self, settings: Sequence[Settings], queries: int) -> None:
        """Go on to so many queries."""
        none = np.zeros(0)
        begun: dict[int, list[Settings]] = {}
        for one in settings:
            begun.setdefault(len(self.values.get(one, none)), []).append(one)
        for begin, mine in begun.items():
            if begin < queries:
                found = self._values(mine, self._order[begin:queries])
                for one, values in zip(mine, found, strict=True):
                    self.values[one] = np.concatenate([self.values.get(one, none), values])

    def _values(self, settings: Sequence[Settings], rows: np.ndarray) -> np.ndarray:
        """float64[settings, q] of some queries."""
        found = np.empty((len(settings), len(rows)))
        for some, asked in blocks(self._view, self._valid, rows):
            score, metric = self._ranked(asked.queries), asked.metric(self._view, self._chances)
            for place, one in enumerate(settings):
                found[place, some] = metric(score(*one))
        self.scores += found.size * self._view.candidates
        return found

    def best(self, settings: Sequence[Settings]) -> Settings:
        return max(settings, key=lambda one: mean(self._merits(one)))

    def behind(self, best: Settings, settings: Sequence[Settings]) -> tuple[np.ndarray, np.ndarray]:
        """float64[settings] each: by how much they are worse than the best on the mean, and its standard error."""
        # Where a query has no value, it has none by any setting.
        less = np.nan_to_num(self._merits(best) - np.stack([self._merits(one) for one in settings]))
        worse, users = less.mean(1), self._users[: less.shape[1]]
        # Queries of one user go together: sums over users are what is independent.
        off = np.stack([np.bincount(users, row) for row in less - worse[:, None]])
        asked = len(np.unique(users))
        return worse, np.sqrt((off**2).sum(1) * asked / max(asked - 1, 1)) / less.shape[1]

    def _merits(self, setting: Settings) -> np.ndarray:
        """float64[q]: the metric as numbers of which more is better."""
        return self._valid.by.merits(self.values[setting])


def spread(count: int) -> np.ndarray:
    """int64[count]: the numbers below `count` in an order of which each beginning is spread evenly over them."""
    bits = max(count - 1, 0).bit_length()
    place = np.arange(1 << bits)
    turned = sum((place >> bit & 1) << (bits - 1 - bit) for bit in range(bits)) + np.zeros_like(place)
    return turned[turned < count]


def blocks(view: FoldView, valid: LabelledQueries, rows: np.ndarray) -> Iterable[tuple[np.ndarray, LabelledQueries]]:
    """Queries in blocks whose scores fit memory: their places among the rows, and the queries.

    Those of about one time are together, since what everybody did by then is counted once for all of them.
    """
    order = np.argsort(valid.queries.cutoff[rows], kind="stable")
    size = max(1, SCORES_AT_ONCE // view.candidates)
    for first in range(0, len(rows), size):
        some = np.sort(order[first : first + size])
        yield some, valid[rows[some]]
