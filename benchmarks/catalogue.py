"""Next items out of ever more items: memory, and time of an update, by loss.

Each line is a process of its own that trains a GRU of width 64 for a few steps
on a made-up log with an event for each item at least, and ranks all items for
the test. The memory is the largest that the process ever held.

Negatives are shared by an update's labels and drawn uniformly; `own` ones are
drawn for each label by itself, of the sampled softmax by popularity.

Run:
    python -m benchmarks.catalogue --items 10000 1000000 --losses gbce
"""

import resource
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any, Literal

import numpy as np
import polars as pl
from rich.console import Console

from benchmarks.shared.command import command, require
from lab import Experiment, Timeline, Training
from lab.core.errors import InputError
from lab.data.sources import Table
from lab.models import GRU
from lab.models.base import Model
from lab.running.run_settings import RunSettings
from lab.running.runner import Run
from lab.targets import NextItem
from lab.tracking.tracker import Tracking

LENGTH = 50
"""Events of a user."""
STEPS = 12
Loss = Literal["softmax", "sampled", "sampled-own", "gbce", "gbce-own"]
LOSSES: dict[Loss, dict[str, Any]] = {
    "softmax": {},
    "sampled": {"objective": "sampled"},
    "sampled-own": {"objective": "sampled", "shared": False, "drawn": "popularity"},
    "gbce": {"objective": "gbce"},
    "gbce-own": {"objective": "gbce", "shared": False},
}
"""Settings of the target, by what a line is called."""


def log(items: int) -> pl.DataFrame:
    """Users of LENGTH events each, over whom every item is spread once and as many more by chance."""
    rng = np.random.default_rng(0)
    events = -(-2 * items // LENGTH) * LENGTH
    item = np.concatenate([np.arange(items), rng.integers(0, items, events - items)])
    return pl.DataFrame({"user": np.arange(events) // LENGTH, "item": rng.permutation(item)})


def declared(items: int, loss: Loss, model: Model) -> Experiment:
    """An experiment on such a log: STEPS updates of one model."""
    return Experiment(
        name="catalogue",
        source=Table(frame=log(items), order="rows"),
        target=NextItem(**LOSSES[loss]),
        timeline=Timeline(protocol="leave_one_out", min_events=1, shard_events=200_000),
        features={"ids": ("item",)},
        models=(model,),
        seeds=1,
        baselines=(),
        training=Training(
            steps=STEPS, batch=16, row_length=50, overlap=10, evaluate_every=STEPS // 3, valid_rows=64, patience=0
        ),
    )


def train(items: int, loss: Loss) -> None:
    """One line: of this process, which does nothing else."""
    asked = declared(items, loss, GRU(width=64))
    with tempfile.TemporaryDirectory() as folder:
        place = RunSettings(Path(folder), Path(folder), Tracking(mode="off"), Console(quiet=True), report=False)
        run = Run(asked, place)
        if run.compute():
            raise SystemExit(run.store.read(run.cells[0].id).reason)
        record = run.store.read(run.cells[0].id)
    held = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    spent = f"{record.timing['train']:8.1f} s{record.timing['judge']:8.1f} s"
    print(f"{items:>10,d}  {loss:12s}{record.parameters:>13,d}{held:9.2f} GiB{spent}", flush=True)


@dataclass(frozen=True)
class Asked:
    """Which lines to measure."""

    items: tuple[int, ...] = (10_000, 100_000, 1_000_000)
    """How many items the log has, some lines for each."""
    losses: tuple[Loss, ...] = tuple(LOSSES)
    """Losses to train by, a line for each."""
    alone: bool = False
    """Measure one line in this process: the first of --items by the first of --losses."""

    def __post_init__(self) -> None:
        require(self, "losses", items=2)
        # By chance an item has no event before the cutoff, and is then none of those that are drawn from.
        least = 1 if self.losses == ("softmax",) else 2 * NextItem.negatives
        if (few := min(self.items)) < least:
            raise InputError(
                f"--items: {few}; {NextItem.negatives} negatives are drawn of them, so use {least} or more, "
                "or --losses softmax, which draws none."
            )


def main(asked: Asked) -> int:
    """Print a line for each number of items and loss; the exit code of the first that fails."""
    if asked.alone:
        train(asked.items[0], asked.losses[0])
        return 0
    print(f"{'items':>10s}  {'loss':12s}{'parameters':>13s}{'memory':>13s}{f'{STEPS} steps':>10s}{'judging':>10s}")
    for items, loss in product(asked.items, asked.losses):
        alone = [sys.executable, "-m", "benchmarks.catalogue", "--alone", "--items", str(items), "--losses", loss]
        if code := subprocess.run(alone, check=False).returncode:
            return code
    return 0


if __name__ == "__main__":
    command("catalogue", Asked, main, __doc__)
