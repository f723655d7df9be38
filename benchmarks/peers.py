r"""Next-item training beside RecBole 1.2.1: seconds of an epoch, targets a
second, memory, time to the same accuracy.

Both learn the same targets of the same log by a softmax over all items, and
after every epoch rank all items for each user's event before the last. A row of
RecBole's is one target with the up to --length events before it; one of the
lab's is a piece of a history, whose every step is asked. In training a step sees
its own piece alone, 1 to --length events up to the target, so that the targets
are the same and the past that each is learned from is shorter on average. With
so many events of the one before as --overlap says each piece begins; they are
read once more. All items are ranked on both sides, those that a user took before
too. Each contender is a process of its own, one after the other, from a cold
start: nothing is compiled before, and compiling counts as training; imports and
reading the log do not, and are told as `ready in`.
Dropout, rows of an update and learning rate are each side's own defaults. Both
are given the CPU, with --gpu a GPU; memory is the process's on the host.

The log is the ml-100k that RecBole brings, or a file of `user item` lines in
order (gzip too), such as SASRec's ml-1m.

RecBole lives in a virtual environment of its own, whose Python is named by
--recbole or RECBOLE_PYTHON:

    python3.11 -m venv .venv-recbole
    .venv-recbole/bin/pip install -r benchmarks/requirements-recbole.txt

Run:
    OMP_WAIT_POLICY=passive python -m benchmarks.peers \
        --recbole .venv-recbole/bin/python
"""

import csv
import gzip
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, fields
from functools import partial
from pathlib import Path
from typing import Literal

from benchmarks.shared.command import command, require, require_folder
from benchmarks.shared.courses import Course, Epoch, Failed, draw, follow
from lab.core.errors import InputError
from lab.core.setting_types import check_distinct

ROOT = Path(__file__).resolve().parents[1]
DEFAULT = ".venv-recbole/bin/python"
PEERS = {"GRU": ("GRU4Rec", 25), "Transformer": ("SASRec", 60)}
"""RecBole's model of the same kind, and how many times faster an epoch is wanted to be."""
SOONER = 20
"""In how many times less time the peer's best accuracy is wanted."""


@dataclass(frozen=True, kw_only=True)
class Asked:
    """What to compare."""

    log: Path | None = None
    """A file of `user item` lines in order. Default: the ml-100k that RecBole brings."""
    models: tuple[Literal["GRU", "Transformer"], ...] = ("GRU", "Transformer")
    """The lab's models to train, each beside RecBole's of its kind."""
    recbole: str = os.environ.get("RECBOLE_PYTHON", DEFAULT)
    """The Python of the virtual environment that has RecBole."""
    epochs: int = 100
    """Passes of RecBole's models at most; they stop before, after 11 without a better valid NDCG@10."""
    seconds: float = 7200.0
    """An epoch that ends after so much training is a model's last."""
    lab_epochs: int = 30
    """Passes of the lab's models."""
    width: int = 64
    """Dimension of embeddings and states."""
    length: int = 50
    """Events that a model looks back on at most."""
    overlap: int = 0
    """Events of the piece before with which each of the lab's begins, in training too; 0: none."""
    gpu: bool = False
    """Train both on a GPU, instead of both on the CPU."""
    seed: int = 0
    """Seed of the models on both sides."""
    curves: Path | None = None
    """Where to put every epoch of every model as CSV, with a figure of accuracy against seconds beside it."""


def main(asked: Asked) -> int:
    """Print the courses as they run, and a table of each pair."""
    check(asked)
    home = recbole_home(asked.recbole)
    if home is None:
        raise InputError(
            f"{asked.recbole} has no RecBole. Make a virtual environment for it, and name its Python by --recbole:\n"
            f"    python3.11 -m venv .venv-recbole\n"
            f"    .venv-recbole/bin/pip install -r benchmarks/requirements-recbole.txt"
        )
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        write_log(folder / "log.csv", pairs(asked.log) if asked.log else shipped(home))
        courses: list[Course] = []
        try:
            for model in asked.models:
                theirs, ours = run_both(model, asked, folder)
                # At once: the next pair may fail, or be stopped.
                show(theirs, ours, PEERS[model][1])
                courses += [theirs, ours]
                if asked.curves is not None:
                    keep(asked.curves, courses)
        except Failed as failed:
            print(failed, file=sys.stderr)
            return 1
    print(f"\n{past(asked)}")
    return 0


def check(asked: Asked) -> None:
    """Raise InputError for what would end the comparison, before anything is trained rather than after it."""
    check_distinct(asked.models, "--models")
    require(asked, "models", epochs=1, seconds=0, lab_epochs=1, width=1, length=1, seed=0)
    if asked.log is not None and not asked.log.is_file():
        raise InputError(f"--log: {asked.log} is no file; name one of `user item` lines in order.")
    if asked.curves is not None:
        require_folder("--curves", asked.curves.parent)
        if asked.curves.is_dir() or asked.curves.suffix == ".png":
            raise InputError(f"--curves: {asked.curves} is to be a CSV file; the figure goes beside it, as PNG.")
    if not 0 <= asked.overlap < asked.length:
        raise InputError(f"--overlap: {asked.overlap}; use 0 to below --length ({asked.length}).")


