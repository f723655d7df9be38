"""What a newcomer waits for: help texts, and a shop of a million events.

Run: python -m benchmarks.first_contact
"""

import subprocess
import sys
from collections.abc import Callable

from benchmarks.clock import RUNS, seconds
from lab.data.sources import SyntheticShop


def command(*arguments: str) -> Callable[[], object]:
    """The lab's command in a fresh process."""
    return lambda: subprocess.run([sys.executable, "-m", "lab.run", *arguments], check=True, capture_output=True)


def main() -> None:
    """Print one line for each figure."""
    help_ = seconds(command("--help"), compiles=False)
    print(f"python -m lab.run --help: {help_:.2f} s (wanted: under 1)")
    settings = seconds(command("experiments/lstm_vs_transformer.py", "--help"), compiles=False)
    print(f"python -m lab.run experiments/lstm_vs_transformer.py --help: {settings:.2f} s (wanted: under 2.5)")
    shop = SyntheticShop(users=14_000)
    events = len(shop.scan().frame.collect())
    # A shop of other seed each time, since a shop builds its world once.
    seeds = iter(range(RUNS))
    made = seconds(lambda: SyntheticShop(users=14_000, seed=next(seeds)).scan().frame.collect(), compiles=False)
    print(f"SyntheticShop(users=14_000), {events:,} events: {made:.2f} s (wanted: a million in under 10)")


if __name__ == "__main__":
    main()
