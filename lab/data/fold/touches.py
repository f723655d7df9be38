"""What each user touched first and when: enough to say what it has seen by any instant."""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from lab.data.log.histories import Histories

EVENTS_AT_ONCE = 1 << 22
"""Events sorted at once: the arrays of a sort are several times as large as what is kept of it."""


@dataclass(frozen=True)
class Touches:
    """The first touch of each user on each candidate: as many as there are such pairs, however long the histories."""

    offsets: np.ndarray
    """int64[U + 1]: user u's touches are offsets[u]:offsets[u + 1]."""
    candidate: np.ndarray
    """int32[M], ascending within a user."""
    time: np.ndarray
    """int64[M], microseconds."""


def first_touches(histories: Histories, candidate: np.ndarray) -> Touches:
    """The first touches of all users; `candidate` is int32[N], that of each event, -1 for none.

    To touch is to do anything that counts: a cancellation touches nothing, and takes back no touch.
    """
    begins = np.searchsorted(histories.offsets, np.arange(0, histories.events, EVENTS_AT_ONCE))
    blocks = pairwise([0, *begins.tolist(), histories.users])
    found = [_block(histories, candidate, first, stop) for first, stop in blocks]
    user, event = (np.concatenate(part) for part in zip(*found, strict=True))
    offsets = np.append(0, np.cumsum(np.bincount(user, minlength=histories.users)))
    return Touches(offsets, candidate[event], np.asarray(histories.time[event]))


def _block(histories: Histories, candidate: np.ndarray, first: int, stop: int) -> tuple[np.ndarray, np.ndarray]:
    """The user and the event of each first touch of the users from `first` up to `stop`."""
    begin = histories.offsets[first]
    user = np.repeat(np.arange(first, stop), np.diff(histories.offsets[first : stop + 1]))
    inside = slice(begin, histories.offsets[stop])
    counts = (candidate[inside] >= 0) & (histories.sign[histories.behaviour[inside]] > 0)
    event = begin + np.flatnonzero(counts)
    # Events lie in the order of time, so that the first of each pair is the earliest.
    pair = (user[counts] << 32) + candidate[event]
    event = event[np.unique(pair, return_index=True)[1]]
    return user[event - begin], event
