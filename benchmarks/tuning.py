"""What tuning an experiment's baselines costs and gives.

A line for each baseline and horizon: seconds of fitting and tuning it and of
scoring the test, its leading metric there by slice, and what was chosen, by its value
on how many valid queries. With --at-most, that many valid queries are all that
there are to choose by, evenly spaced: fewer take less time and choose worse.

Run:
    python -m benchmarks.tuning experiments/next_item.py
    python -m benchmarks.tuning experiments/next_item.py --at-most 173
"""

import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import tyro

from benchmarks.crowd import asked_for
from benchmarks.judging import dataset
from benchmarks.shared.command import command, require
from lab.baselines.calibrated_scorer import CalibratedScorer
from lab.dataset.dataset import Dataset
from lab.evaluation.familiarity import SLICES
from lab.experiment.experiment import Experiment
from lab.results.conclusions import span
from lab.running.judging import fit_baseline, judge_fitted_baseline


@dataclass(frozen=True)
class Asked:
    """Which experiment's baselines to tune."""

    experiment: tyro.conf.Positional[Path] = Path("experiments/lstm_vs_transformer.py")
    """The experiment's file."""
    path: str | None = None
    """Where the experiment's log lies, if it reads one."""
    at_most: int | None = None
    """Valid queries to choose by. Default: as many as tell settings apart."""

    def __post_init__(self) -> None:
        require(self, at_most=1)


def main(asked: Asked) -> None:
    """Print the table."""
    experiment = asked_for(asked)
    data = dataset(replace(experiment, groups=(), features={"ids": (experiment.group_names()[0],)}))
    if asked.at_most is not None:
        data = thinned(data, asked.at_most)
    print(f"{'':26s}{'tuning, s':>10s}{'test, s':>9s}" + "".join(f"{part:>8s}" for part in SLICES))
    for place, horizon in enumerate(experiment.horizons):
        for line in lines(experiment, data, place):
            print(f"{'next ' + span(horizon):14s}{line}", flush=True)


def lines(experiment: Experiment, data: Dataset, place: int) -> Iterator[str]:
    """A line for each baseline at one of the horizons."""
    leading = experiment.target.measures().leading
    for baseline in experiment.baselines:
        begun = time.perf_counter()
        fitted = fit_baseline(data, experiment.target, baseline, place)
        tuned = time.perf_counter()
        assert isinstance(fitted, CalibratedScorer)
        metrics = judge_fitted_baseline(data, experiment.target, baseline.name, fitted, place).result().metrics
        judged = time.perf_counter()
        found = {(one.slice, one.metric): one.value for one in metrics}
        values = "".join(f"{found[part, leading]:8.4f}" for part in SLICES)
        assert fitted.tuning is not None
        yield f"{baseline.name:12s}{tuned - begun:10.2f}{judged - tuned:9.2f}{values}  {fitted.tuning.text()}"


def thinned(data: Dataset, most: int) -> Dataset:
    """The dataset with so many of its valid queries alone, for what reads queries and labels."""
    valid = data.splits["valid"]
    answered = np.flatnonzero(np.any([labels.answered for labels in valid.labels], axis=0))
    rows = answered[:: max(1, -(-len(answered) // most))]
    labels = tuple(own.take(rows) for own in valid.labels)
    return replace(data, splits={**data.splits, "valid": replace(valid, queries=valid.queries[rows], labels=labels)})


if __name__ == "__main__":
    command("tuning", Asked, main, __doc__)
