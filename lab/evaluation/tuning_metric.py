"""What baselines that rank are tuned by, NDCG@10: ranks of labels counted without sorting the candidates."""

import numpy as np

METRIC = "ndcg@10"
"""Its name, as cells have it."""

CUT = 10


def label_ranks(scores: np.ndarray, query: np.ndarray, label: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The query and the rank, int64[M] each, of each label, by query and rank; 0 is best.

    `scores` are [Q, C], `query` ascends. As in `lab.evaluation.ranking`, ties count against the labels.
    """
    own = scores[query, label]
    order = np.lexsort((label, -own, query))
    query, label, own = query[order], label[order], own[order]
    first = np.searchsorted(query, query)
    before = np.arange(len(query)) - first
    # Labels of the query up to the last that is level with this one are no worse, and are not to be counted twice.
    goes_on = (query[1:] == query[:-1]) & (own[1:] == own[:-1])
    ends = np.where(np.append(goes_on, False)[: len(query)], len(query), np.arange(len(query)))
    last = np.minimum.accumulate(ends[::-1])[::-1]
    rows = scores if len(query) == len(scores) else scores[query]
    ahead = np.count_nonzero(rows >= own[:, None], axis=1)
    return query, ahead - (last - first + 1) + before


def tuning_metric(scores: np.ndarray, query: np.ndarray, label: np.ndarray) -> np.ndarray:
    """float64[Q]: NDCG@10 of scores [Q, C] by the labels of the queries, each of which has one (see the metrics)."""
    gain = 1 / np.log2(np.arange(CUT) + 2)
    ideal = np.concatenate([[0], np.cumsum(gain)])[np.minimum(np.bincount(query, minlength=len(scores)), CUT)]
    query, rank = label_ranks(scores, query, label)
    gained = np.where(rank < CUT, gain[np.minimum(rank, CUT - 1)], 0)
    return np.bincount(query, weights=gained, minlength=len(scores)) / ideal
