"""From a file of events to histories on disk, and a training from there: speed,
memory, padding, waiting.

Run:
    python -m benchmarks.data --events 20000000
    python -m benchmarks.data --events 100000000 --no-pandas --train
"""

import multiprocessing
import shutil
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

import numpy as np

from benchmarks.shared.command import command, require, require_folder
from benchmarks.shared.large_log import write_log
from benchmarks.shared.memory import resident
from lab.core.errors import FaultError, LabError

EVENTS = 2_000_000

HORIZONS = (7.0,)
"""Days; rules that need statistics are fitted by them."""


@dataclass(frozen=True, kw_only=True)
class Asked:
    """Make a log, and measure each way from its file to histories in a process of its own."""

    events: int = EVENTS
    """Events of the log that is made."""
    folder: Path | None = None
    """Where the log and the histories are put for as long as it takes. Default: the system's temporary folder."""
    pandas: bool = True
    """Also measure the straightforward way, with pandas, whose memory grows fastest."""
    train: bool = False
    """Also train and judge an LSTM on the histories."""
    steps: int = 600
    """Updates to train it for, with --train."""

    def __post_init__(self) -> None:
        require(self, events=1, steps=1)
        if self.folder is not None:
            require_folder("--folder", self.folder)


def main(asked: Asked) -> None:
    """Print one line for each way."""
    with tempfile.TemporaryDirectory(dir=asked.folder) as folder:
        _measure(asked, Path(folder))


def _measure(asked: Asked, folder: Path) -> None:
    log = folder / "log.parquet"
    _say(f"made {asked.events:,} events", asked.events, _measure_in_process(write_log, log, asked.events))
    bare = _measure_in_process(read_and_sort, log)
    _say("polars, bare read + sort", asked.events, bare)
    built = _measure_in_process(prepare_log, log, folder / "cache")
    _say("lab, file to histories on disk", asked.events, built)
    print(f"  {built.seconds / bare.seconds:.2f} times the bare read + sort (wanted: at most 2.5)")
    time.sleep(3)  # hashes are remembered of files that have lain still for a while
    _measure_in_process(prepare_log, log, folder / "cache")
    served = _measure_in_process(prepare_log, log, folder / "cache")
    _say("lab, served from the cache", asked.events, served)
    if asked.train:
        _say_trained(_measure_in_process(train_on, log, folder / "cache", folder / "results", asked.steps))
    shutil.rmtree(folder / "cache")
    if asked.pandas:
        _say(
            "pandas, file to histories on disk",
            asked.events,
            _measure_in_process(pandas_histories, log, folder / "pandas"),
        )


@dataclass(frozen=True)
class Cost:
    """What a piece of work took."""

    seconds: float
    peak: float
    """GB of resident memory at most, Python and the libraries included."""
    own: float
    """GB of it at most that no file stands behind."""


def _say(name: str, events: int, cost: Cost) -> None:
    speed = f"{events / cost.seconds / 1e6:.2f} million rows/s"
    print(f"{name}: {cost.seconds:.2f} s, {speed}, at most {cost.peak:.2f} GB", flush=True)


def _say_trained(cost: Cost) -> None:
    print(f"lab, all of a run on these histories: {cost.seconds:.0f} s")
    print(f"  at most {cost.peak:.2f} GB resident (wanted: under 6), of it {cost.own:.2f} GB not of files", flush=True)


def _measure_in_process(work: Callable[..., object], *arguments: object) -> Cost:
    """Run a function in a fresh process. Raises what it says of a mistake or a fault."""
    context = multiprocessing.get_context("spawn")
    here, there = context.Pipe()
    process = context.Process(target=_timed, args=(there, work, arguments))
    process.start()
    there.close()
    try:
        found = here.recv()
    except EOFError:
        name = work.__name__  # type: ignore[attr-defined]
        raise FaultError(f"{name} did not end well; was there enough memory?") from None
    process.join()
    if isinstance(found, LabError):
        raise found
    return Cost(*found)


def _timed(connection, work: Callable[..., object], arguments: tuple[object, ...]) -> None:
    # Imports are not what is measured.
    for module in ("pandas", "polars", "lab.data.log.cache", "lab.data.sources.table"):
        import_module(module)
    own = [resident("RssAnon")]
    threading.Thread(target=_watch, args=(own,), daemon=True).start()
    begun = time.perf_counter()
    try:
        work(*arguments)
    except LabError as error:
        connection.send(error)
        return
    connection.send((time.perf_counter() - begun, resident("VmHWM"), max(own)))


def _watch(own: list[float]) -> None:
    while True:
        own.append(resident("RssAnon"))
        time.sleep(0.1)


def read_and_sort(log: Path) -> None:
    """The limit: all columns in memory, by user and time."""
    import polars as pl

    pl.scan_parquet(log, glob=False).sort("user", "time").collect(engine="streaming")


def prepare_log(log: Path, cache: Path) -> None:
    """The lab's way."""
    from lab.data.log.cache import prepare_log
    from lab.data.sources import Table

    prepare_log(Table(path=str(log)), horizons=HORIZONS, cache=cache)


def train_on(log: Path, cache: Path, results: Path, steps: int) -> None:
    """A run as `python -m lab.run` does it, which prints the padding of its rows and how long devices waited."""
    from rich.console import Console

    from lab import Experiment, Training
    from lab.baselines import DecayedPersonal, RecentPopularity
    from lab.data.sources import Table
    from lab.models import LSTM
    from lab.running.backend import prepare_backend
    from lab.running.run_settings import RunSettings
    from lab.running.runner import Run
    from lab.targets import Interest
    from lab.tracking.tracker import Tracking

    prepare_backend(cache)
    experiment = Experiment(
        name="large",
        source=Table(path=str(log)),
        target=Interest(),
        horizons=HORIZONS,
        features={"full": ("category", "behaviour", "time", "price", "habit", "popularity")},
        models=(LSTM(width=64),),
        seeds=1,
        training=Training(steps=steps, patience=0),
        baselines=(RecentPopularity(), DecayedPersonal()),
    )
    Run(experiment, RunSettings(results, cache, Tracking(mode="off"), Console(), report=False)).compute()


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
    command("data", Asked, main, __doc__)
