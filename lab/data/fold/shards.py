"""A large log in shards: users parted by chance into groups small enough to be laid out in memory."""

import numpy as np

from lab.data.log.histories import Histories

BLOCK = 128
"""Users side by side that keep together, so that a shard is read in stretches, at most."""

BLOCKS = 16
"""Such blocks that a shard has at least: from all over the log, whatever the order of users' names says of them."""

SEED = 20_240_229


def cut_into_shards(histories: Histories, events: int, moment: int, most: int) -> list[np.ndarray]:
    """Part users into shards of about `most` of the `events` that lie at or before `moment`.

    Each shard is int64[b, 2], ranges of users [begin, stop), ascending. Who is in which follows from who is
    known at that moment, and from nothing after it. A log of at most `most` such events is one shard.
    """
    shards = -(-events // most)
    if shards <= 1:
        return [np.array([[0, histories.users]])]
    known = known_users(histories, moment)
    block = int(np.clip(known.sum() // (shards * BLOCKS), 1, BLOCK))
    # A user who is not known yet goes with the known one before, and moves nobody.
    begin = np.flatnonzero(np.diff(np.maximum(np.cumsum(known) - 1, 0) // block, prepend=-1))
    ranges = np.stack([begin, np.append(begin[1:], histories.users)], 1)
    drawn = np.random.Generator(np.random.PCG64(SEED)).permutation(len(ranges))
    return [ranges[np.sort(some)] for some in np.array_split(drawn, min(shards, len(ranges)))]


def known_users(histories: Histories, moment: int) -> np.ndarray:
    """bool[U]: whose first event lies at or before the moment."""
    offsets = np.asarray(histories.offsets)
    known = np.zeros(histories.users, bool)
    some = np.flatnonzero(np.diff(offsets))
    known[some] = np.asarray(histories.clock[offsets[some]]) <= moment
    histories.release()
    return known


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
