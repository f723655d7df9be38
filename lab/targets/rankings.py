"""Which metrics of the lab's own judges of rankings follow from the ranks of the labels alone."""

from collections.abc import Mapping

import numpy as np

from lab.evaluation.judge import Judge
from lab.evaluation.tuning_metric import OfRanks, ndcg, recall
from lab.targets.interest.judge import InterestJudge
from lab.targets.next_item.judge import NextItemJudge
from lab.targets.next_item.metrics import CUTS


def reciprocal(query: np.ndarray, rank: np.ndarray, queries: int) -> np.ndarray:
    """1 / (rank + 1) of the one label of each query."""
    return 1 / (rank + 1)


OF_RANKS: Mapping[type, Mapping[str, OfRanks]] = {
    InterestJudge: {"ndcg@5": ndcg(5), "ndcg@10": ndcg(10), "recall@10": recall(10)},
    NextItemJudge: {
        "mrr": reciprocal,
        **{f"ndcg@{k}": ndcg(k) for k in CUTS},
        **{f"{name}@{k}": recall(k) for name in ("hr", "recall") for k in CUTS},
    },
}


def of_ranks(judge: Judge, metric: str) -> OfRanks | None:
    """How a judge's metric follows from the labels' ranks; None where it does not, or nobody knows.

    A class of somebody's own that extends one of these judges may mean something else by the name.
    """
    return OF_RANKS.get(type(judge), {}).get(metric)
