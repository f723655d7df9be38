"""What judges a cell's predictions, and what it leaves: numbers of the cell, of each query, and tables beside them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np

from lab.data.fold.queries import FoldView, Queries
from lab.evaluation.measures import Metric

Columns = Mapping[str, np.ndarray]


@dataclass(frozen=True)
class CellEvaluation:
    """What is kept of one cell's predictions of the test queries."""

    metrics: tuple[Metric, ...]
    queries: Columns
    """A row for each query and slice: `user`, `cutoff`, `slice`, `history`, and a column for each metric of queries."""
    draws: Columns = field(default_factory=dict)
    """`slice/metric` -> float64[draws]: a metric of whole cells with the users resampled, the same draws for every
    cell that answers the same queries, so that two cells are compared draw by draw."""
    tables: Mapping[str, Columns] = field(default_factory=dict)
    """Further tables that a panel of the report reads, by name."""


class Judge(Protocol):
    """Takes what is predicted of the test queries, in any order; a judge for each cell, which its target names."""

    def add_answers(self, index: np.ndarray, answers: Any) -> None:
        """What a model, or a baseline that predicts numbers, answers to the test queries `index`, int64[q].

        The target's answers, each [q, ...].
        """
        ...

    def add_scores(self, index: np.ndarray, scores: np.ndarray, log_probabilities: np.ndarray) -> None:
        """Scores and log probabilities [q, C] that a baseline gives the candidates at the test queries `index`."""
        ...

    def result(self) -> CellEvaluation:
        """What is kept of all that was taken. Raises FaultError where a prediction is no number."""
        ...


def query_table(view: FoldView, queries: Queries, values: Mapping[str, Mapping[str, np.ndarray]]) -> Columns:
    """Metrics by slice, slice -> metric -> float64[Q], as one table: a row for each query that has a value there.

    Beside a query stands `history`, how many of its user's events were known.
    """
    kept = {name: _has_value(own, len(queries)) for name, own in values.items()}
    names, history = list(values), view.known_events(queries)
    table: dict[str, np.ndarray] = {
        "user": view.histories.row_of(np.concatenate([queries.user[kept[name]] for name in names])),
        "cutoff": np.concatenate([queries.cutoff[kept[name]] for name in names]),
        "slice": np.repeat(np.array(names), [int(kept[name].sum()) for name in names]),
        "history": np.concatenate([history[kept[name]] for name in names]),
    }
    for metric in values[names[0]]:
        table[metric] = np.concatenate([values[name][metric][kept[name]] for name in names])
    return table


def _has_value(own: Mapping[str, np.ndarray], queries: int) -> np.ndarray:
    return ~np.all([np.isnan(value) for value in own.values()], axis=0) if own else np.ones(queries, bool)


def mean(values: np.ndarray) -> float:
    """The mean over the queries that have a value; NaN when none has."""
    known = values[~np.isnan(values)]
    return float(known.mean()) if len(known) else float("nan")
