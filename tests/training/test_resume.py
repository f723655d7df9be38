"""Going on from a checkpoint ends in the same bits as never having stopped, wherever that was."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from lab.dataset.dataset import Dataset
from lab.running.assembly import feed
from lab.training.checkpoints import Checkpoint, from_bytes, to_bytes
from lab.training.feeding import Feed
from lab.training.fit import train
from lab.training.outcome import TrainingResult
from tests.training.small import Bench, Counted, same, small_experiment


class Everywhere:
    """Keeps a chunk after each dispatch, as the bytes that would lie on a disk."""

    def __init__(self) -> None:
        self.kept: list[list[bytes]] = []

    def due(self) -> bool:
        return True

    def keep(self, take: Callable[[], list[Checkpoint]]) -> None:
        self.kept.append([to_bytes(one) for one in take()])


def go_on(
    bench: Bench, cells: Sequence[Any], kept: Sequence[bytes], rows: Feed | None = None
) -> tuple[list[TrainingResult], list[int], list[list[bytes]]]:
    """What becomes of cells from there on, the steps reported, and what is kept on the way."""
    start, told, keeper = [from_bytes(one) for one in kept], [], Everywhere()
    rows = rows or feed(bench.data, "train")
    ended = train(bench.assembly.program, list(cells), rows, feed(bench.data, "valid"), told.append, start, keeper)
    return ended, told, keeper.kept


def uninterrupted(bench: Bench, *cells: Any) -> tuple[list[TrainingResult], list[list[bytes]]]:
    """Cells trained as if nobody kept anything, and what another training of them kept on its way."""
    keeper, fed = Everywhere(), (feed(bench.data, "train"), feed(bench.data, "valid"))
    kept = train(bench.assembly.program, list(cells), *fed, lambda _: None, keeper=keeper)
    plain = bench.train(*cells)
    assert all(map(same, kept, plain))
    return plain, keeper.kept


def test_cells_go_on_from_every_look_to_the_same_bits(crowd: Bench) -> None:
    cells = [crowd.arrays(), crowd.arrays(seed=1, features="full", days=14)]
    ended, kept = uninterrupted(crowd, *cells)
    assert len(kept) == 3
    for dispatch, one in enumerate(kept, 1):
        again, told, later = go_on(crowd, cells, one)
        assert all(map(same, again, ended)) and len(later) == 3 - dispatch
        # What is kept after that leads on likewise.
        assert all(map(same, go_on(crowd, cells, later[0])[0], ended)) if later else dispatch == 3
        assert told == [min(4 * dispatch, 10), *([4, 4, 2][dispatch:])]
        assert all(a.seconds > from_bytes(b).seconds > 0 for a, b in zip(again, one, strict=True))


def test_a_cell_goes_on_without_those_it_began_with(crowd: Bench, alone: Bench) -> None:
    cells = [crowd.arrays(), crowd.arrays(seed=1, features="full", days=14)]
    ended, kept = uninterrupted(crowd, *cells)
    for bench in (alone, crowd):
        (lonely,), _, later = go_on(bench, cells[1:], kept[0][1:])
        assert same(lonely, ended[1]) and same(go_on(crowd, cells[1:], later[0])[0][0], ended[1])


def test_one_that_diverged_goes_on_diverged_and_its_neighbour_whole(crowd: Bench) -> None:
    cells = [crowd.arrays(learning_rate=1e30), crowd.arrays(seed=1)]
    ended, kept = uninterrupted(crowd, *cells)
    assert ended[0].diverged_at >= 0 > ended[1].diverged_at
    for one in kept:
        assert all(map(same, go_on(crowd, cells, one)[0], ended))


def test_patience_goes_on_where_it_was(cache: Path, data: Dataset) -> None:
    training = {"steps": 200, "evaluate_every": 5, "patience": 3, "learning_rate": 0.5, "cells_at_once": 1}
    bench = Bench.of(small_experiment(**training), cache, data)
    cell = bench.arrays(features="full")
    (ended,), kept = uninterrupted(bench, cell)
    assert ended.steps == 5 * len(ended.curve) < 200 and len(kept) == len(ended.curve)
    for one in kept:
        assert same(go_on(bench, [cell], one)[0][0], ended)


def test_streamed_rows_go_on_from_what_resident_ones_left(cache: Path, data: Dataset, alone: Bench) -> None:
    streamed = Bench.of(small_experiment(cells_at_once=1, resident_gib=0), cache, data)
    cell = alone.arrays(features="full")
    for one, other in ((alone, streamed), (streamed, alone)):
        (ended,), kept = uninterrupted(one, cell)
        for checkpoint in kept:
            assert same(go_on(other, [cell], checkpoint)[0][0], ended)


def test_of_several_shards_only_what_is_left_is_laid_out(sharded: Bench) -> None:
    cell, rows = sharded.arrays(seed=1, features="full"), feed(sharded.data, "train")
    (ended,), kept = uninterrupted(sharded, cell)
    positions = [from_bytes(one[0]).position for one in kept]
    assert positions[-1].visit >= 2 and any(place.step for place in positions)
    asked = []
    for one in kept:
        counted = Counted(rows.rest)
        assert same(go_on(sharded, [cell], one, replace(rows, rest=counted))[0][0], ended)
        asked.append(len(counted.asked))
    assert asked == sorted(asked, reverse=True) and asked[0] > asked[-1] == 0


def test_a_checkpoint_comes_back_to_the_bit(crowd: Bench) -> None:
    _, kept = uninterrupted(crowd, crowd.arrays())
    once = from_bytes(kept[1][0])
    assert to_bytes(once) == kept[1][0]
    assert once.state.params.dtype == np.float32 and once.position.dispatch == 2
