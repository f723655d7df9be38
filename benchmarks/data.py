"""From a file of events to histories on disk: rows a second and peak memory, beside pandas and a bare read and sort.

Run: python benchmarks/data.py --events 20000000
"""

import multiprocessing
import resource
import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

import numpy as np
import tyro
from large_log import write_log

EVENTS = 2_000_000


@dataclass(frozen=True, kw_only=True)
class Measure:
    """Make a log, and measure each way from its file to histories in a process of its own."""

    events: int = EVENTS
    """How large the log is."""
    folder: Path | None = None
    """Where the log and the histories are put for as long as it takes. Default: the system's temporary folder."""
    pandas: bool = True
    """Also the straightforward way, whose memory grows fastest."""


def main() -> int:
    """Print one line for each way."""
    asked = tyro.cli(Measure, description=__doc__)
    with tempfile.TemporaryDirectory(dir=asked.folder) as folder:
        _measure(asked, Path(folder))
    return 0


def _measure(asked: Measure, folder: Path) -> None:
    log = folder / "log.parquet"
    _say(f"made {asked.events:,} events", asked.events, _apart(write_log, log, asked.events))
    bare = _apart(read_and_sort, log)
    _say("polars, bare read + sort", asked.events, bare)
    built = _apart(prepare_log, log, folder / "cache")
    _say("lab, file to histories on disk", asked.events, built)
    print(f"  {built.seconds / bare.seconds:.2f} times the bare read + sort (wanted: at most 2.5)")
    time.sleep(3)  # hashes are remembered of files that have lain still for a while
    _apart(prepare_log, log, folder / "cache")
    served = _apart(prepare_log, log, folder / "cache")
    _say("lab, served from the cache", asked.events, served)
    shutil.rmtree(folder / "cache")
    if asked.pandas:
        _say("pandas, file to histories on disk", asked.events, _apart(pandas_histories, log, folder / "pandas"))


@dataclass(frozen=True)
class Cost:
    """What a piece of work took."""

    seconds: float
    peak: float
    """GB of resident memory at most, Python and the libraries included."""


def _say(name: str, events: int, cost: Cost) -> None:
    speed = f"{events / cost.seconds / 1e6:.2f} million rows/s"
    print(f"{name}: {cost.seconds:.2f} s, {speed}, at most {cost.peak:.2f} GB", flush=True)


def _apart(work: Callable[..., object], *arguments: object) -> Cost:
    """Run a function in a fresh process."""
    context = multiprocessing.get_context("spawn")
    here, there = context.Pipe()
    process = context.Process(target=_timed, args=(there, work, arguments))
    process.start()
    there.close()
    try:
        cost = here.recv()
    except EOFError:
        sys.exit(f"{work.__name__} did not end well; was there enough memory?")  # type: ignore[attr-defined]
    process.join()
    return cost


def _timed(connection, work: Callable[..., object], arguments: tuple[object, ...]) -> None:
    # Imports are not what is measured.
    for module in ("pandas", "polars", "lab.data.cache", "lab.data.sources.table"):
        import_module(module)
    begun = time.perf_counter()
    work(*arguments)
    connection.send(Cost(time.perf_counter() - begun, _peak_gb()))


def _peak_gb() -> float:
    """Of this process alone; Linux tells it apart from that of the process it was started from."""
    try:
        lines = Path("/proc/self/status").read_text().splitlines()
    except OSError:
        unit = 1 if sys.platform == "darwin" else 1024
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e9
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) * 1024 / 1e9


def read_and_sort(log: Path) -> None:
    """The limit: all columns in memory, by user and time."""
    import polars as pl

    pl.scan_parquet(log).sort("user", "time").collect(engine="streaming")


def prepare_log(log: Path, cache: Path) -> None:
    """The lab's way."""
    from lab.data.cache import prepare
    from lab.data.sources import Table

    prepare(Table(path=str(log)), cache=cache)


def pandas_histories(log: Path, folder: Path) -> None:
    """Read, leave out exact duplicates, number the names in order, sort, cut, write: nothing checked."""
    import pandas as pd

    frame = pd.read_parquet(log).drop_duplicates()
    folder.mkdir()
    for name in ("user", "item", "category", "behaviour"):
        frame[name], names = pd.factorize(frame[name], sort=True)
        pd.Series(names).to_frame("name").to_parquet(folder / f"{name}.parquet")
    frame = frame.sort_values(["user", "time"], kind="stable")
    offsets = np.append(0, np.cumsum(np.bincount(frame["user"])))
    np.save(folder / "offsets.npy", offsets)
    for name in ("item", "category", "time", "behaviour", "price"):
        np.save(folder / f"{name}.npy", frame[name].to_numpy())


if __name__ == "__main__":
    sys.exit(main())
