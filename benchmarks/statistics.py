"""How often each interval covers a known truth, and how often each test errs, or
finds what is there.

Run (about half an hour for 20,000 repetitions):
    python -m benchmarks.statistics --repetitions 20000
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np

from benchmarks.shared.command import command, require
from benchmarks.shared.truths import (
    MIDDLE,
    Sample,
    ahead,
    by_user,
    heavy,
    limits,
    lopsided,
    often,
    paired,
    rarely,
    runs,
)
from lab.core.errors import InputError
from lab.pins.comparison import ALPHA, equivalence_p
from lab.statistics.across_runs import over_runs
from lab.statistics.intervals import Interval, over_seeds, over_users
from lab.statistics.permutation import flip_p_each, holm, users_p_each
from lab.statistics.ranks import critical_difference, mean_ranks

AT_ONCE = 100

Hits = Callable[[np.random.Generator], int]
"""Draws AT_ONCE truths; how many of them a procedure covers, or is wrong about."""


Test = Callable[[np.ndarray, np.random.Generator], np.ndarray]
"""From rows of sums by user to their p."""


def covered(found: Iterable[Interval | None], truth: float) -> int:
    """How many intervals have the truth in them."""
    return sum(one is not None and one.low <= truth <= one.high for one in found)


def mean_over_users(draw: Callable[[np.random.Generator, int], Sample], users: int, truth: float, bca: bool) -> Hits:
    """Intervals of a metric's mean."""
    return lambda rng: covered((over_users(*draw(rng, users), bca) for _ in range(AT_ONCE)), truth)


def difference_over_users(draw: Callable[..., Sample], users: int, bca: bool) -> Hits:
    """Intervals of a paired difference that is 0."""

    def hits(rng: np.random.Generator) -> int:
        differences, user = draw(rng, users, AT_ONCE)
        return covered((over_users(one, user, bca) for one in differences), 0)

    return hits


def flipped_users(draw: Callable[..., Sample], users: int, test: Test = users_p_each) -> Hits:
    """Tests of a paired difference."""
    return lambda rng: int((test(by_user(*draw(rng, users, AT_ONCE)), rng) <= 0.05).sum())


def flipped_seeds(seeds: int) -> Hits:
    """Tests of paired differences over seeds."""
    return lambda rng: int((flip_p_each(rng.laplace(0, 1, (AT_ONCE, seeds)), rng) <= 0.05).sum())


def family(tests: int, true: int) -> Hits:
    """Families that share their clusters, of which the first `true` differences are real."""

    def hits(rng: np.random.Generator) -> int:
        sums = rng.laplace(0, 1, (AT_ONCE, 1, 12)) + rng.laplace(0, 1, (AT_ONCE, tests, 12))
        sums += np.where(np.arange(tests) < true, 5, 0)[:, None]
        p = holm(flip_p_each(sums.reshape(-1, 12), rng).reshape(AT_ONCE, tests))
        return int((p[:, true:] <= 0.05).any(axis=1).sum())

    return hits


def equivalent(seeds: int, apart: float, held: bool) -> Hits:
    """Runs again whose means lie so many deviations apart, and that are held for equal, or for different."""

    def hits(rng: np.random.Generator) -> int:
        pinned, got = rng.normal(0, 1, (AT_ONCE, seeds)), rng.normal(apart, 1, (AT_ONCE, seeds))
        return sum((equivalence_p(a, b) < ALPHA) == held for a, b in zip(pinned, got, strict=True))

    return hits


def ranked(logs: int, lines: int) -> Hits:
    """Mean ranks of lines that are alike, and whether any two seem a critical difference apart."""
    critical = critical_difference(logs, lines)

    def hits(rng: np.random.Generator) -> int:
        found = (mean_ranks(rng.normal(0, 1, (logs, lines))) for _ in range(AT_ONCE))
        return sum(float(np.ptp(one)) >= critical for one in found)

    return hits


