"""Cells with chosen numbers, for the tests of what is done with cells."""

from typing import Any

import numpy as np

from lab.evaluation.judge import CellEvaluation
from lab.evaluation.measures import Metric
from lab.experiment.cell_record import CellRecord
from lab.targets.interest.measures import MEASURES

SLICES = ("all", "repeat", "novel")

BINS = {
    "slice": np.repeat(["all", "repeat", "novel"], 2),
    "low": np.tile([0.25, 0.5], 3),
    "high": np.tile([0.5, 1.0], 3),
    "pairs": np.tile([300, 100], 3),
    "predicted": np.tile([100.0, 70.0], 3),
    "observed": np.tile([90.0, 80.0], 3),
}
"""Predicted shares against observed ones, as a judge of interest keeps them."""


def record(cell: str = "lstm-full-7-0", **changes: Any) -> CellRecord:
    """A finished cell of an LSTM, with what is named changed."""
    values: dict[str, Any] = {
        "id": cell,
        "kind": "model",
        "model": "lstm",
        "features": "full",
        "target": "interest",
        "horizon": 7.0,
        "fold": 0,
        "seed": 0,
        "status": "done",
        "measures": MEASURES,
    }
    return CellRecord(**(values | changes))


def users(values: dict[str, np.ndarray], first: int = 0) -> dict[str, np.ndarray]:
    """NDCG@10 per query of users first, first + 1, ... at one cutoff, by slice."""
    return {
        "user": np.concatenate([np.arange(len(v), dtype=np.int32) + first for v in values.values()]),
        "cutoff": np.concatenate([np.full(len(v), 86_400_000_000, np.int64) for v in values.values()]),
        "slice": np.concatenate([np.full(len(v), name) for name, v in values.items()]),
        "ndcg@10": np.concatenate([np.asarray(v, np.float64) for v in values.values()]),
    }


def evaluation(table: dict[str, np.ndarray], **tables: dict[str, np.ndarray]) -> CellEvaluation:
    """What a judge leaves of these values per query, for a store to keep."""
    return CellEvaluation(metrics(table) if "ndcg@10" in table else (), table, tables=tables)


def metrics(table: dict[str, np.ndarray]) -> tuple[Metric, ...]:
    """What a cell with these values per query reports."""
    return tuple(
        Metric("test", name, "ndcg@10", float(np.nanmean(table["ndcg@10"][table["slice"] == name])))
        for name in dict.fromkeys(table["slice"].tolist())
    )


def same_everywhere(value: float, queries: int = 20, noise: float = 0.0, seed: int = 0) -> dict[str, np.ndarray]:
    """Users whose metric is `value` in every slice, give or take `noise`."""
    rng = np.random.default_rng(seed)
    return users({name: value + noise * (rng.random(queries) - 0.5) for name in SLICES})
