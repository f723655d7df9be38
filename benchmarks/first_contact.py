"""What a newcomer waits for: help texts, and a shop of a million events.

Run:
    python -m benchmarks.first_contact
"""

import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass

from benchmarks.shared.clock import RUNS, seconds
from benchmarks.shared.command import command
from lab.data.sources import SyntheticShop


def lab_run(*arguments: str) -> Callable[[], object]:
    """The lab's command in a fresh process."""
    return lambda: subprocess.run([sys.executable, "-m", "lab.run", *arguments], check=True, capture_output=True)


@dataclass(frozen=True)
class Asked:
    """Nothing: all of it is fixed."""


def main(asked: Asked) -> None:
    """Print one line for each figure."""
    help_ = seconds(lab_run("--help"), compiles=False)
    print(f"python -m lab.run --help: {help_:.2f} s (wanted: under 1)")
    settings = seconds(lab_run("experiments/lstm_vs_transformer.py", "--help"), compiles=False)
    print(f"python -m lab.run experiments/lstm_vs_transformer.py --help: {settings:.2f} s (wanted: under 2.5)")
    shop = SyntheticShop(users=14_000)
    events = len(shop.scan().frame.collect())
    # A shop of other seed each time, since a shop builds its world once.
    seeds = iter(range(RUNS))
    made = seconds(lambda: SyntheticShop(users=14_000, seed=next(seeds)).scan().frame.collect(), compiles=False)
    print(f"SyntheticShop(users=14_000), {events:,} events: {made:.2f} s (wanted: a million in under 10)")


if __name__ == "__main__":
    command("first_contact", Asked, main, __doc__)
