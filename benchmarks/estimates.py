"""What `--estimate` says of a run, what it takes to say it, and how long the run
then takes: each in a cache of its own, so that both compile everything.

Along the run, what its progress told of the time left stands beside the truth.

Run:
    python -m benchmarks.estimates --file experiments/lstm_vs_transformer.py
"""

import os
import re
import shlex
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from benchmarks.shared.command import command, require
from lab.core.errors import InputError

UNITS = {"h": 3600, "min": 60, "s": 1}


def seconds_of(text: str) -> float:
    """`2 h 05 min`, `3 min 20 s`, `45 s` as seconds."""
    return float(sum(int(count) * UNITS[unit] for count, unit in re.findall(r"(\d+) (h|min|s)\b", text)))


def estimated_seconds(line: str) -> float | None:
    """Seconds that a line of progress says are left; None of another line, or of one that says `at least`."""
    found = re.search(r"^[\w-]+: +\d+ %, (.*?) left", line)
    return seconds_of(found[1]) if found else None


@dataclass(frozen=True)
class Ran:
    """A command's lines, each with the seconds at which it came, and how long it took in all."""

    lines: list[tuple[float, str]]
    seconds: float


def ran(arguments: list[str], folder: Path) -> Ran:
    """Run an experiment in a folder's own cache."""
    own = ["--cache", str(folder / "cache"), "--out", str(folder / "out")]
    known = os.environ | {"PYTHONPATH": str(Path(__file__).resolve().parents[1]), "COLUMNS": "200"}
    begun, lines = time.monotonic(), []
    mine = [sys.executable, "-u", "-m", "lab.run", *arguments, *own]
    with subprocess.Popen(mine, stdout=subprocess.PIPE, text=True, env=known) as process:
        assert process.stdout is not None
        for line in process.stdout:
            lines.append((time.monotonic() - begun, line.rstrip()))
    if process.returncode:
        raise InputError(f"{shlex.join(mine)}: ended with {process.returncode}; its own words stand above.")
    return Ran(lines, time.monotonic() - begun)


@dataclass(frozen=True)
class Asked:
    """What to run."""

    file: str = "experiments/lstm_vs_transformer.py"
    """The experiment."""
    settings: str = "--tracking.mode offline"
    """Settings of it, in one text: --settings="--seeds 2"."""
    rounds: int = 1
    """How often."""

    def __post_init__(self) -> None:
        require(self, rounds=1)


def main(asked: Asked) -> None:
    """Estimate, run, and print both."""
    arguments = [asked.file, *shlex.split(asked.settings)]
    for _ in range(asked.rounds):
        with tempfile.TemporaryDirectory() as one, tempfile.TemporaryDirectory() as other:
            estimated = ran([*arguments, "--dry-run", "--estimate"], Path(one))
            run = ran(arguments, Path(other))
        said = next((line for _, line in estimated.lines if line.startswith("estimate: about ")), "")
        foreseen = seconds_of(said.removeprefix("estimate: about ").split(" on this")[0].split(" in ")[0])
        print(f"estimate {foreseen:.0f} s, in {estimated.seconds:.0f} s; truth {run.seconds:.0f} s")
        print(
            f"  estimate / truth {foreseen / run.seconds:.2f}; it took {estimated.seconds / run.seconds:.1%} of the run"
        )
        print("  seconds  left, told  left, true  ratio")
        for when, line in run.lines:
            if (left := estimated_seconds(line)) is not None:
                true = run.seconds - when
                print(f"  {when:7.0f}  {left:10.0f}  {true:10.0f}  {left / max(true, 1):5.2f}", flush=True)


if __name__ == "__main__":
    command("estimates", Asked, main, __doc__)