def past(asked: Asked) -> str:
    """What each target is learned from."""
    least = asked.overlap + 1
    return (
        f"The targets are the same. RecBole learns each from the up to {asked.length} events before it, the lab from\n"
        f"those in its piece of a history, {least} to {asked.length} where the history is long: fewer on average."
    )


def recbole_home(python: str) -> Path | None:
    """Where that Python has RecBole; None where it has none, or is none."""
    find = "import importlib.util as u; print(u.find_spec('recbole').submodule_search_locations[0])"
    try:
        found = subprocess.run([python, "-c", find], capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return None
    return Path(found.stdout.strip())


def shipped(home: Path) -> Iterator[tuple[str, str]]:
    """The ml-100k that RecBole brings, in the order of its times; ties in the order of its rows."""
    with (home / "dataset_example/ml-100k/ml-100k.inter").open() as lines:
        next(lines)
        rows = [line.split("\t") for line in lines]
    rows.sort(key=lambda row: (int(row[0]), float(row[3])))
    yield from ((user, item) for user, item, *_ in rows)


def pairs(path: Path) -> Iterator[tuple[str, str]]:
    """User and item of each line of a file, packed by gzip or not."""
    with gzip.open(path, "rt") if path.suffix == ".gz" else path.open() as lines:
        for number, line in enumerate(lines, 1):
            match line.split():
                case [user, item]:
                    yield user, item
                case _:
                    raise InputError(f"{path}, line {number}: {line.strip()!r} is not a user and an item.")


def write_log(path: Path, events: Iterator[tuple[str, str]]) -> None:
    """The log as both sides read it."""
    with path.open("w", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows([("user", "item"), *events])


def run_both(model: str, asked: Asked, folder: Path) -> tuple[Course, Course]:
    """RecBole's course and the lab's."""
    peer = PEERS[model][0]
    theirs = course(f"{peer} (RecBole)", asked.recbole, "recbole_side", peer, asked.epochs, asked, folder)
    ours = course(f"{model} (lab)", sys.executable, "lab_side", model, asked.lab_epochs, asked, folder)
    return theirs, ours


def course(name: str, python: str, side: str, model: str, epochs: int, asked: Asked, folder: Path) -> Course:
    """Run one contender in an empty folder of its own."""
    place = folder / side / model
    place.mkdir(parents=True)
    flags = flags_of(side, epochs, asked)
    # Not resolved: a virtual environment's Python is a link, and knows by its place what it has.
    command = [str(Path(python).absolute()) if os.sep in python else python]
    command += ["-m", f"benchmarks.{side}", model, str(folder / "log.csv"), *flags]
    # Named to JAX, which takes a GPU wherever it finds one, and fails where it finds none and is told of one.
    environment = os.environ | {"PYTHONPATH": str(ROOT), "JAX_PLATFORMS": "cuda" if asked.gpu else "cpu"}
    return follow(name, command, place, environment, partial(print, f"{name}:", flush=True))


def flags_of(side: str, epochs: int, asked: Asked) -> list[str]:
    """What one side is told."""
    settings: dict[str, int | float] = {"width": asked.width, "length": asked.length, "seed": asked.seed}
    settings |= {"seconds": asked.seconds, "epochs": epochs}
    if side == "lab_side":
        settings |= {"overlap": asked.overlap}
    flags = [part for key, value in settings.items() for part in (f"--{key}", str(value))]
    return [*flags, "--gpu"] if asked.gpu and side == "recbole_side" else flags


def show(theirs: Course, ours: Course, faster: int) -> None:
    """A line for each of the two and one for what lies between them."""
    until = f"s to {theirs.best:.4f}"
    print(f"\n{'':22}{'on':>6}{'s/epoch':>9}{'targets/s':>11}{'peak GB':>9}{'best NDCG@10':>14}{until:>14}")
    for one in (theirs, ours):
        reached = one.reaches(theirs.best)
        print(
            f"{one.name:22}{one.device:>6}{one.seconds:9.2f}{one.targets / one.seconds:11,.0f}{one.peak:9.2f}"
            f"{one.best:14.4f}"
            f"{'not reached' if reached is None else f'{reached:.1f}':>14}"
        )
    per_target = (theirs.seconds / theirs.targets) / (ours.seconds / ours.targets)
    print(f"  the lab's epoch is {per_target:.1f} times as fast, target for target (wanted: {faster})")
    reached, needed = ours.reaches(theirs.best), theirs.reaches(theirs.best)
    assert needed is not None
    if reached is None:
        print(f"  the lab does not reach RecBole's best in {len(ours.epochs)} epochs")
    else:
        print(f"  RecBole's best NDCG@10 {needed / reached:.1f} times sooner (wanted: {SOONER})")
    sys.stdout.flush()


def keep(path: Path, courses: list[Course]) -> None:
    """Every epoch as CSV, and a figure of accuracy against seconds."""
    names = [f.name for f in fields(Epoch)]
    with path.open("w", newline="") as file:
        rows = csv.writer(file, lineterminator="\n")
        rows.writerow(["model", *names])
        rows.writerows([one.name, *(getattr(e, n) for n in names)] for one in courses for e in one.epochs)
    lines = [(one.name, [e.since for e in one.epochs], [e.ndcg for e in one.epochs]) for one in courses]
    draw(lines, path.with_suffix(".png"))


if __name__ == "__main__":
    command("peers", Asked, main, __doc__)
