"""What memory this process holds, as Linux tells it."""

import ctypes
from pathlib import Path


def resident(what: str) -> float:
    """GB of this process alone: VmHWM for the most since it began or `forget`, RssAnon for its own right now."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(what)) * 1024 / 1e9


def forget() -> None:
    """Give back what is free, and begin anew to note what is held at most."""
    ctypes.CDLL(None).malloc_trim(0)
    Path("/proc/self/clear_refs").write_text("5")
