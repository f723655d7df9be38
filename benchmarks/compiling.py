"""What share of a run goes into compiling: with an empty cache of compiled programs, and with a full one.

Tracing, lowering and XLA's compilation all count, on whichever thread, and so does reading a kept program. A run is
what the command does from its first import to its last table, on a log that is not cached either the first time.

Run: python -m benchmarks.compiling [experiments/lstm_vs_transformer.py and flags of the experiment]
"""

import json
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from pathlib import Path

MAIN_JOB = "experiments/lstm_vs_transformer.py"
PREFIX = "/jax/core/compile/"
BACKEND = "backend_compile_duration"


def timed(note: Path, arguments: list[str]) -> None:
    """Run the command here; leave in `note` the seconds of each kind of compiling, and of the slowest programs."""
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


def run(folder: Path, cache: str, arguments: list[str]) -> None:
    """One run in a process of its own, and a line on it."""
    note, out = folder / "note.json", folder / f"out-{cache}"
    own = ["--cache", str(folder / "cache"), "--out", str(out), "--tracking.mode", "off"]
    begun = time.perf_counter()
    command = [sys.executable, "-m", "benchmarks.compiling", "--note", str(note), *arguments, *own]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    whole = time.perf_counter() - begun
    found = json.loads(note.read_text())
    total = sum(found["spent"].values())
    print(f"{cache} cache: {total:.1f} s of {whole:.1f} s compile, {total / whole:.1%} (wanted: under 20 %)")
    print("  " + ", ".join(f"{kind.removesuffix('_duration')} {s:.1f} s" for kind, s in found["spent"].items()))
    slow = [(seconds, name) for seconds, name in found["programs"] if seconds >= 1]
    print("  slowest: " + (", ".join(f"{name} {seconds:.1f} s" for seconds, name in slow) or "none of a second"))
    sys.stdout.flush()


def main() -> None:
    """Print three lines for an empty cache, and three for a full one."""
    if sys.argv[1:2] == ["--note"]:
        timed(Path(sys.argv[2]), sys.argv[3:])
        return
    with tempfile.TemporaryDirectory() as folder:
        for cache in ("empty", "full"):
            run(Path(folder), cache, sys.argv[1:] or [MAIN_JOB])


if __name__ == "__main__":
    main()
