"""How rows reach the device: lying there whole, or streamed from the host with prefetch."""

from collections.abc import Iterator
from typing import Any

import jax
import numpy as np

from lab.data.batch import Rows, leaves
from lab.training.devices import Layout
from lab.training.program import Program
from lab.training.settings import Training


def gigabytes(tree: Any) -> float:
    """Size of the arrays of a tree in GiB."""
    return sum(leaf.nbytes for leaf in leaves(tree)) / 2**30


def take_rows(rows: Rows, index: np.ndarray) -> Rows:
    """Rows gathered on the host; `index` may have any shape."""
    return jax.tree.map(lambda leaf: leaf[index], rows)


def is_resident(rows: Rows, training: Training) -> bool:
    """Whether the rows lie on the device whole."""
    return gigabytes(rows) <= training.resident_gib


def blocks(rows: Rows, size: int, layout: Layout) -> Iterator[tuple[np.ndarray, Rows]]:
    """Equal blocks of all rows for evaluation, and which row each place of this process's share holds.

    The last block is filled up with repeats, whose place is -1 and whose labels weigh nothing.
    """
    size = _up_to_multiple(min(size, rows.count), layout.batch_shares)
    share = size // layout.batch_shares * layout.lanes if layout.mode == "batch" else size
    first_of_share = jax.process_index() * share if layout.mode == "batch" else 0
    for first in range(0, rows.count, size):
        place = np.arange(first, first + size)
        real = place < rows.count
        block = take_rows(rows, np.where(real, place, 0))
        weight = block.label.weight * real[:, None, None].astype(np.float32)
        block = block._replace(label=block.label._replace(weight=weight))
        yield np.where(real, place, -1)[first_of_share : first_of_share + share], block


def _up_to_multiple(size: int, of: int) -> int:
    return -(-size // of) * of


def batches(program: Program, seeds: np.ndarray, rows: Rows, counts: list[int], ahead: int = 2) -> Iterator[Rows]:
    """The batches of one dispatch after another, gathered by Grain's threads `ahead` of their use."""
    import grain

    first = np.cumsum(counts) - counts

    def gather(index: int) -> Rows:
        order = program.order(seeds, int(first[index]), counts[index])
        return take_rows(rows, program.layout.lay_order(order))

    data = grain.MapDataset.range(len(counts)).map(gather)
    options = grain.ReadOptions(num_threads=min(ahead, len(counts)), prefetch_buffer_size=ahead)
    return iter(data.to_iter_dataset(read_options=options))
