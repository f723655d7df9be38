"""What a user is said to have seen: the candidates touched by the cutoff, cancelled since or not."""

import numpy as np

from lab.data.queries import FoldView, Queries
from lab.data.search import events_until, expand


def seen_by(view: FoldView, queries: Queries) -> np.ndarray:
    """bool[Q, C]: which candidates each query's user has touched by its cutoff.

    To touch is to do anything that counts: a cancellation touches nothing, and takes back no touch.
    """
    histories = view.histories
    stop = events_until(histories.offsets, histories.time, queries.user, queries.cutoff)
    event, owner = expand(histories.offsets[queries.user], stop)
    touches = (view.candidate[event] >= 0) & (histories.sign[histories.behaviour[event]] > 0)
    seen = np.zeros((len(queries), view.candidates), bool)
    seen[owner[touches], view.candidate[event[touches]]] = True
    return seen
