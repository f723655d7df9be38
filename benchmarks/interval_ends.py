"""By how much the end of an interval over users moves with the draw where users
are resampled by drawing, beside the end that the lab computes, and what both
cost; of a results folder that has its cells also how long its tables take.

Run (two minutes):
    python -m benchmarks.interval_ends --users 50 270 2000 --results results/NAME
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np

from benchmarks.shared.command import command, require, require_folder
from benchmarks.shared.drawn import drawn_means
from lab.results.comparisons import comparisons
from lab.results.store import Store
from lab.results.summary import summarise
from lab.statistics.poisson_bootstrap import PoissonBootstrap

ENDS = (0.025, 0.975)
GENERATORS = 40
MANY = 400_000
"""Draws beside which the computed end is laid."""


@dataclass(frozen=True)
class Asked:
    """What to measure."""

    users: tuple[int, ...] = (50, 270, 2_000)
    """How many users, whose values deviate by about .35."""
    draws: int = 1_000
    """How often to resample them, as the lab did before it computed intervals."""
    results: Path | None = None
    """A folder of results with its cells."""

    def __post_init__(self) -> None:
        require(self, "users", users=2, draws=100)
        if self.results is not None:
            require_folder("--results", self.results)


def sums(users: int) -> tuple[np.ndarray, np.ndarray]:
    """Each user's sum of values, and how many: one to six, and a fifth of the users have none but zeros."""
    rng = np.random.default_rng(0)
    size = rng.integers(1, 7, users).astype(float)
    return rng.random(users) * (rng.random(users) < 0.8) * size, size


def timed(work: Callable[[], Any]) -> tuple[Any, float]:
    """What it gives, and its seconds."""
    start = perf_counter()
    return work(), perf_counter() - start


def of_users(users: int, draws: int) -> str:
    """A line of the table."""
    total, size = sums(users)
    several = [drawn_means(total, size, draws, np.random.default_rng(k)) for k in range(GENERATORS)]
    ends = np.quantile(several, ENDS, axis=1)
    half = (ends[1] - ends[0]) / 2
    computed, computing = timed(lambda: np.array([PoissonBootstrap(total, size).quantile(one) for one in ENDS]))
    many = np.quantile(drawn_means(total, size, MANY, np.random.default_rng(GENERATORS)), ENDS)
    digit = np.mean(np.round(half[::2], 3) != np.round(half[1::2], 3))
    return (
        f"{users:7,} {half.mean():8.4f} {ends.std(axis=1).mean():9.5f} {np.ptp(ends, axis=1).max():9.5f} {digit:9.0%} "
        f"{np.abs(computed - many).max():11.5f} {1000 * computing:8.1f} ms"
    )


def of_results(folder: Path) -> None:
    """How long the tables of a folder take, and how many intervals they have."""
    store = Store(folder)
    summary, first = timed(lambda: summarise(store))
    found, second = timed(lambda: comparisons(store, summary))
    users = [one.user_count for _, estimates in summary.lines for one in estimates if one.users]
    print(f"\n{folder}: {len(users):,} means of up to {max(users, default=0):,} users in {first:.2f} s,")
    print(f"{len(found):,} comparisons in {second:.2f} s, reading and tests included.")


def main(asked: Asked) -> None:
    """Print the table, and the times of the folder."""
    timed(lambda: PoissonBootstrap(*sums(50)).quantile(ENDS[0]))  # imports
    print(f"ends of 95 % intervals by {asked.draws:,} draws with {GENERATORS} generators, and computed")
    print(f"{'':16} {'a drawn end moves by':>19} {'3rd digit':>9}")
    print(f"{'users':>7} {'± half':>8} {'std':>9} {'at most':>9} {'differs':>9} {'computed is off by, and takes':>20}")
    for users in asked.users:
        print(of_users(users, asked.draws), flush=True)
    print(f"off by: from the end of {MANY:,} draws, which themselves move by std / {np.sqrt(MANY / asked.draws):.0f}")
    if asked.results is not None:
        of_results(asked.results)


if __name__ == "__main__":
    command("interval_ends", Asked, main, __doc__)
