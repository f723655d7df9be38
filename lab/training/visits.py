"""Which rows each step sees where there are several shards of them: one is visited after another."""

from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from itertools import count
from threading import Lock
from typing import NamedTuple

import jax
import numpy as np

from lab.data.rows.batch import Rows
from lab.data.rows.layout import PackedRows, RowSizes
from lab.training.program import Program
from lab.training.state import row_order


class Position(NamedTuple):
    """How far training has read its rows: where a dispatch begins."""

    dispatch: int = 0
    visit: int = 0
    step: int = 0
    """Steps of this visit that were taken before."""
    sizes: RowSizes | None = None
    """Places of the batches so far, where there are several shards; None: what the first one needs."""


BEGIN = Position()


@dataclass(frozen=True)
class Piece:
    """Steps of a dispatch whose rows lie in one shard."""

    rows: PackedRows
    order: np.ndarray
    """int32[S, n, B]."""
    visit: int
    step: int
    """Steps of the visit before these."""

    @property
    def steps(self) -> int:
        return self.order.shape[1]

    def cut(self, steps: int) -> "tuple[Piece, Piece]":
        """The first steps, and those after them."""
        after = replace(self, order=self.order[:, steps:], step=self.step + steps)
        return replace(self, order=self.order[:, :steps]), after


class Visits:
    """The batches of one dispatch after another. A visit is one epoch of a shard's rows.

    All cells visit the shards in one order, and each sees a shard's rows in its own; of a single shard, epoch
    follows epoch. The next shard that will be needed is laid out by a thread while this one is read.
    """

    def __init__(
        self,
        program: Program,
        seeds: np.ndarray,
        first: PackedRows,
        rest: Sequence[PackedRows | None],
        dispatches: int,
        start: Position = BEGIN,
    ) -> None:
        self._program, self._seeds, self._first, self._rest = program, seeds, first, rest
        self._start, self._steps = start, dispatches * program.steps
        self._sizes = start.sizes or (round_up_sizes(first.sizes) if rest else first.sizes)
        self._builder = ThreadPoolExecutor(1, "shards")
        self._lock = Lock()
        self._cut = self._dispatches()
        self._ready: dict[int, tuple[list[Piece], RowSizes, Position]] = {}

    def close(self) -> None:
        """End the thread, once the shard in its hands is laid out."""
        self._builder.shutdown(cancel_futures=True)

    def batches(self, index: int) -> tuple[Rows, Position]:
        """The rows of a dispatch, laid out for the devices, and where the next one begins.

        Each dispatch is asked for once, by whatever thread.
        """
        with self._lock:
            while index not in self._ready:
                pieces, after = next(self._cut)
                self._ready[after.dispatch - 1] = pieces, self._sizes, after
            pieces, sizes, after = self._ready.pop(index)
        lay = self._program.layout.lay_order
        taken = [piece.rows.take(lay(piece.order), sizes) for piece in pieces]
        # However cells and batches are laid over devices, steps are the third axis.
        rows = taken[0] if len(taken) == 1 else jax.tree.map(lambda *parts: np.concatenate(parts, 2), *taken)
        return rows, after

    def _dispatches(self) -> Iterator[tuple[list[Piece], Position]]:
        """The steps of one dispatch after another, in as many pieces as it has shards, and where the next begins."""
        pieces, lacking, done = [], self._program.steps, self._start.dispatch
        for piece in self._visits():
            while piece.steps >= lacking:
                last, piece = piece.cut(lacking)
                done += 1
                yield [*pieces, last], self._after(piece, done)
                pieces, lacking = [], self._program.steps
            if piece.steps:
                pieces.append(piece)
                lacking -= piece.steps

    def _after(self, left: Piece, dispatches: int) -> Position:
        """Where what is left of a visit begins, or the next visit where nothing is."""
        visit, step = (left.visit, left.step) if left.steps else (left.visit + 1, 0)
        return Position(dispatches, visit, step, self._sizes if self._rest else None)

    def _visits(self) -> Iterator[Piece]:
        """All steps of one visit after another, for ever; of the first, those that were not taken before."""
        batch, begun = self._program.batch, self._start
        # Steps of all visits so far: how many are left says whether another shard is needed.
        done = begun.dispatch * self._program.steps - begun.step
        ahead = self._later(begun.visit)
        for visit in count(begun.visit):
            rows = ahead.result() if ahead else self._first
            steps = rows.count // batch if rows else 0
            done += steps
            ahead = self._later(visit + 1) if done < self._steps else None
            if rows and steps:
                self._sizes = grow_sizes(self._sizes, rows.sizes)
                orders = [row_order(int(seed), visit * steps, steps, batch, rows.count) for seed in self._seeds]
                whole = Piece(rows, np.stack(orders), visit, 0)
                yield whole.cut(begun.step)[1] if visit == begun.visit else whole

    def _later(self, visit: int) -> "Future[PackedRows | None] | None":
        """A later visit's rows, laid out in the background; None for the first shard, which is there."""
        shard = visit % (1 + len(self._rest))
        return self._builder.submit(self._rest.__getitem__, shard - 1) if shard else None


def grow_sizes(sizes: RowSizes, needed: RowSizes) -> RowSizes:
    """Sizes that also hold what is needed. They only ever grow, since a program is compiled for each anew."""
    if all(size >= need for size, need in zip(sizes, needed, strict=True)):
        return sizes
    return round_up_sizes(RowSizes(*map(max, sizes, needed)))


def round_up_sizes(sizes: RowSizes) -> RowSizes:
    """Each rounded up to an eighth of its power of two: room for shards a little fuller than the first."""
    return RowSizes(*(-(-size // _unit(size)) * _unit(size) for size in sizes))


def _unit(size: int) -> int:
    return 1 << max(size.bit_length() - 3, 0)
