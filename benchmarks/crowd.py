r"""How many seeds of an experiment train side by side as one program, and what a
cell costs then.

Each of the experiment's models is trained for a few updates and looks at a
block of the valid split, with 1, 8 and 32 seeds as one program. With `--edge`,
how much memory each more needs tells how many fit an accelerator, and so many
are trained too (fewer where memory did not suffice after all). On a CPU cells
of one program run one after the other.

Each model has a process of its own: a device tells only the most that a process
ever held there.

Run:
    XLA_PYTHON_CLIENT_MEM_FRACTION=.95 python -m benchmarks.crowd \
        experiments/ml1m.py --path ml-1m.txt --edge
"""

import gc
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Protocol

import jax
import tyro

from benchmarks.judging import dataset
from benchmarks.shared.command import command, require
from benchmarks.shared.packed import Dtype
from lab.core.errors import InputError
from lab.data.sources import Table
from lab.dataset.dataset import Dataset
from lab.experiment.cells import grid
from lab.experiment.experiment import Experiment
from lab.experiment.loading import load_experiment
from lab.models.base import Model
from lab.running.assembly import assemble
from lab.running.backend import prepare_backend
from lab.running.estimate import Trial
from lab.running.failures import is_out_of_memory


class Logged(Protocol):
    """A command line that names an experiment's file, and where its log lies."""

    @property
    def experiment(self) -> Path: ...
    @property
    def path(self) -> str | None: ...


UPDATES = 20
"""In a dispatch; of runs it is many more."""
ROOM = 0.96
"""Share of the memory that the largest number is planned for."""
FEWER = 0.92
"""How many cells are tried after too many."""
HEADS = ("ms an update", "of the fewest", "ms a cell", "look, ms", "GB at most")


@dataclass(frozen=True)
class Asked:
    """Which experiment to train, and how."""

    experiment: tyro.conf.Positional[Path]
    """The experiment's file."""
    path: str | None = None
    """Where the experiment's log lies, if it reads one."""
    models: tuple[str, ...] = ()
    """Train only these of its models, such as GRU. Default: all."""
    cells: tuple[int, ...] = (1, 8, 32)
    """How many seeds to train as one program, a line for each."""
    edge: bool = False
    """Also train as many as fit the device."""
    dtype: Dtype = "float32"
    """Number format that the networks compute in."""
    alone: int | None = None
    """Train only the model at this place of the experiment, counted from 0, in this process."""

    def __post_init__(self) -> None:
        require(self, cells=1, alone=0)
        if self.edge and len(set(self.cells)) < 2:
            raise InputError(
                "--edge: what a cell more needs is told by two numbers of cells; give --cells two or more."
            )


def main(asked: Asked) -> int:
    """Print a table for each model."""
    experiment = asked_for(asked)
    if asked.alone is not None:
        if asked.alone > (last := len(experiment.models) - 1):
            raise InputError(f"--alone: {asked.alone} is no model's place in {experiment.name}; use 0 to {last}.")
        prepare_backend(None)
        crowds(experiment, dataset(experiment), experiment.models[asked.alone], asked)
        return 0
    for place in choose_models(experiment, asked.models):
        # This process never touches a device, so that all of its memory is the child's.
        alone = [sys.executable, "-m", "benchmarks.crowd", *sys.argv[1:], "--alone", str(place)]
        if code := subprocess.run(alone, check=False).returncode:
            return code
    return 0


def asked_for(asked: "Logged") -> Experiment:
    """The experiment, its log where the command line says that it lies. Raises InputError for what cannot be."""
    experiment, _ = load_experiment(asked.experiment)
    source = experiment.source
    if asked.path is None:
        if isinstance(source, Table) and source.path is None and source.frame is None:
            raise InputError(f"--path: {experiment.name} reads a log; say where it lies.")
        return experiment
    if "path" not in {field.name for field in fields(source)}:
        raise InputError(
            f"--path: {type(source).__name__}, the source of {experiment.name}, reads no log; leave it out."
        )
    return replace(experiment, source=replace(source, path=asked.path))  # type: ignore[call-arg]


