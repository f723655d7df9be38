"""Small experiments that train in a blink, built from the same parts as large ones."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from lab.data.fold.view import build_view
from lab.data.log.cache import prepare_log
from lab.data.rows.layout import PackedRows
from lab.data.sources import SyntheticShop
from lab.data.timeline import folds
from lab.dataset.dataset import Dataset, build_dataset
from lab.experiment.cells import Cell, grid
from lab.experiment.experiment import Experiment
from lab.models import RNN
from lab.running.assembly import Assembly, assemble, cell_arrays, feed
from lab.targets import Interest
from lab.training.fit import train
from lab.training.outcome import TrainingResult
from lab.training.settings import Training

IDS = ("category", "behaviour")
SETS = {"ids": IDS, "full": (*IDS, "habit")}
TRAINING = Training(
    steps=10, batch=4, row_length=32, overlap=8, learning_rate=0.01, evaluate_every=4, patience=0, split="cells"
)


def small_experiment(**training: Any) -> Experiment:
    """Two feature sets, two horizons, two seeds of a tiny recurrent network; 10 steps, looked at after 4, 8, 10."""
    return Experiment(
        name="small",
        source=SyntheticShop(users=60, days=120, categories=8, items=40),
        target=Interest(),
        horizons=(7, 14),
        features=SETS,
        models=(RNN(width=8),),
        seeds=2,
        training=replace(TRAINING, **training),
    )


@dataclass(frozen=True)
class Bench:
    """An experiment on its log, ready to train any of its cells."""

    experiment: Experiment
    data: Dataset
    cells: Sequence[Cell]
    assembly: Assembly

    @classmethod
    def of(cls, experiment: Experiment, cache: Path, data: Dataset | None = None) -> "Bench":
        data = data or small_dataset(experiment, cache)
        cells = [cell for cell in grid(experiment, "none", False) if cell.kind == "model"]
        return cls(experiment, data, cells, assemble(experiment, data, experiment.models[0], cells))

    def arrays(self, seed: int = 0, features: str = "ids", days: float = 7, **changes: float) -> Any:
        """One cell's arrays, some of them changed."""
        own = [c for c in self.cells if (c.seed, c.features, c.horizon) == (seed, features, days)]
        changed = {name: np.float32(value) for name, value in changes.items()}
        return cell_arrays(own[0], self.data)._replace(**changed)

    def train(self, *cells: Any) -> list[TrainingResult]:
        """Train cells given as arrays."""
        return train(
            self.assembly.program, list(cells), feed(self.data, "train"), feed(self.data, "valid"), lambda _: None
        )


class Counted(Sequence):
    """Shards, and which of them were asked for."""

    def __init__(self, shards: Sequence[PackedRows | None]) -> None:
        self.shards, self.asked = shards, []

    def __len__(self) -> int:
        return len(self.shards)

    def __getitem__(self, index):
        self.asked.append(index)
        return self.shards[index]


def small_dataset(experiment: Experiment, cache: Path) -> Dataset:
    histories = prepare_log(experiment.source, experiment.cleaning, experiment.timeline, experiment.horizons, cache)
    first, last = histories.facts["first"], histories.facts["last"]
    fold = folds(experiment.timeline, experiment.horizons, first, last)[0]
    view, _ = build_view(histories, fold, experiment.target.categories, experiment.timeline.shard_events)
    groups = [experiment.group(name) for name in experiment.group_names()]
    settings = experiment.training
    return build_dataset(view, experiment.timeline, experiment.target, groups, settings.row_length, settings.overlap)


def same(one: TrainingResult, other: TrainingResult) -> bool:
    """Whether two cells trained to the same bits, curve and all."""
    bits = one.params.tobytes() == other.params.tobytes()
    return bits and repr(one.curve) == repr(other.curve) and _ending(one) == _ending(other)


def _ending(cell: TrainingResult) -> Mapping[str, Any]:
    return {name: getattr(cell, name) for name in ("steps", "best_step", "best_loss", "diverged_at", "last_finite")}
