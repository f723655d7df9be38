"""Which metrics of the lab's own judges of rankings follow from the ranks of the labels alone."""

from collections.abc import Callable, Mapping

import numpy as np

from lab.evaluation.judge import Judge
from lab.evaluation.tuning_metric import OfRanks, ndcg, recall


def reciprocal(query: np.ndarray, rank: np.ndarray, queries: int) -> np.ndarray:
    """1 / (rank + 1) of the one label of each query."""
    return 1 / (rank + 1)


# By name, so that baselines of one target do not depend on the judges of all.
CUT: Mapping[str, Mapping[str, Callable[[int], OfRanks]]] = {
    "InterestJudge": {"ndcg": ndcg, "recall": recall},
    "NextItemJudge": {"ndcg": ndcg, "recall": recall, "hr": recall},
}
"""Judge -> what stands before `@k` in a metric's name -> the metric by k."""

UNCUT: Mapping[str, Mapping[str, OfRanks]] = {"NextItemJudge": {"mrr": reciprocal}}
"""Judge -> a metric's name -> the metric."""


def of_ranks(judge: Judge, metric: str) -> OfRanks | None:
    """How a judge's metric follows from the labels' ranks; None where it does not, or nobody knows.

    A class of somebody's own that extends one of these judges may mean something else by the name.
    """
    kind = type(judge)
    if not kind.__module__.startswith("lab.targets."):
        return None
    name, _, cut = metric.partition("@")
    if not cut:
        return UNCUT.get(kind.__name__, {}).get(name)
    by_cut = CUT.get(kind.__name__, {}).get(name)
    return by_cut(int(cut)) if by_cut else None
