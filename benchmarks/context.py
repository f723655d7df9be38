"""What each evaluated query of next items sees of its user's past, and what reading
that costs beside cutting histories from their ends.

Of the valid and the test split: how many queries there are, how many steps are
read for them and in how long (by the experiment's first model, untrained), how
many queries have a row of steps or more before them, and how many of these each
is read from, at least and in the median. Where histories are cut from their
ends, from where a query is read hangs on what follows it: for comparison alone.

Run:
    python -m benchmarks.context experiments/next_item.py
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import tyro

from benchmarks.crowd import asked_for
from benchmarks.judging import dataset
from benchmarks.shared.clock import seconds
from benchmarks.shared.command import command, require
from lab.core.errors import InputError
from lab.data.rows.layout import PackedRows
from lab.data.rows.packing import cut_from_end, pack
from lab.dataset.dataset import Dataset
from lab.experiment.cells import grid
from lab.experiment.experiment import Experiment
from lab.running.assembly import assemble, cell_arrays, evaluation_sizes
from lab.running.backend import prepare_backend
from lab.training.feeding import Feed
from lab.training.fit import predict
from lab.training.program import Program
from lab.training.step import initial_params

HEADS = ("queries", "steps read", "padding", "seconds", "a row back", "sees", "median")


@dataclass(frozen=True)
class Asked:
    """Which experiment of next items to lay out."""

    experiment: tyro.conf.Positional[Path] = Path("experiments/next_item.py")
    """The experiment's file."""
    path: str | None = None
    """Where the experiment's log lies, if it reads one."""
    row_length: int | None = None
    """Steps in a row. Default: the experiment's."""

    def __post_init__(self) -> None:
        require(self, row_length=2)


def main(asked: Asked) -> None:
    """Print a line for each split and way of cutting."""
    prepare_backend(None)
    experiment = declared(asked)
    data = dataset(experiment)
    program, arrays, params = untrained(experiment, data)
    print(f"{'':22s}" + "".join(f"{head:>12s}" for head in HEADS))
    for name in ("valid", "test"):
        for way, packed in both_ways(data.splits[name].packed, experiment.training.overlap):
            feed = Feed(packed, data.splits[name].tables, (), evaluation_sizes(with_packed(data, name, packed), name))

            def read(feed: Feed = feed) -> None:
                for _ in predict(program, arrays, params, feed):
                    pass

            print(f"{name + ', ' + way:22s}" + "".join(f"{value:>12s}" for value in line(packed, seconds(read))))


def declared(asked: Asked) -> Experiment:
    """The experiment with what the command line changes. Raises InputError for one of another target."""
    experiment = asked_for(asked)
    if experiment.target.asks != "events":
        raise InputError(f"{asked.experiment}: asks {experiment.target.name}; name an experiment of next items.")
    if asked.row_length is None:
        return experiment
    overlap = min(experiment.training.overlap, asked.row_length - 1)
    training = replace(experiment.training, row_length=asked.row_length, overlap=overlap)
    return replace(experiment, training=training)


def untrained(experiment: Experiment, data: Dataset) -> tuple[Program, list, list[np.ndarray]]:
    """The program of the first model on its first feature set, and the parameters it begins with."""
    cell = next(cell for cell in grid(experiment, "none", False) if cell.kind == "model")
    assembly = assemble(experiment, data, experiment.models[0], [cell])
    learner, arrays, train = assembly.program.learner, cell_arrays(cell, data), data.splits["train"]
    first = initial_params(learner.network, arrays, train.packed.take(np.zeros(1, np.int64)), train.tables)
    return assembly.program, [arrays], [np.asarray(learner.flat.ravel(first))]


def both_ways(packed: PackedRows, overlap: int) -> Iterator[tuple[str, PackedRows]]:
    """The rows of a split cut from the histories' ends, and as they are."""
    segments = cut_from_end(packed.steps, packed.length, overlap)
    yield "from the ends", replace(packed, segments=segments, packing=pack(segments.length, packed.length))
    yield "forward", packed


def with_packed(data: Dataset, name: str, packed: PackedRows) -> Dataset:
    return replace(data, splits={**data.splits, name: replace(data.splits[name], packed=packed)})


def line(packed: PackedRows, seconds: float) -> Iterator[str]:
    """What there is to say of the rows of one split."""
    steps, segments = packed.steps, packed.segments
    begin = np.repeat(segments.begin, segments.query_stop - segments.query_begin)
    long = steps.asked - steps.offsets[steps.owner[steps.asked]] >= packed.length
    seen = (steps.asked - begin)[long]
    yield f"{len(steps.asked):,}"
    yield f"{segments.length.sum():,}"
    yield f"{packed.padding:.1%}"
    yield f"{seconds:.2f}"
    yield f"{len(seen):,}"
    yield f"{seen.min():,}" if len(seen) else "-"
    yield f"{np.median(seen):,.0f}" if len(seen) else "-"


if __name__ == "__main__":
    command("context", Asked, main, __doc__)
