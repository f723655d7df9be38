"""What mirroring to W&B adds to the time of a run: 200 small cells, trained with
and without it in turn.

Both kinds of run find the log and the compiled programs in one cache, and leave
cells and tables. Mirrored runs are kept offline: what a network adds depends on
the network, and is waited for at the end alone. The mirror is a process of low
priority, so that on a busy machine the processors' seconds say more than the
clock's.

Run:
    python -m benchmarks.tracking --rounds 3 --seeds 25
"""

import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from benchmarks.shared.command import command, require

EXPERIMENT = """
from lab import Experiment, Training, register
from lab.baselines import RecentPopularity
from lab.data.sources import SyntheticShop
from lab.models import GRU, LSTM
from lab.targets import Interest

register(Experiment(
    name="many", source=SyntheticShop(users=600, days=150), target=Interest(), horizons=(7, 30),
    features={"ids": ("category", "behaviour"), "more": ("category", "behaviour", "habit")},
    models=(LSTM(width=32), GRU(width=32)), baselines=(RecentPopularity(),),
    training=Training(steps=200, batch=16, evaluate_every=20),
))
"""
KINDS = 8
"""Models, feature sets and horizons: trained cells of one seed."""


def seconds(folder: Path, mode: str, out: str, seeds: int) -> tuple[float, float]:
    """Wall and processor seconds of one run."""
    own = ["--cache", str(folder / "cache"), "--out", str(folder / out), "--no-report", "--tracking.mode", mode]
    before, begun = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    mine = [sys.executable, "-m", "lab.run", str(folder / "many.py"), "--seeds", str(seeds), *own]
    known = os.environ | {"PYTHONPATH": str(Path(__file__).resolve().parents[1])}
    subprocess.run([*mine, "--tracking.patience", "600"], check=True, stdout=subprocess.DEVNULL, env=known)
    whole, after = time.perf_counter() - begun, resource.getrusage(resource.RUSAGE_CHILDREN)
    if mode != "off":
        mirrored = len(list((folder / out).glob("many/wandb/offline-run-*")))
        assert mirrored > KINDS * seeds, f"{mirrored} runs are kept of {KINDS * seeds} cells, baselines and tables"
    return whole, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


@dataclass(frozen=True)
class Asked:
    """How much to measure."""

    rounds: int = 3
    """How often both kinds of run have their turn."""
    seeds: int = 25
    """Seeds of a run, of 8 cells each."""

    def __post_init__(self) -> None:
        require(self, rounds=1, seeds=1)


def main(asked: Asked) -> None:
    """Measure in turn, and print medians."""
    rounds, seeds = asked.rounds, asked.seeds
    spent: dict[str, list[tuple[float, float]]] = {"off": [], "offline": []}
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        (folder / "many.py").write_text(EXPERIMENT)
        seconds(folder, "off", "first", seeds)  # fills the cache
        for number in range(rounds):
            for mode in ("off", "offline") if number % 2 else ("offline", "off"):
                spent[mode].append(seconds(folder, mode, f"{mode}-{number}", seeds))
                print(f"{mode}: {spent[mode][-1][0]:.1f} s, of processors {spent[mode][-1][1]:.1f} s", flush=True)
    for place, what in enumerate(("wall", "processor")):
        off, offline = (statistics.median(run[place] for run in spent[mode]) for mode in ("off", "offline"))
        print(f"{KINDS * seeds} cells, median of {rounds}, {what}: {off:.1f} s without, {offline:.1f} s with tracking")
        print(f"  tracking adds {offline / off - 1:+.1%}" + (" (wanted: under 5 %)" if what == "wall" else ""))


if __name__ == "__main__":
    command("tracking", Asked, main, __doc__)