def choose_models(experiment: Experiment, names: Sequence[str]) -> list[int]:
    """The places of the models of these names, of all where none is named. Raises InputError for an unknown one."""
    kinds = [type(model).__name__ for model in experiment.models]
    for name in names:
        if name not in kinds:
            known = ", ".join(dict.fromkeys(kinds))
            raise InputError(f"--models: {name} is no model of {experiment.name}; it has {known}.")
    return [place for place, kind in enumerate(kinds) if not names or kind in names]


def crowds(experiment: Experiment, data: Dataset, model: Model, asked: Asked) -> None:
    """A line for each number of cells."""
    print(f"\n{experiment.name} on {jax.devices()[0].device_kind}, {asked.dtype}: {model}")
    print(f"{'cells':>7s}" + "".join(f"{head:>14s}" for head in HEADS))
    first, peaks = 0.0, []
    for count in sorted(set(asked.cells)):
        update, look = trained(experiment, data, model, count, asked.dtype)
        first, peaks = first or update, [*peaks, (count, peak())]
        print(line(count, update, look, first, peak()), flush=True)
    if not asked.edge:
        return
    count = fitting(peaks, limit())
    if count is None:
        print("how many fit is not known: a cell more did not raise what the device held at most, if it tells that")
        return
    most: float | None = None
    while count > peaks[-1][0]:
        try:
            update, look = trained(experiment, data, model, count, asked.dtype)
        except jax.errors.JaxRuntimeError as error:
            if not is_out_of_memory(error):
                raise
            print(f"{count:7,}  memory does not suffice", flush=True)
            gc.collect()
            # What was held at most is from here on what the attempt held.
            count, most = int(FEWER * count), 0.0
        else:
            print(line(count, update, look, first, peak() if most is None else most), flush=True)
            return
    print(f"no more than {peaks[-1][0]:,} fit")


def fitting(peaks: Sequence[tuple[int, float]], limit: float) -> int | None:
    """How many cells fit, by what the last two numbers of them held; None where that does not tell."""
    (few, less), (many, more) = peaks[-2:]
    each = (more - less) / (many - few)
    return None if each <= 0 else max(int((ROOM * limit - more) / each), 0) + many


def line(count: int, update: float, look: float, first: float, held: float) -> str:
    """A row of the table; a dash where the device does not tell what it held."""
    ms = 1e3 * update
    told = [f"{ms:.2f}", f"{update / first:.2f}", f"{ms / count:.3f}", f"{1e3 * look:.1f}"]
    told.append(f"{held / 1e9:.1f}" if held else "-")
    return f"{count:7,}" + "".join(f"{one:>14s}" for one in told)


def trained(experiment: Experiment, data: Dataset, model: Model, count: int, dtype: str) -> tuple[float, float]:
    """Seconds of an update of so many cells, and of a look at a block of the valid split, after ones that compile."""
    training = replace(
        experiment.training, steps=UPDATES, evaluate_every=UPDATES, cells_at_once=count, dtype=dtype, split="cells"
    )  # type: ignore[arg-type]
    many = replace(experiment, training=training, seeds=count)
    assembly = assemble(many, data, model, [cell for cell in grid(many, "none", False) if cell.settings == model])
    assert assembly.program.steps >= UPDATES  # or the rest of them would be no updates, and be timed as such
    trial = Trial(data, assembly)
    trial.start()
    trial.steps(UPDATES)
    trial.look()
    update = sorted(trial.steps(UPDATES) for _ in range(3))[1] / UPDATES
    return update, sorted(trial.look() for _ in range(3))[1]


def peak() -> float:
    """Bytes that were in use on the device at most, 0 where it does not tell."""
    return (jax.devices()[0].memory_stats() or {}).get("peak_bytes_in_use", 0)


def limit() -> float:
    """Bytes that there are on the device, 0 where it does not tell."""
    return (jax.devices()[0].memory_stats() or {}).get("bytes_limit", 0)


if __name__ == "__main__":
    command("crowd", Asked, main, __doc__)
