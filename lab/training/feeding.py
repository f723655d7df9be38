"""How rows reach the device: lying there whole, or streamed from the host with prefetch."""

from collections.abc import Generator, Iterator
from contextlib import closing
from typing import Any

import jax
import numpy as np

from lab.data.batch import Rows, leaves
from lab.training.devices import Layout
from lab.training.program import Program
from lab.training.settings import Training


def is_resident(rows: Rows, training: Training) -> bool:
    """Whether the rows lie on the device whole."""
    return gibibytes(rows) <= training.resident_gib


def gibibytes(tree: Any) -> float:
    """Size of the arrays of a tree in GiB."""
    return sum(leaf.nbytes for leaf in leaves(tree)) / 2**30


def take_rows(rows: Rows, index: np.ndarray) -> Rows:
    """Rows gathered on the host; `index` may have any shape."""
    return jax.tree.map(lambda leaf: leaf[index], rows)


def spread_rows(rows: Rows, most: int) -> Rows:
    """At most so many of the rows (0: all), the same ones for every cell, spread evenly over them."""
    if not most or rows.count <= most:
        return rows
    return take_rows(rows, np.arange(most) * rows.count // most)


def blocks(rows: Rows, size: int, layout: Layout) -> Iterator[tuple[np.ndarray, Rows]]:
    """Equal blocks of all rows for evaluation, and which row each place of this process's share holds.

    The last block is filled up with repeats, whose place is -1 and whose labels weigh nothing.
    """
    shares = layout.batch_shares
    share = -(-min(size, rows.count) // shares)
    size = share * shares
    mine = slice(None)
    if layout.mode == "batch":
        first_share = jax.process_index() * layout.lanes
        mine = slice(first_share * share, (first_share + layout.lanes) * share)
    for first in range(0, rows.count, size):
        place = np.arange(first, first + size)
        real = place < rows.count
        block = take_rows(rows, np.where(real, place, 0))
        weight = block.label.weight * real[:, None, None].astype(np.float32)
        yield np.where(real, place, -1)[mine], block._replace(label=block.label._replace(weight=weight))


def batches(
    program: Program, seeds: np.ndarray, rows: Rows, dispatches: int, ahead: int = 2
) -> Generator[Rows, None, None]:
    """The batches of one dispatch after another, gathered by Grain's threads `ahead` of their use.

    Close it (or use it up) to end the threads.
    """
    import grain

    def gather(index: int) -> Rows:
        order = program.order(seeds, index * program.steps)
        return take_rows(rows, program.layout.lay_order(order))

    data = grain.MapDataset.range(dispatches).map(gather)
    options = grain.ReadOptions(num_threads=min(ahead, dispatches), prefetch_buffer_size=ahead)
    with closing(iter(data.to_iter_dataset(read_options=options))) as gathered:
        yield from gathered