COVERAGE: tuple[tuple[str, Hits], ...] = (
    *((f"mean over {n} users, BCa", mean_over_users(often, n, 0.25, True)) for n in (20, 60, 200)),
    *((f"mean over {n} users, few have all, BCa", mean_over_users(rarely, n, 0.1, True)) for n in (20, 60, 200)),
    *((f"the same, percentiles: {n} users", mean_over_users(rarely, n, 0.1, False)) for n in (20, 60, 200)),
    *((f"paired difference over {n} users", difference_over_users(paired, n, False)) for n in (20, 60, 200)),
    *((f"lopsided difference, {n} users", difference_over_users(lopsided, n, False)) for n in (20, 60, 200)),
    *((f"the same, BCa: {n} users", difference_over_users(lopsided, n, True)) for n in (20, 60, 200)),
    *((f"heavier still (lognormal), {n} users", difference_over_users(heavy, n, False)) for n in (20, 60, 200)),
    *(
        (f"mean over {n} seeds (exact)", lambda rng, n=n: covered(map(over_seeds, rng.normal(0, 1, (AT_ONCE, n))), 0))
        for n in (3, 5)
    ),
    *(
        (
            f"interquartile mean, 6 tasks, {n} seeds",
            lambda rng, n=n: covered((over_runs(list(runs(rng, n)), rng) for _ in range(AT_ONCE)), MIDDLE),
        )
        for n in (5, 10)
    ),
)

ERRORS: tuple[tuple[str, Hits], ...] = (
    *((f"paired difference, {n} users", flipped_users(paired, n)) for n in (8, 20, 60, 200)),
    *((f"the same, plain sums: {n} users (exact)", flipped_users(paired, n, flip_p_each)) for n in (8, 20, 60, 200)),
    *((f"lopsided difference, {n} users", flipped_users(lopsided, n)) for n in (8, 20, 60, 200)),
    *((f"the same, plain sums: {n} users", flipped_users(lopsided, n, flip_p_each)) for n in (8, 20, 60, 200)),
    *((f"heavier still (lognormal), {n} users", flipped_users(heavy, n)) for n in (20, 60, 200)),
    *((f"sign flips, {n} seeds (exact)", flipped_seeds(n)) for n in (6, 10)),
    ("Holm, 10 tests (exact)", family(10, 0)),
    ("Holm, 10 tests, 4 of them real (exact)", family(10, 4)),
    *((f"Nemenyi, {logs} logs, {lines} rows", ranked(logs, lines)) for logs, lines in ((5, 5), (5, 10), (12, 5))),
    *((f"equal, {n} seeds two deviations apart (exact)", equivalent(n, 2, True)) for n in (3, 5, 10)),
)

POWER: tuple[tuple[str, Hits], ...] = (
    *(
        (f"{name}{n} users", flipped_users(ahead(draw, by), n, test))
        for draw, by, said in (
            (paired, 0.55, "paired difference"),
            (lopsided, 3.0, "lopsided, to the side of the few"),
            (lopsided, -3.0, "lopsided, to the side of the many"),
        )
        for name, test in ((f"{said}, ", users_p_each), ("the same, plain sums: ", flip_p_each))
        for n in (20, 60, 200)
    ),
    *((f"equal, {n} seeds of one law", equivalent(n, 0, True)) for n in (3, 5, 10)),
)


def show(title: str, procedures: Iterable[tuple[str, Hits]], repetitions: int) -> None:
    """A line for each procedure."""
    print(f"{title:48} {'rate':>7}   99 % interval of it")
    for name, hits in procedures:
        rng = np.random.default_rng(0)
        count = sum(hits(rng) for _ in range(repetitions // AT_ONCE))
        low, high = limits(count, repetitions)
        print(f"  {name:46} {count / repetitions:7.2%}   {low:.2%} to {high:.2%}", flush=True)


@dataclass(frozen=True)
class Asked:
    """How much to measure."""

    repetitions: int = 20_000
    """How often to try each procedure, in whole hundreds."""

    def __post_init__(self) -> None:
        require(self, repetitions=AT_ONCE)
        if self.repetitions % AT_ONCE:
            more = self.repetitions + -self.repetitions % AT_ONCE
            raise InputError(f"--repetitions: {self.repetitions}; they are drawn {AT_ONCE} at once, so use {more:,}.")


def main(asked: Asked) -> None:
    """Print all lists."""
    print(f"{asked.repetitions:,} repetitions; exact: the rate is right by construction, whatever is measured.")
    show("A 95 % interval covers the truth", COVERAGE, asked.repetitions)
    show("A test or family at 5 % finds what is not there", ERRORS, asked.repetitions)
    show("A test at 5 % finds what is there", POWER, asked.repetitions)


if __name__ == "__main__":
    command("statistics", Asked, main, __doc__)
