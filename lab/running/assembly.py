"""From declarations to what trains: a model's program and its cells' arrays."""

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from lab.core.errors import InputError
from lab.core.fingerprint_marks import computes_cells
from lab.data.fold.limits import Limits
from lab.data.fold.view import build_view
from lab.data.log.histories import Histories
from lab.data.rows.layout import PackedRows, RowSizes
from lab.data.timeline import Fold, folds
from lab.dataset.dataset import Dataset, build_dataset
from lab.experiment.cells import Cell
from lab.experiment.experiment import Experiment
from lab.features.base import Shape
from lab.models.base import Model
from lab.models.network import Network
from lab.running.training_memory import CellMemory, require_cells
from lab.targets.base import Target
from lab.training.devices import plan_layout
from lab.training.feeding import Feed
from lab.training.flat import Flattening
from lab.training.program import Program
from lab.training.settings import Training
from lab.training.state import CellArrays
from lab.training.step import Learner, initial_params
from lab.training.visits import grow_sizes, round_up_sizes


@dataclass(frozen=True)
class Assembly:
    """One program and the chunks of cells that go through it."""

    program: Program
    cells: Sequence[Cell]
    parameters: int

    @property
    def name(self) -> str:
        """The model, and the variants of its cells where there are some."""
        variants = ", ".join(dict.fromkeys(cell.variant for cell in self.cells if cell.variant))
        return f"{self.cells[0].model} ({variants})" if variants else self.cells[0].model

    def chunks(self, cells: Sequence[Cell] | None = None) -> list[list[Cell]]:
        """The cells, or some of them, in chunks of what the layout takes at once, first seeds first."""
        size = self.program.layout.cells_at_once
        ordered = sorted(
            self.cells if cells is None else cells, key=lambda cell: -1 if cell.seed is None else cell.seed
        )
        return [list(ordered[first : first + size]) for first in range(0, len(ordered), size)]


@computes_cells("model", "baseline", "oracle")
def dataset_of(histories: Histories, fold: Fold, cells: Sequence[Cell], causal: bool = True) -> tuple[Dataset, str]:
    """One fold made ready for cells that read the same rows, and the rule of its candidates in words."""
    asked = cells[0].experiment
    timeline, settings = asked.timeline, asked.training
    fold = folds(timeline, asked.horizons, *histories.span)[fold.index]
    limits = Limits(timeline.history_days, settings.share, settings.share_seed)
    view, rule = build_view(histories, fold, asked.target.categories, timeline.shard_events, limits)
    groups = [asked.group(name) for name in asked.group_names()]
    return build_dataset(view, timeline, asked.target, groups, settings.row_length, settings.overlap, causal), rule


@computes_cells("model")
def assemblies(experiment: Experiment, data: Dataset, cells: Sequence[Cell]) -> list[Assembly]:
    """The programs of a fold's trained cells: one for each model, and more where variants or feature sets need them."""
    mine: dict[tuple[Model, Training, str], list[Cell]] = {}
    for model in experiment.models:
        for cell in cells:
            if cell.kind == "model" and cell.settings == model:
                key = model, program_settings(cell.experiment.training), tied_group(cell, data)
                mine.setdefault(key, []).append(cell)
    return [assemble(own[0].experiment, data, model, own) for (model, *_), own in mine.items()]


def tied_group(cell: Cell, data: Dataset) -> str:
    """The group of the cell's own features whose vectors score its candidates too; empty for none.

    Whatever else is in the experiment, or a cell's numbers would depend on its neighbours.
    """
    name = cell.experiment.target.tied_group(data.view)
    return name if name in cell.experiment.features[cell.features] else ""


PER_CELL = ("learning_rate", "weight_decay", "prior_precision", "dropout", "label_smoothing")
"""Training settings that are data: cells that differ in them share a program."""


def program_settings(training: Training) -> Training:
    """What two trainings have in common if they share a program."""
    return replace(training, **{f.name: f.default for f in fields(Training) if f.name in PER_CELL})


