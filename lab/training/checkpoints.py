"""One cell in the middle of its training: all that going on from there needs, to the bit."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import jax
import numpy as np
from flax import serialization

from lab.data.rows.layout import RowSizes
from lab.training.devices import Layout, cpu_devices
from lab.training.optimiser import ADAM
from lab.training.program import EvaluationResult, Program
from lab.training.state import TrainState
from lab.training.step import StepMetrics
from lab.training.visits import Position

Found = tuple[EvaluationResult, StepMetrics]
"""What a look at the valid split found, [S], and what the steps before it reported, [S, N]."""


@dataclass(frozen=True)
class Checkpoint:
    """A cell after some dispatches, on the host. Its random keys follow from its seed and its step."""

    origin: str
    """What else its numbers come from; who differs in it begins anew."""
    position: Position
    state: TrainState
    verdicts: EvaluationResult
    """Of each look so far, [D]."""
    metrics: StepMetrics
    """Of each step so far, [D, N]."""
    seconds: float
    """Spent on its training."""
    waited: float
    """Of these, seconds in which the devices waited for rows."""


def program_origin(program: Program) -> str:
    """Of a program's numbers, what the settings, the data and the code do not fix."""
    layout = program.layout
    # Elsewhere the last bits of a sum may differ with the devices too, but there they are not promised.
    shares = f" in {layout.batch_shares} shares" if layout.on_cpu else ""
    devices = f"{cpu_devices()} devices of a CPU" if layout.on_cpu else layout.devices[0].platform
    return f"{devices}, batches of {program.batch} rows{shares}, {program.steps} steps at once"


def to_bytes(checkpoint: Checkpoint) -> bytes:
    """As msgpack, without pickle."""
    plain = serialization.to_state_dict
    sizes = checkpoint.position.sizes
    position = [*checkpoint.position[:3], *(sizes or ())]
    trees = {name: plain(getattr(checkpoint, name)) for name in ("state", "verdicts", "metrics")}
    timing = {"seconds": checkpoint.seconds, "waited": checkpoint.waited}
    content = {"origin": checkpoint.origin, "position": np.array(position, np.int64), **trees, **timing}
    return serialization.msgpack_serialize(content)


def from_bytes(content: bytes) -> Checkpoint:
    """What `to_bytes` gave."""
    found: Any = serialization.msgpack_restore(content)
    dispatch, visit, step, *sizes = found["position"].tolist()
    optimiser = jax.eval_shape(ADAM.init, jax.ShapeDtypeStruct((1,), np.float32))
    state = TrainState(**found["state"])
    return Checkpoint(
        origin=found["origin"],
        position=Position(dispatch, visit, step, RowSizes(*sizes) if sizes else None),
        state=state._replace(optimiser=serialization.from_state_dict(optimiser, state.optimiser)),
        verdicts=EvaluationResult(**found["verdicts"]),
        metrics=StepMetrics(**found["metrics"]),
        seconds=found["seconds"],
        waited=found["waited"],
    )


def stacked_states(checkpoints: Sequence[Checkpoint], places: int) -> TrainState:
    """Their states side by side; places beyond them hold one that has stopped."""
    states = [one.state for one in checkpoints]
    idle = states[0]._replace(stopped=np.bool_(True))
    return _stack([*states, *[idle] * (places - len(states))])


class EvaluationHistory:
    """What all looks have found, those that are still on the devices apart."""

    def __init__(self, layout: Layout, cells: int, start: Sequence[Checkpoint]) -> None:
        self._layout, self._cells, self._taken = layout, cells, _looks_of(start)
        self.ahead: list[Found] = []

    def take(self) -> list[Found]:
        """All of them on the host, without the places that only fill up a chunk."""
        host = [(self._layout.take_cells(v), self._layout.take_cells(m)) for v, m in self.ahead]
        self._taken += jax.tree.map(lambda a: a[: self._cells], host)
        self.ahead.clear()
        return self._taken

    def all_stopped(self) -> bool:
        """Whether all cells had stopped, as far as is known without waiting for what the devices do now."""
        if len(self.ahead) > 1:
            return bool(self._layout.take_cells(self.ahead[-2][0].stopped).all())
        return bool(self._taken) and bool(self._taken[-1][0].stopped.all())


def _looks_of(checkpoints: Sequence[Checkpoint]) -> list[Found]:
    count = checkpoints[0].position.dispatch if checkpoints else 0
    cells = [(one.verdicts, one.metrics) for one in checkpoints]
    return [_stack([jax.tree.map(lambda a, d=d: a[d], cell) for cell in cells]) for d in range(count)]


Spent = Sequence[tuple[float, float]]
"""For each cell, the seconds of its training and those of them in which the devices waited for rows."""


def make_checkpoints(
    program: Program, position: Position, state: TrainState, looks: EvaluationHistory, spent: Spent
) -> list[Checkpoint]:
    """Where each cell of a chunk stands."""
    now, history = program.layout.take_cells(state), _stack(looks.take())

    def one(i: int) -> Checkpoint:
        verdicts, metrics = jax.tree.map(lambda a: a[:, i], history)
        return Checkpoint(
            program_origin(program), position, jax.tree.map(lambda a: a[i], now), verdicts, metrics, *spent[i]
        )

    return [one(i) for i in range(len(spent))]


def _stack(trees: Sequence[Any]) -> Any:
    return jax.tree.map(lambda *leaves: np.stack(leaves), *trees)
