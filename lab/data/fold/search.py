"""Where an instant falls in many histories at once."""

import numpy as np


def events_until(offsets: np.ndarray, time: np.ndarray, user: np.ndarray, moment: np.ndarray) -> np.ndarray:
    """int64[Q]: index of each user's first event after its moment (offsets[user + 1] if none).

    `time` is int64[N], ascending between offsets. A bisection of all queries together, in as many
    rounds as the longest history has bits.
    """
    low, high = offsets[user].astype(np.int64), offsets[user + 1].astype(np.int64)
    while len(low) and (open_ := low < high).any():
        middle = (low + high) // 2
        after = np.asarray(time[np.minimum(middle, len(time) - 1)]) > moment
        high = np.where(open_ & after, middle, high)
        low = np.where(open_ & ~after, middle + 1, low)
    return low


def expand_ranges(begin: np.ndarray, stop: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The integers of every [begin, stop), end to end, and which range each came from."""
    size = stop - begin
    owner = np.repeat(np.arange(len(begin)), size)
    return np.arange(size.sum()) - np.repeat(np.cumsum(size) - size, size) + begin[owner], owner
