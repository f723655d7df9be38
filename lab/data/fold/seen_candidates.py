"""What a user is said to have seen: the candidates touched by the cutoff, cancelled since or not."""

import numpy as np

from lab.data.fold.queries import FoldView, Queries
from lab.data.fold.search import expand_ranges


def seen_candidates(view: FoldView, queries: Queries) -> np.ndarray:
    """bool[Q, C]: which candidates each query's user has touched by its cutoff (see `lab.data.fold.touches`)."""
    touches = view.touches
    touch, query = expand_ranges(touches.offsets[queries.user], touches.offsets[queries.user + 1])
    known = touches.time[touch] <= queries.cutoff[query]
    seen = np.zeros((len(queries), view.candidates), bool)
    seen[query[known], touches.candidate[touch[known]]] = True
    return seen


def is_label_seen(view: FoldView, queries: Queries, label: np.ndarray) -> np.ndarray:
    """bool[Q]: whether each query's user has touched one candidate, int32[Q], by its cutoff."""
    touches = view.touches
    users = np.repeat(np.arange(view.histories.users), np.diff(touches.offsets))
    pair = users * np.int64(view.candidates) + touches.candidate
    asked = queries.user * np.int64(view.candidates) + label
    found = np.minimum(np.searchsorted(pair, asked), max(len(pair) - 1, 0))
    return (pair[found] == asked) & (touches.time[found] <= queries.cutoff)