def assemble(experiment: Experiment, data: Dataset, model: Model, cells: Sequence[Cell]) -> Assembly:
    """Build the program that these cells of a model on one fold share."""
    training = experiment.training
    network = build_network(model, data, jnp.dtype(training.dtype), experiment.target, tied_group(cells[0], data))
    packed = data.splits["train"].packed
    flat = Flattening.of(jax.eval_shape(partial(initial_params, network), *_example(data, cells[0])))
    held = _cell_memory(flat.size, packed, experiment.target, data.view.candidates)
    layout = plan_layout(training, len(cells), held.bytes(model, training.batch))
    if layout.on_cpu:
        require_cells(model, experiment, held, packed.count, layout.cells_at_once)
    learner = Learner(network, experiment.target, training, flat, layout.total, layout.place)
    batch = _batch(training, packed.count, layout.batch_shares * training.accumulate)
    return Assembly(Program(learner, layout, packed.count, batch), cells, flat.size)


def _batch(training: Training, rows: int, pieces: int) -> int:
    """Rows of an update: what is asked, or as many as there are, in equal pieces."""
    batch = min(training.batch, rows)
    if batch < pieces:
        raise InputError(
            f"training: {rows} training rows cannot be cut into {pieces} pieces; use a smaller training.accumulate, "
            f"a smaller training.row_length, or fewer devices."
        )
    return batch - batch % pieces


def build_network(model: Model, data: Dataset, dtype: Any, target: Target, tied: str = "") -> Network:
    """The network of a model on a dataset's feature groups; `tied` names the one that scores candidates too."""
    shape = Shape(model.width, data.view.candidates, dtype)
    modules = {name: group.module(data.states[name], shape) for name, group in data.groups.items()}
    sides = {side: {n: modules[n] for n, g in data.groups.items() if g.side == side} for side in ("step", "candidate")}
    return Network(
        encoder=model.encoder(dtype),
        step_groups=sides["step"],
        candidate_groups=sides["candidate"],
        order=tuple(sorted(data.groups)),
        candidates=data.view.candidates,
        width=model.width,
        dtype=dtype,
        head=target.head,
        tied=tied,
    )


@computes_cells("model")
def cell_arrays(cell: Cell, data: Dataset) -> CellArrays:
    """What tells this cell from the others of its program."""
    training = cell.experiment.training
    used = cell.experiment.features[cell.features]
    horizon = cell.experiment.horizons.index(cell.horizon)
    return CellArrays(
        seed=np.uint32(cell.seed or 0),
        on=np.array([name in used for name in sorted(data.groups)], np.float32),
        horizon=np.int32(horizon),
        learning_rate=np.float32(training.learning_rate),
        weight_decay=np.float32(training.weight_decay),
        prior=np.float32(training.prior_precision / independent_windows(cell.experiment.target, data, horizon)),
        dropout=np.float32(training.dropout),
        label_smoothing=np.float32(training.label_smoothing),
        live=np.bool_(True),
    )


def independent_windows(target: Target, data: Dataset, horizon: int) -> float:
    """How many label windows the training queries would have if none overlapped; at least 1.

    Of a log in shards the first is counted, as many times as there are shards.
    """
    train = data.splits["train"]
    answered = train.queries[train.labels[horizon].answered]
    found = target.independent_windows(data.view, answered, data.view.fold.horizons[horizon])
    return max(found * (1 + len(data.rest)), 1.0)


@computes_cells("model")
def feed(data: Dataset, split: str) -> Feed:
    """A split's rows and tables; for training the rows of all shards."""
    rest, sizes = (data.rest, None) if split == "train" else ((), evaluation_sizes(data, split))
    return Feed(data.splits[split].packed, data.splits[split].tables, rest, sizes)


def evaluation_sizes(data: Dataset, split: str) -> RowSizes:
    """Places of an evaluated row: those of valid serve the test too if they suffice, so that one program scores both.

    Never the other way round, since nothing of a look at the valid split may follow from what comes after it.
    """
    needed = data.splits["valid"].packed.sizes
    # What has been touched grows with the history, and the test's are a horizon longer.
    room = round_up_sizes(needed._replace(entries=needed.entries + needed.entries // 4))
    return grow_sizes(room, data.splits["test"].packed.sizes) if split == "test" else room


def _example(data: Dataset, cell: Cell) -> tuple[Any, ...]:
    train = data.splits["train"]
    return cell_arrays(cell, data), train.packed.take(np.zeros(1, np.int64)), train.tables


def _cell_memory(parameters: int, rows: PackedRows, target: Target, candidates: int) -> CellMemory:
    return CellMemory(parameters, rows.length, target.scores_held(rows.sizes.queries, candidates))
