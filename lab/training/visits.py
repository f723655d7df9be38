"""Which rows each step sees where there are several shards of them: one is visited after another."""

from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import count
from threading import Lock

import jax
import numpy as np

from lab.data.batch import Rows
from lab.data.layout import Packed, Sizes
from lab.training.program import Program
from lab.training.state import row_order


@dataclass(frozen=True)
class Piece:
    """Steps of a dispatch whose rows lie in one shard."""

    rows: Packed
    order: np.ndarray
    """int32[S, n, B]."""


class Visits:
    """The batches of one dispatch after another. A visit is one epoch of a shard's rows.

    All cells visit the shards in one order, and each sees a shard's rows in its own; of a single shard, epoch
    follows epoch. The next shard that will be needed is laid out by a thread while this one is read.
    """

    def __init__(
        self, program: Program, seeds: np.ndarray, first: Packed, rest: Sequence[Packed | None], dispatches: int
    ) -> None:
        self._program, self._seeds, self._first, self._rest = program, seeds, first, rest
        self._steps = dispatches * program.steps
        self._sizes = roomy(first.sizes) if rest else first.sizes
        self._builder = ThreadPoolExecutor(1, "shards")
        self._lock = Lock()
        self._cut = enumerate(self._dispatches())
        self._ready: dict[int, tuple[list[Piece], Sizes]] = {}

    def close(self) -> None:
        """End the thread, once the shard in its hands is laid out."""
        self._builder.shutdown(cancel_futures=True)

    def batches(self, index: int) -> Rows:
        """The rows of a dispatch, laid out for the devices. Each dispatch is asked for once, by whatever thread."""
        with self._lock:
            while index not in self._ready:
                place, pieces = next(self._cut)
                self._ready[place] = pieces, self._sizes
            pieces, sizes = self._ready.pop(index)
        lay = self._program.layout.lay_order
        taken = [piece.rows.take(lay(piece.order), sizes) for piece in pieces]
        # However cells and batches are laid over devices, steps are the third axis.
        return taken[0] if len(taken) == 1 else jax.tree.map(lambda *parts: np.concatenate(parts, 2), *taken)

    def _dispatches(self) -> Iterator[list[Piece]]:
        """The steps of one dispatch after another, in as many pieces as it has shards."""
        pieces, lacking = [], self._program.steps
        for visit in self._visits():
            order = visit.order
            while order.shape[1] >= lacking:
                yield [*pieces, Piece(visit.rows, order[:, :lacking])]
                order = order[:, lacking:]
                pieces, lacking = [], self._program.steps
            if order.shape[1]:
                pieces.append(Piece(visit.rows, order))
                lacking -= order.shape[1]

    def _visits(self) -> Iterator[Piece]:
        """All steps of one visit after another, for ever."""
        batch, done = self._program.batch, 0
        ahead: Future[Packed | None] | None = None
        for visit in count():
            rows = ahead.result() if ahead else self._first
            steps = rows.count // batch if rows else 0
            done += steps
            ahead = self._later(visit + 1) if done < self._steps else None
            if rows and steps:
                self._sizes = widened(self._sizes, rows.sizes)
                orders = [row_order(int(seed), visit * steps, steps, batch, rows.count) for seed in self._seeds]
                yield Piece(rows, np.stack(orders))

    def _later(self, visit: int) -> "Future[Packed | None] | None":
        """A later visit's rows, laid out in the background; None for the first shard, which is there."""
        shard = visit % (1 + len(self._rest))
        return self._builder.submit(self._rest.__getitem__, shard - 1) if shard else None


def widened(sizes: Sizes, needed: Sizes) -> Sizes:
    """Sizes that also hold what is needed. They only ever grow, since a program is compiled for each anew."""
    if all(size >= need for size, need in zip(sizes, needed, strict=True)):
        return sizes
    return roomy(Sizes(*map(max, sizes, needed)))


def roomy(sizes: Sizes) -> Sizes:
    """Each rounded up to an eighth of its power of two: room for shards a little fuller than the first."""
    return Sizes(*(-(-size // _unit(size)) * _unit(size) for size in sizes))


def _unit(size: int) -> int:
    return 1 << max(size.bit_length() - 3, 0)
