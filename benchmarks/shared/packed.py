"""The lab's training step on rows of ids, laid over devices as in a run: the same program and optimiser."""

from dataclasses import dataclass
from functools import partial
from typing import Any, Literal

import jax
import jax.numpy as jnp
import numpy as np
from flax import linen as nn

from lab.data.rows.batch import EntryArrays, LabelArrays, QueryArrays, Rows
from lab.data.rows.packing import pack
from lab.features.base import Shape
from lab.features.category import Lookup
from lab.models import GRU, HSTU, LSTM, RNN, Transformer
from lab.models.base import Model
from lab.models.network import Network
from lab.targets import Interest
from lab.training.devices import Layout
from lab.training.flat import Flattening
from lab.training.program import Program
from lab.training.settings import Training
from lab.training.state import CellArrays, stack
from lab.training.step import Learner, initial_params

MODELS: tuple[Model, ...] = (RNN(), LSTM(), GRU(), Transformer(layers=2, heads=2))
ENCODERS: tuple[Model, ...] = (*MODELS, HSTU(layers=4, heads=2))
"""The same and what PyTorch has none of."""
Name = Literal["RNN", "LSTM", "GRU", "Transformer"]
EncoderName = Literal["RNN", "LSTM", "GRU", "Transformer", "HSTU"]
"""Their names, for a command line that refuses others."""
BATCH, LENGTH, CLASSES = 256, 50, 100
Dtype = Literal["float32", "bfloat16"]
IDS = 1_000
"""Ids of items or categories, from 1; those of a log are taken modulo this."""
STEPS = {"cpu": 2, "gpu": 16, "tpu": 16}
"""Updates in one dispatch, by the platform: an accelerator should not wait for the host."""


def packed_rows(histories: list[np.ndarray], labels: np.ndarray, length: int) -> Rows:
    """Histories of ids end to end in rows of `length`, each asked for its label at its last step."""
    sizes = np.array([len(history) for history in histories])
    packing = pack(sizes, length)
    shape, slot = (packing.rows, length), places(packing.row)
    ids, time, start = np.zeros(shape, np.int32), np.zeros(shape, np.float32), np.zeros(shape, bool)
    for history, row, place in zip(histories, packing.row, packing.place, strict=True):
        ids[row, place : place + len(history)] = history
        time[row, place : place + len(history)] = np.arange(len(history))
        start[row, place] = True
        if place + len(history) < length:
            start[row, place + len(history)] = True
    slots = packing.rows, int(slot.max()) + 1
    position, query, id_, weight = (np.zeros(slots, kind) for kind in (np.int32, np.int32, np.int32, np.float32))
    at = packing.row, slot
    position[at], query[at], id_[at], weight[at] = packing.place + sizes - 1, slot, labels, 1
    none = np.zeros((packing.rows, 1), np.int32)
    return Rows(
        start=start,
        tick=np.zeros(shape, bool),
        time=time,
        columns={"category": {"id": ids}},
        query=QueryArrays(position, np.zeros(slots, np.int32), weight > 0),
        entry=EntryArrays(none, none, none, none.astype(np.float32)),
        entry_columns={},
        label=LabelArrays(*(part[:, None] for part in (query, id_, weight))),
    )


def places(row: np.ndarray) -> np.ndarray:
    """0, 1, 2, ... within each row."""
    order, size = np.argsort(row, kind="stable"), np.bincount(row)
    place = np.empty(len(row), np.int64)
    place[order] = np.arange(len(row)) - np.repeat(np.cumsum(size) - size, size)
    return place


def steps_here() -> int:
    """Updates in one dispatch, on the devices of this process."""
    return STEPS[jax.local_devices()[0].platform]


@dataclass
class Stepper:
    """Makes `steps_here()` updates of every cell of a layout when it is called, and waits for them."""

    program: Program
    state: Any
    rest: tuple[Any, ...]
    """What the compiled call takes beside the state, which it uses up."""

    def __call__(self) -> None:
        self.state, metrics = self.program.run_resident(self.state, *self.rest)
        jax.block_until_ready(metrics)

    def compiled(self) -> Any:
        """The compiled call, to be looked into: a jax.stages.Compiled."""
        return self.program.run_resident.lower(self.state, *self.rest).compile()


def stepper(
    model: Model, rows: Rows, ids: int, classes: int, batch: int, layout: Layout, dtype: Dtype = "float32"
) -> Stepper:
    """Updates of every cell of the layout, each on `batch` of the rows."""
    steps, kind = steps_here(), jnp.dtype(dtype)
    training = Training(steps=steps, batch=batch, evaluate_every=steps, split=layout.mode, dtype=dtype)
    groups: dict[str, nn.Module] = {"category": Lookup(ids, Shape(model.width, classes, kind))}
    network = Network(model.encoder(kind), groups, {}, ("category",), classes, model.width, kind)
    tables = {"head": {"prior": np.zeros(classes, np.float32)}}
    cell = CellArrays(
        seed=np.uint32(0),
        on=np.ones(1, np.float32),
        horizon=np.int32(0),
        learning_rate=np.float32(2e-3),
        weight_decay=np.float32(0.1),
        prior=np.float32(1e-3),
        dropout=np.float32(0.1),
        label_smoothing=np.float32(0),
        live=np.bool_(True),
    )
    one = jax.tree.map(lambda leaf: leaf[:1], rows)
    flat = Flattening.of(jax.eval_shape(partial(initial_params, network), cell, one, tables))
    program = Program(
        Learner(network, Interest(), training, flat, layout.total, layout.place), layout, rows.count, batch
    )
    stacked = stack([cell] * layout.cells_at_once)
    laid, state = layout.share_cells(layout.lay_cells(stacked)), program.fresh(stacked, rows, tables)
    order = layout.lay_order(program.order(stacked.seed, 0))
    return Stepper(program, state, (laid, order, np.int32(steps), layout.share(rows), layout.share(tables)))
