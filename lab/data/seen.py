"""What a user is said to have seen: the candidates touched by the cutoff, cancelled since or not."""

import numpy as np

from lab.data.queries import FoldView, Queries
from lab.data.search import expand


def seen_by(view: FoldView, queries: Queries) -> np.ndarray:
    """bool[Q, C]: which candidates each query's user has touched by its cutoff (see `lab.data.touches`)."""
    touches = view.touches
    touch, query = expand(touches.offsets[queries.user], touches.offsets[queries.user + 1])
    known = touches.time[touch] <= queries.cutoff[query]
    seen = np.zeros((len(queries), view.candidates), bool)
    seen[query[known], touches.candidate[touch[known]]] = True
    return seen
