"""What share of a run goes into compiling: with an empty cache of compiled
programs, and with a full one.

Tracing, lowering and XLA's compilation all count, on whichever thread, and so
does reading a kept program. A run is what the command does from its first
import to its last table, on a log that is not cached either the first time.

Run:
    python -m benchmarks.compiling --flags="--seeds 3"
    python -m benchmarks.compiling experiments/next_item.py
"""

import json
import shlex
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

import tyro

from benchmarks.shared.command import command
from lab.core.errors import InputError

PREFIX = "/jax/core/compile/"
BACKEND = "backend_compile_duration"


@dataclass(frozen=True)
class Asked:
    """Which run to measure."""

    experiment: tyro.conf.Positional[Path] = Path("experiments/lstm_vs_transformer.py")
    """The experiment's file."""
    flags: str = ""
    """Flags of the experiment, in quotes and behind an equals sign."""
    note: Path | None = None
    """Run it once, in this process, and leave in this file what was spent."""

    def __post_init__(self) -> None:
        if not self.experiment.is_file():
            raise InputError(f"{self.experiment}: there is no such file; name an experiment's.")
        if stops := {"-h", "--help", "--dry-run", "--estimate", "--list", "--stale", "--status"} & set(self.words):
            raise InputError(f"--flags: {min(stops)} makes a run stop before it trains; leave it out.")

    @property
    def words(self) -> list[str]:
        """The flags, apart. Raises InputError where a quote is not closed."""
        try:
            return shlex.split(self.flags)
        except ValueError as error:
            raise InputError(f"--flags: {self.flags} cannot be read ({error}); close each quote.") from None


def timed(note: Path, arguments: list[str]) -> None:
    """Run the command here, and leave as it does.

    Into `note` go the seconds of each kind of compiling, and of the slowest programs.
    """
    import jax

    from lab.run import main

    spent: dict[str, float] = defaultdict(float)
    programs: list[tuple[float, str]] = []

    def hear(event: str, duration_secs: float, **kwargs: str | int) -> None:
        if event.startswith(PREFIX):
            spent[event.removeprefix(PREFIX)] += duration_secs
            if event.endswith(BACKEND):
                programs.append((duration_secs, str(kwargs.get("fun_name", ""))))

    jax.monitoring.register_event_duration_secs_listener(hear)
    try:
        sys.argv[1:] = arguments
        main()
    finally:
        note.write_text(json.dumps({"spent": spent, "programs": sorted(programs, reverse=True)}))


def run(folder: Path, cache: str, asked: Asked) -> int:
    """One run in a process of its own, and lines on it; its exit code."""
    note, out = folder / "note.json", folder / f"out-{cache}"
    own = ["--cache", str(folder / "cache"), "--out", str(out), "--tracking.mode", "off"]
    flags = shlex.join([*asked.words, *own])
    noting = [sys.executable, "-m", "benchmarks.compiling", str(asked.experiment), f"--flags={flags}"]
    begun = time.perf_counter()
    if code := subprocess.run([*noting, "--note", str(note)], check=False, stdout=subprocess.DEVNULL).returncode:
        return code
    whole = time.perf_counter() - begun
    found = json.loads(note.read_text())
    total = sum(found["spent"].values())
    print(f"{cache} cache: {total:.1f} s of {whole:.1f} s compile, {total / whole:.1%} (wanted: under 20 %)")
    print("  " + ", ".join(f"{kind.removesuffix('_duration')} {s:.1f} s" for kind, s in found["spent"].items()))
    slow = [(seconds, name) for seconds, name in found["programs"] if seconds >= 1]
    print("  slowest: " + (", ".join(f"{name} {seconds:.1f} s" for seconds, name in slow) or "none of a second"))
    sys.stdout.flush()
    return 0


def main(asked: Asked) -> int:
    """Print three lines for an empty cache, and three for a full one; the exit code of the first run that fails."""
    if asked.note is not None:
        timed(asked.note, [str(asked.experiment), *asked.words])
        return 0
    with tempfile.TemporaryDirectory() as folder:
        return run(Path(folder), "empty", asked) or run(Path(folder), "full", asked)


if __name__ == "__main__":
    command("compiling", Asked, main, __doc__)
