"""A large log in shards: users parted by chance into groups small enough to be laid out in memory."""

import numpy as np

from lab.data.histories import Histories

BLOCK = 1 << 13
"""Events of users side by side that keep together, so that a shard is read in stretches, at most."""

BLOCKS = 16
"""Such blocks that a shard has at least: from all over the log, whatever the order of users' names says of them."""

SEED = 20_240_229


def cut_users(offsets: np.ndarray, most: int) -> list[np.ndarray]:
    """Part users into shards of about equally many events, hardly more than `most`.

    `offsets` is int64[U + 1], the histories'. Each shard is int64[b, 2], ranges of users [begin, stop),
    ascending. A log of at most `most` events is one shard. Which users share one follows from the offsets alone.
    """
    users, events = len(offsets) - 1, int(offsets[-1])
    if events <= most:
        return [np.array([[0, users]])]
    shards = -(-events // most)
    block = max(1, min(BLOCK, most // BLOCKS))
    begin = np.flatnonzero(np.diff(np.asarray(offsets[:-1]) // block, prepend=-1))
    ranges = np.stack([begin, np.append(begin[1:], users)], 1)
    drawn = np.random.Generator(np.random.PCG64(SEED)).permutation(len(ranges))
    size = (offsets[ranges[:, 1]] - offsets[ranges[:, 0]])[drawn]
    shard = (np.cumsum(size) - size) * shards // events
    return [ranges[np.sort(drawn[shard == s])] for s in np.unique(shard)]


def take_users(histories: Histories, ranges: np.ndarray) -> Histories:
    """The histories of some users alone, in memory; int64[b, 2] ranges of users [begin, stop), ascending.

    All users give the histories as they are.
    """
    if len(ranges) == 1 and ranges[0].tolist() == [0, histories.users]:
        return histories
    events = np.asarray(histories.offsets)[ranges]
    size = np.concatenate([np.diff(histories.offsets[first : stop + 1]) for first, stop in ranges])
    some = histories.of_users(
        np.concatenate([np.arange(first, stop, dtype=np.int32) for first, stop in ranges]),
        np.append(0, np.cumsum(size)),
        lambda column: np.concatenate([np.asarray(column[begin:stop]) for begin, stop in events]),
    )
    histories.release()
    return some
