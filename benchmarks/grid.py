"""What a grid costs beyond its training steps, and what share of training its
checkpoints take.

A grid of the embedded shop is run twice, by the parts of the main command and
at the default cadence of checkpoints: first with every program to compile, then
with all compiled. `training` is what the loops of the cells took, their looks
at the valid split included; what a grid costs over them is all else until its
tables are written: compiling (which lies within the loops the first time, and
is told apart by the second), baselines' and cells' judging, files, tables.

Run:
    python -m benchmarks.grid
"""

import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from benchmarks.shared.command import command, require
from lab.data.sources import SyntheticShop
from lab.experiment.experiment import Experiment
from lab.models import LSTM
from lab.running.backend import prepare_backend
from lab.running.checkpoint_schedule import CHECKPOINT_SECONDS
from lab.running.run_settings import RunSettings
from lab.running.runner import Run
from lab.targets import Interest
from lab.tracking.tracker import Tracking
from lab.training.settings import Training

FULL = ("category", "behaviour", "time", "habit", "popularity")


@dataclass(frozen=True)
class Spent:
    """Seconds of one grid."""

    whole: float
    """From the first cell to the tables."""
    training: float
    judging: float
    checkpoints: float


@dataclass(frozen=True)
class Asked:
    """Which grid to run."""

    users: int = 2_000
    """Users of the embedded shop."""
    seeds: int = 5
    """Seeds of each feature set."""
    steps: int = 2_000
    """Updates of each cell, of which none stops early."""
    every: float = CHECKPOINT_SECONDS
    """Seconds between two checkpoints."""

    def __post_init__(self) -> None:
        require(self, users=1, seeds=1, steps=1, every=0)


def main(asked: Asked) -> None:
    """Print where the time of a grid goes."""
    experiment = Experiment(
        name="grid",
        source=SyntheticShop(users=asked.users, days=180),
        target=Interest(),
        horizons=(7,),
        features={"ids": ("category", "behaviour"), "full": FULL},
        models=(LSTM(width=64),),
        seeds=asked.seeds,
        training=Training(steps=asked.steps, patience=0),
    )
    with tempfile.TemporaryDirectory() as folder:
        cache = Path(folder) / "cache"
        prepare_backend(cache)
        spent = [run_once(experiment, Path(folder) / name, cache, asked.every) for name in ("compiling", "compiled")]
    steps_alone = spent[1].training - spent[1].checkpoints
    for name, one in zip(("with compiling", "compiled before"), spent, strict=True):
        show(name, one, steps_alone)


def run_once(experiment: Experiment, out: Path, cache: Path, every: float) -> Spent:
    """Run the grid into an empty folder; each chunk trains as many cells as there are devices."""
    place = RunSettings(out, cache, Tracking(mode="off"), Console(quiet=True), report=False, checkpoint_every=every)
    run = Run(experiment, place)
    begun = time.monotonic()
    assert run.compute() == 0
    whole = time.monotonic() - begun
    timed = [run.store.read(cell.id).timing for cell in run.cells if cell.kind == "model"]
    return Spent(whole, *(sum(one[name] for one in timed) for name in ("train", "judge", "checkpoints")))


def show(name: str, spent: Spent, steps_alone: float) -> None:
    """Print one grid's shares; `steps_alone`: seconds of the loops where nothing is compiled or kept."""
    print(f"{name}: {spent.whole:.1f} s, of which training {spent.training:.1f} s, judging {spent.judging:.1f} s")
    print(f"  checkpoints: {spent.checkpoints:.2f} s, {spent.checkpoints / spent.training:.2%} of training")
    over = spent.whole - steps_alone
    print(f"  over the {steps_alone:.1f} s of training steps: {over:.1f} s, {over / steps_alone:.1%}", flush=True)


if __name__ == "__main__":
    command("grid", Asked, main, __doc__)
