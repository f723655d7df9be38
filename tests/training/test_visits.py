"""Training over shards: every row in its turn, the next shard in time, and the same bits whoever is beside."""

import threading
import time
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import numpy as np

from lab.data.rows.batch import leaves
from lab.data.rows.layout import RowSizes
from lab.running.assembly import feed
from lab.training.feeding import batches
from lab.training.state import row_order
from lab.training.timed_iterator import TimedIterator
from lab.training.visits import grow_sizes, round_up_sizes
from tests.training.small import Bench, Counted, same


def test_every_visit_is_an_epoch_of_a_shards_rows(sharded: Bench) -> None:
    program, fed = sharded.assembly.program, feed(sharded.data, "train")
    shards = [fed.rows, *fed.rest]
    expected, batch = [], program.batch
    for visit in range(2 * len(shards)):
        rows = shards[visit % len(shards)]
        steps = rows.count // batch if rows else 0
        if rows and steps:
            order = row_order(3, visit * steps, steps, batch, rows.count)
            expected += [rows.take(order[step]).time for step in range(steps)]
    dispatches = len(expected) // program.steps
    given = [rows for rows, _ in batches(program, np.array([3], np.uint32), fed, dispatches)]
    found = [rows.time[0, 0, step] for rows in given for step in range(program.steps)]
    for one, other in zip(found, expected, strict=False):
        np.testing.assert_array_equal(one, other)
    assert len({tuple(leaf.shape for leaf in leaves(rows)) for rows in given}) <= 2


def test_no_shard_is_laid_out_that_no_step_will_see(sharded: Bench) -> None:
    program, fed = sharded.assembly.program, feed(sharded.data, "train")
    steps = fed.rows.count // program.batch
    for dispatches, asked in ((steps // program.steps, []), (steps // program.steps + 1, [0])):
        counted = Counted(fed.rest)
        assert len(list(batches(program, np.zeros(1, np.uint32), replace(fed, rest=counted), dispatches))) == dispatches
        assert counted.asked == asked
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("shards")]


def test_a_cell_trains_to_the_same_bits_whoever_is_beside_it(cache: Path, sharded: Bench) -> None:
    experiment = replace(sharded.experiment, training=replace(sharded.experiment.training, cells_at_once=2))
    both = Bench.of(experiment, cache, sharded.data)
    cells = [sharded.arrays(seed=1, features="full"), sharded.arrays(seed=0)]
    for one, other in zip(both.train(*cells), cells, strict=True):
        assert same(one, sharded.train(other)[0])
        assert one.steps == 10


def test_sizes_grow_in_leaps_and_never_shrink() -> None:
    assert round_up_sizes(RowSizes(1, 17, 415)) == RowSizes(1, 20, 448)
    sizes = round_up_sizes(RowSizes(9, 100, 50))
    assert grow_sizes(sizes, RowSizes(3, 7, 1)) is sizes
    grown = grow_sizes(sizes, RowSizes(9, 130, 50))
    assert grown == RowSizes(10, 160, 56) and grow_sizes(grown, sizes) is grown


def test_waiting_is_what_the_devices_cannot_use() -> None:
    def slow():
        for one in range(3):
            time.sleep(0.05)
            yield one

    for idle, least in ((True, 0.15), (False, 0.0)):
        with closing(slow()) as source:
            timed = TimedIterator(source, lambda idle=idle: idle)
            assert list(timed) == [0, 1, 2]
        assert timed.seconds >= least and (idle or timed.seconds == 0)
