"""What cells in training take of memory, and the settings to blame where it is too much."""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any

from lab.core.fingerprint_marks import not_fingerprinted
from lab.core.memory import Size, require_memory
from lab.experiment.experiment import Experiment
from lab.models.base import Model
from lab.targets.base import Target
from lab.training.settings import Training


@dataclass(frozen=True)
class CellMemory:
    """What a cell in training holds, beside activations."""

    parameters: int
    length: int
    """Steps of a row."""
    scores: int
    """Of one row's queries, that the loss holds at once."""

    def bytes(self, model: Model, batch: int) -> int:
        """About what a cell takes in all."""
        return int(bytes_of_cell(self.parameters, batch, self.length, model.width, layers_of(model), self.scores))


def bytes_of_cell(parameters: float, batch: float, length: float, width: float, layers: float, scores: float) -> float:
    """Parameters with gradients, moments and best copy; and the activations and scores of each row of `length` steps.

    As compiled programs of LSTM, GRU, Transformer and HSTU tell them, within a third.
    """
    return 4 * (6 * parameters + batch * (length * width * 22 * (1 + layers) + scores * 6))


def layers_of(model: Model) -> int:
    """How many layers a model has; one where it does not say."""
    return getattr(model, "layers", 1)


@not_fingerprinted
def require_rows(models: Sequence[Model], training: Training) -> None:
    """Raise InputError where one single row of training does not fit memory, before any is laid out."""
    for model in models:
        require_memory([*_of_training(row_length=training.row_length), *_of_model(model)], _one_row)


def _one_row(length: float, width: float, layers: float) -> float:
    return bytes_of_cell(0, 1, length, width, layers, 0)


@not_fingerprinted
def require_cells(model: Model, experiment: Experiment, held: CellMemory, rows: int, cells: int) -> None:
    """Raise InputError where `cells` that are trained at once on cores, which share one memory, do not fit it.

    `rows`: how many there are to train on, since no batch has more.
    """
    training, width, layers = experiment.training, model.width, layers_of(model)
    of_target = _of_target(experiment.target) if held.scores else []

    def need(batch: float, length: float, wide: float, deep: float, scores_setting: float = 1) -> float:
        # Of less width, or fewer layers, no more than this share of the parameters is left.
        left = held.parameters * min(wide / width, 1) * min(deep / layers, 1)
        scores = held.scores * scores_setting / (of_target[0].value if of_target else 1)
        return cells * bytes_of_cell(left, batch, length, wide, deep, scores)

    sizes = _of_training(batch=min(training.batch, rows), row_length=training.row_length)
    require_memory([*sizes, *_of_model(model), *of_target], need)


def _of_training(**values: float) -> list[Size]:
    default = _defaults(Training())
    return [Size(f"training.{name}", value, default[name]) for name, value in values.items()]


def _of_model(model: Model) -> list[Size]:
    default = _defaults(model)
    values = {"width": model.width, "layers": layers_of(model)}
    return [Size(f"{type(model).__name__}.{name}", value, default.get(name, 1)) for name, value in values.items()]


def _of_target(target: Target) -> list[Size]:
    """The setting of the target with which the scores held grow, where it names one."""
    name = target.scores_grow_with
    return [Size(f"target.{name}", getattr(target, name), _defaults(target)[name])] if name else []


def _defaults(settings: Any) -> dict[str, Any]:
    return {f.name: f.default for f in fields(settings)}
