"""How rows reach the device: lying there whole, or streamed from the host with prefetch, shard by shard."""

from collections.abc import Generator, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass

import jax
import numpy as np

from lab.data.rows.batch import Columns, Rows
from lab.data.rows.layout import PackedRows, RowSizes
from lab.training.devices import Layout
from lab.training.program import Program
from lab.training.settings import Training
from lab.training.visits import BEGIN, Position, Visits


@dataclass(frozen=True)
class Feed:
    """The rows and tables of one split."""

    rows: PackedRows
    tables: Columns
    rest: Sequence[PackedRows | None] = ()
    """Rows of further shards, each laid out when it is asked for; None for one that has none."""
    sizes: RowSizes | None = None
    """How many places each row of an evaluation has; None: what the fullest row needs."""


def is_resident(rows: PackedRows, count: int, training: Training) -> bool:
    """Whether so many of the rows lie on the device, all at once."""
    return count * rows.row_bytes <= training.resident_gib * 2**30


def spread_rows(rows: PackedRows, most: int) -> np.ndarray:
    """int64: at most so many of the rows (0: all), the same ones for every cell, spread evenly over them."""
    if not most or rows.count <= most:
        return np.arange(rows.count)
    return np.arange(most) * rows.count // most


def blocks(
    rows: PackedRows, index: np.ndarray, size: int, layout: Layout, sizes: RowSizes | None = None
) -> Iterator[tuple[np.ndarray, Rows]]:
    """Equal blocks of the rows `index` for evaluation, and which row each place of this process's share holds.

    The last block is filled up with repeats, whose place is -1 and whose labels weigh nothing.
    """
    shares = layout.batch_shares
    share = -(-min(size, len(index)) // shares)
    size = share * shares
    mine = slice(None)
    if layout.mode == "batch":
        first_share = jax.process_index() * layout.lanes
        mine = slice(first_share * share, (first_share + layout.lanes) * share)
    for first in range(0, len(index), size):
        place = np.arange(first, first + size)
        real = place < len(index)
        row = index[np.where(real, place, 0)]
        block = rows.take(row, sizes)
        weight = block.label.weight * real[:, None, None].astype(np.float32)
        yield np.where(real, row, -1)[mine], block._replace(label=block.label._replace(weight=weight))


def batches(
    program: Program, seeds: np.ndarray, feed: Feed, dispatches: int, start: Position = BEGIN, ahead: int = 2
) -> Generator[tuple[Rows, Position], None, None]:
    """The batches of one dispatch after another, gathered by Grain's threads `ahead` of their use.

    With each comes where the next one begins: a later call that is told so goes on there.

    Close it (or use it up) to end the threads.
    """
    import grain

    left = dispatches - start.dispatch
    if not left:
        return
    with closing(Visits(program, seeds, feed.rows, feed.rest, dispatches, start)) as visits:
        data = grain.MapDataset.range(start.dispatch, dispatches).map(visits.batches)
        options = grain.ReadOptions(num_threads=min(ahead, left), prefetch_buffer_size=ahead)
        with closing(iter(data.to_iter_dataset(read_options=options))) as gathered:
            yield from gathered
