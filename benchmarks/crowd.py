"""How many seeds of an experiment train side by side as one program, and what a cell costs then.

Each of the experiment's models is trained for a few updates and looks at a block of the valid split, with 1, 8 and 32
seeds as one program. With `--edge`, how much memory each more needs tells how many fit an accelerator, and so many are
trained too (fewer where memory did not suffice after all). On a CPU cells of one program run one after the other.

Run: XLA_PYTHON_CLIENT_MEM_FRACTION=.95 python -m benchmarks.crowd experiments/ml1m.py --path ml-1m.txt --edge
"""

import argparse
import gc
from dataclasses import replace
from pathlib import Path

import jax

from benchmarks.judging import dataset
from lab.assembly import assemble
from lab.backend import prepare_backend
from lab.cells import grid
from lab.computing import is_of_memory
from lab.data.dataset import Dataset
from lab.estimate import Trial
from lab.experiment import Experiment
from lab.loading import load_experiment
from lab.models.base import Model

UPDATES = 20
"""In a dispatch; of runs it is many more."""
ROOM = 0.96
"""Share of the memory that the largest number is planned for."""
FEWER = 0.92
"""How many cells are tried after too many."""


def main() -> None:
    """Print a table for each model."""
    assert __doc__ is not None
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("experiment", type=Path)
    parser.add_argument("--path", help="where the experiment's log lies, if it reads one")
    parser.add_argument("--models", nargs="*", default=[], help="some of its models, such as GRU")
    parser.add_argument("--cells", nargs="+", type=int, default=[1, 8, 32])
    parser.add_argument("--edge", action="store_true", help="as many as fit the device, too")
    parser.add_argument("--dtype", default="float32", choices=("float32", "bfloat16"))
    asked = parser.parse_args()
    prepare_backend(None)
    experiment, _ = load_experiment(asked.experiment)
    if asked.path:
        experiment = replace(experiment, source=replace(experiment.source, path=asked.path))  # type: ignore[call-arg]
    data = dataset(experiment)
    print(f"{experiment.name} on {jax.devices()[0].device_kind}, {asked.dtype}")
    for model in experiment.models:
        if not asked.models or type(model).__name__ in asked.models:
            crowds(experiment, data, model, asked)


def crowds(experiment: Experiment, data: Dataset, model: Model, asked: argparse.Namespace) -> None:
    """A line for each number of cells."""
    heads = ("ms an update", "of one", "ms a cell", "look, ms", "GB at most")
    print(f"\n{model}\n{'cells':>7s}" + "".join(f"{head:>14s}" for head in heads))
    first, peaks = 0.0, []
    for count in sorted(asked.cells):
        update, look = trained(experiment, data, model, count, asked.dtype)
        first, peaks = first or update, [*peaks, (count, peak())]
        line(count, update, look, first)
    if not asked.edge or len(peaks) < 2 or not peaks[-1][1]:
        return
    (few, less), (many, more) = peaks[-2:]
    each = (more - less) / (many - few)
    count = int((ROOM * limit() - more) / each) + many
    while count > many:
        try:
            update, look = trained(experiment, data, model, count, asked.dtype)
        except jax.errors.JaxRuntimeError as error:
            if not is_of_memory(error):
                raise
            print(f"{count:7,}  memory does not suffice", flush=True)
            gc.collect()
            count = int(FEWER * count)
        else:
            line(count, update, look, first)
            return


def line(count: int, update: float, look: float, first: float) -> None:
    ms = 1e3 * update
    told = (f"{ms:.2f}", f"{update / first:.2f}", f"{ms / count:.3f}", f"{1e3 * look:.1f}", f"{peak() / 1e9:.1f}")
    print(f"{count:7,}" + "".join(f"{one:>14s}" for one in told), flush=True)


def trained(experiment: Experiment, data: Dataset, model: Model, count: int, dtype: str) -> tuple[float, float]:
    """Seconds of an update of so many cells, and of a look at a block of the valid split, after ones that compile."""
    training = replace(
        experiment.training, steps=UPDATES, evaluate_every=UPDATES, cells_at_once=count, dtype=dtype, split="cells"
    )  # type: ignore[arg-type]
    many = replace(experiment, training=training, seeds=count)
    cells = [cell for cell in grid(many, "none", False) if cell.settings == model]
    trial = Trial(data, assemble(many, data, model, cells))
    trial.start()
    trial.steps(UPDATES), trial.look()
    update = sorted(trial.steps(UPDATES) for _ in range(3))[1] / UPDATES
    return update, sorted(trial.look() for _ in range(3))[1]


def peak() -> float:
    """Bytes that were in use on the device at most, 0 where it does not tell."""
    return (jax.devices()[0].memory_stats() or {}).get("peak_bytes_in_use", 0)


def limit() -> float:
    return (jax.devices()[0].memory_stats() or {})["bytes_limit"]


if __name__ == "__main__":
    main()
