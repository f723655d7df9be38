"""What labels and judging cost beside training on the same queries, on the main
job's shop.

Run:
    python -m benchmarks.judging
"""

from dataclasses import dataclass, replace
from pathlib import Path

from benchmarks.shared.clock import seconds
from benchmarks.shared.command import command
from lab.data.fold.view import build_view
from lab.data.log.cache import prepare_log
from lab.data.timeline import folds
from lab.dataset.dataset import Dataset, build_dataset
from lab.experiment.cells import Cell, grid
from lab.experiment.experiment import Experiment
from lab.experiment.loading import load_experiment
from lab.models.base import Model
from lab.running.assembly import assemble, cell_arrays, feed
from lab.running.backend import prepare_backend
from lab.running.trained_cells import judge_trained
from lab.training.fit import train


def dataset(experiment: Experiment, cache: Path | None = None) -> Dataset:
    """The experiment's latest fold, made ready."""
    log = prepare_log(experiment.source, experiment.cleaning, experiment.timeline, experiment.horizons, cache)
    histories = experiment.target.arrange(log, experiment.timeline)
    fold = folds(experiment.timeline, experiment.horizons, *histories.span)[0]
    view, _ = build_view(histories, fold, experiment.target.categories, experiment.timeline.shard_events)
    groups, training = [experiment.group(name) for name in experiment.group_names()], experiment.training
    return build_dataset(view, experiment.timeline, experiment.target, groups, training.row_length, training.overlap)


@dataclass(frozen=True)
class Asked:
    """Nothing: all of it is fixed."""


def main(asked: Asked) -> None:
    """Print a line for labels, and for each model one of training and one of judging."""
    prepare_backend(None)
    experiment, _ = load_experiment(Path("experiments/lstm_vs_transformer.py"))
    data = dataset(experiment)
    queries = data.splits["train"].queries
    labels = seconds(lambda: [experiment.target.labels(data.view, queries, h) for h in data.view.fold.horizons])
    print(f"labels of {len(queries):,} queries, {len(experiment.horizons)} horizons: {labels:.2f} s")
    for model in experiment.models:
        wanted = (model, "full", experiment.horizons[0], 0)
        (cell,) = [c for c in grid(experiment, "none", False) if (c.settings, c.features, c.horizon, c.seed) == wanted]
        trained, judged = epoch(experiment, data, model, cell)
        print(f"{cell.model}: an epoch of training {trained:.2f} s, judging the same queries {judged:.2f} s")


def epoch(experiment: Experiment, data: Dataset, model: Model, cell: Cell) -> tuple[float, float]:
    """Seconds of one pass of training over the training queries, and of judging them."""
    steps = data.splits["train"].rows.count // experiment.training.batch
    once = replace(experiment, training=replace(experiment.training, steps=steps, evaluate_every=steps, valid_rows=1))
    assembly = assemble(once, data, model, [cell])
    arrays = [cell_arrays(cell, data)]
    results = []

    def learn() -> None:
        results[:] = train(assembly.program, arrays, feed(data, "train"), feed(data, "valid"), lambda _: None)

    trained = seconds(learn)
    same = replace(data, splits={**data.splits, "test": data.splits["train"]})
    return trained, seconds(lambda: judge_trained(same, assembly, [cell], results))


if __name__ == "__main__":
    command("judging", Asked, main, __doc__)
