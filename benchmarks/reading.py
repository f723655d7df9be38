"""What reading a log's files costs the lab beside polars alone, format by format.

The lab counts the rows of text apart from the parser, and compares. Each format is read by both in turn, round by
round, and the ratio is of the medians. Seconds of CPU are those of all cores, and move less where others use the
machine.

Run:
    python -m benchmarks.reading --events 2000000
    python -m benchmarks.reading --formats quoted.csv --profile
"""

import cProfile
import gzip
import pstats
import shutil
import statistics
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import polars as pl

from benchmarks.shared.command import command, require, require_folder
from benchmarks.shared.large_log import write_log
from lab.core.errors import InputError

FORMATS = ("plain.csv", "quoted.csv", "plain.csv.gz", "log.jsonl", "log.parquet")
COLUMNS = ("user", "item", "time", "category", "behaviour", "price")


@dataclass(frozen=True, kw_only=True)
class Asked:
    """Make a log in several formats, and read each with the lab and with polars alone."""

    events: int = 1_000_000
    """Events of the log that is made."""
    rounds: int = 5
    """How often each is read by both."""
    formats: tuple[str, ...] = FORMATS
    """Which: plain.csv quoted.csv plain.csv.gz log.jsonl log.parquet."""
    folder: Path | None = None
    """Where the files are put for as long as it takes. Default: the system's temporary folder."""
    profile: bool = False
    """Also print where the lab's time goes, of one more reading of each."""

    def __post_init__(self) -> None:
        require(self, "formats", events=1, rounds=1)
        if unknown := [name for name in self.formats if name not in FORMATS]:
            raise InputError(f"--formats: {unknown[0]!r} is none; use some of {', '.join(FORMATS)}.")
        if self.folder is not None:
            require_folder("--folder", self.folder)


def main(asked: Asked) -> None:
    """Print one line for each format."""
    with tempfile.TemporaryDirectory(dir=asked.folder) as folder:
        write_formats(Path(folder), asked.events)
        print(f"{asked.events:,} events, {asked.rounds} rounds, medians of seconds by the clock, and of CPU")
        for name in asked.formats:
            path = Path(folder) / name
            (polars, cpu), (lab, lab_cpu) = _medians(path, asked)
            size = f"{path.stat().st_size / 1e6:.1f} MB"
            print(
                f"{name:<13} {size:>9}  polars {polars:6.3f}  lab {lab:6.3f}  ratio {lab / polars:.2f}   "
                f"of CPU: {cpu:6.3f}  {lab_cpu:6.3f}  {lab_cpu / cpu:.2f}",
                flush=True,
            )
            if asked.profile:
                _profile(path)


def write_formats(folder: Path, events: int) -> None:
    """The same events in each format."""
    write_log(folder / "made.parquet", events)
    frame = pl.read_parquet(folder / "made.parquet", glob=False).with_columns(pl.col("category", "behaviour").cast(str))
    frame.write_csv(folder / "plain.csv")
    frame.write_csv(folder / "quoted.csv", quote_style="always")
    frame.write_ndjson(folder / "log.jsonl")
    frame.write_parquet(folder / "log.parquet")
    with open(folder / "plain.csv", "rb") as plain, gzip.open(folder / "plain.csv.gz", "wb", 6) as packed:
        shutil.copyfileobj(plain, packed)
    (folder / "made.parquet").unlink()


def _medians(path: Path, asked: Asked) -> list[tuple[float, float]]:
    """Seconds by the clock, and of all cores together, of polars and of the lab."""
    ways = (read_with_polars, read_with_lab)
    for way in ways:  # the files are in the system's memory, and everything is imported
        if (rows := way(path)) != asked.events:
            raise AssertionError(f"{way.__name__} read {rows:,} of {asked.events:,} rows of {path.name}")
    rounds = [[_seconds(way, path) for way in ways] for _ in range(asked.rounds)]
    return [
        (statistics.median(one.clock for one in each), statistics.median(one.cpu for one in each))
        for each in zip(*rounds, strict=True)
    ]


class Seconds(NamedTuple):
    clock: float
    cpu: float


def _seconds(way: Callable[[Path], int], path: Path) -> Seconds:
    clock, cpu = time.perf_counter(), time.process_time()
    way(path)
    return Seconds(time.perf_counter() - clock, time.process_time() - cpu)


def read_with_polars(path: Path) -> int:
    """All columns as text, with nothing counted or compared; of Parquet as they are."""
    text: dict[str, Any] = dict.fromkeys(COLUMNS, pl.String)
    if path.name.endswith(".parquet"):
        frame = pl.scan_parquet(path, glob=False)
    elif path.name.endswith(".jsonl"):
        frame = pl.scan_ndjson(path, schema=text)
    else:
        frame = pl.scan_csv(path, schema=text, glob=False)
    return len(frame.collect(engine="streaming"))


def read_with_lab(path: Path) -> int:
    """The same columns as the source `table` reads them, before they are mapped."""
    from lab.data.sources.files import open_files
    from lab.data.sources.text import TextStyle

    opened = open_files(str(path), TextStyle("", True, '"', "utf-8"), wanted=COLUMNS)
    frame = opened.frame().select(COLUMNS).collect(engine="streaming")
    held = opened.records()
    if held is None or held.rows != len(frame):
        raise AssertionError(f"{path.name}: {held} and {len(frame):,} rows")
    return len(frame)


def _profile(path: Path) -> None:
    profile = cProfile.Profile()
    profile.runcall(read_with_lab, path)
    pstats.Stats(profile).sort_stats("tottime").print_stats(15)


if __name__ == "__main__":
    command("reading", Asked, main, __doc__)
