"""Trained cells judged at the test queries, and what is kept of each."""

from collections.abc import Sequence
from dataclasses import asdict

import jax
import numpy as np
from flax import serialization

from lab.core.fingerprint_marks import computes_cells
from lab.dataset.dataset import Dataset
from lab.evaluation.judge import Judge
from lab.evaluation.measures import Metric
from lab.experiment.cell_record import CellRecord
from lab.experiment.cells import Cell
from lab.running.assembly import Assembly, cell_arrays, feed
from lab.running.failures import divergence_reason
from lab.running.judging import judge_of_test
from lab.training.devices import cpu_devices
from lab.training.fit import predict
from lab.training.outcome import TrainingResult

CURVE = ("step", "loss", "valid_loss", "gradient_norm", "learning_rate")


@computes_cells("model")
def judge_trained(
    data: Dataset, assembly: Assembly, chunk: Sequence[Cell], trained: Sequence[TrainingResult]
) -> list[Judge | None]:
    """Score the test queries by each cell's best parameters; None for a cell that diverged."""
    horizons = [cell.experiment.horizons.index(cell.horizon) for cell in chunk]
    target = assembly.program.learner.target
    judges = [
        None if t.diverged_at >= 0 else judge_of_test(data, target, h) for t, h in zip(trained, horizons, strict=True)
    ]
    arrays = [cell_arrays(cell, data) for cell in chunk]
    test = data.splits["test"]
    for rows, answers in predict(assembly.program, arrays, [t.params for t in trained], feed(data, "test")):
        slot = np.where(rows[:, None] >= 0, test.slot[rows], -1)
        asked = slot >= 0
        kept = jax.tree.map(lambda answer, asked=asked: answer[:, asked], answers)
        for place, judge in enumerate(judges):
            if judge is not None:
                judge.add_answers(slot[asked], jax.tree.map(lambda answer, place=place: answer[place], kept))
    return judges


@computes_cells("model")
def cell_outcome(
    assembly: Assembly, cell: Cell, result: TrainingResult, judge: Judge | None, timing: dict[str, float]
) -> tuple[CellRecord, dict]:
    """A trained cell's record and files."""
    curve = {name: np.array([asdict(look)[name] for look in result.curve]) for name in CURVE}
    timing = {"train": result.seconds, "waited": result.waited} | timing
    known = {"timing": timing, "parameters": assembly.parameters, "devices": cpu_devices()}
    if judge is None:
        return cell.record("diverged", reason=divergence_reason(result), **known), {"curve": curve}
    judged = judge.result()
    chosen = (Metric("valid", "all", "loss", result.best_loss), Metric("valid", "all", "step", result.best_step))
    params = assembly.program.learner.flat.unravel(result.params)
    files = {"curve": curve, "judged": judged, "checkpoint": serialization.to_bytes(params)}
    return cell.record("done", metrics=(*chosen, *judged.metrics), **known), files
