"""The host's loop: streaming, early stopping, odd sizes."""

import threading
from dataclasses import replace
from pathlib import Path

import jax
import numpy as np
import pytest

from lab.core.errors import InputError
from lab.dataset.dataset import Dataset
from lab.running.assembly import feed
from lab.training.devices import Layout
from lab.training.feeding import batches, blocks
from lab.training.fit import dispatch_sizes, predict, without_labels
from lab.training.settings import Training
from tests.training.small import Bench, same, small_experiment


def _prefetching() -> list[str]:
    return [thread.name for thread in threading.enumerate() if "grain" in thread.name and thread.is_alive()]


def test_streamed_rows_train_as_resident_ones_to_the_bit(cache: Path, data: Dataset, alone: Bench) -> None:
    streamed = Bench.of(small_experiment(cells_at_once=1, resident_gib=0), cache, data)
    cell = alone.arrays(features="full")
    assert same(streamed.train(cell)[0], alone.train(cell)[0])
    assert not _prefetching()


def test_a_stream_that_is_left_ends_its_threads(alone: Bench) -> None:
    seeds = np.zeros(1, np.uint32)
    stream = batches(alone.assembly.program, seeds, feed(alone.data, "train"), dispatches=50)
    next(stream)
    assert _prefetching()
    stream.close()
    for thread in threading.enumerate():
        if "grain" in thread.name:
            thread.join(10)
    assert not _prefetching()


def test_a_cell_that_only_gets_worse_stops_and_keeps_its_best(cache: Path, data: Dataset) -> None:
    training = {"steps": 200, "evaluate_every": 5, "patience": 3, "learning_rate": 0.5, "cells_at_once": 1}
    bench = Bench.of(small_experiment(**training), cache, data)
    (trained,) = bench.train(bench.arrays(features="full"))
    losses = [look.valid_loss for look in trained.curve]
    best = int(np.argmin(losses))
    assert trained.steps == 5 * len(losses) < 200 and best == len(losses) - 4
    assert trained.best_loss == losses[best] and trained.best_step == 5 * (best + 1)
    rows = feed(data, "valid")
    total = np.zeros(2)
    for index, scores in predict(bench.assembly.program, [bench.arrays(features="full")], [trained.params], rows):
        label = rows.rows.take(np.maximum(index, 0)).label
        real = (index >= 0).astype(np.float32)[:, None, None]
        cell, learner = bench.arrays(features="full"), bench.assembly.program.learner
        total += np.array(learner.shortfall(scores[0], cell, label._replace(weight=label.weight * real)))
    np.testing.assert_allclose(total[0] / total[1], trained.best_loss, rtol=1e-5)


@pytest.mark.parametrize(
    ("steps", "every", "counts"), [(10, 4, [4, 4, 2]), (8, 4, [4, 4]), (3, 50, [3]), (50, 50, [50])]
)
def test_dispatches_take_every_step_once(steps: int, every: int, counts: list[int]) -> None:
    assert dispatch_sizes(Training(steps=steps, evaluate_every=every)) == counts


@pytest.mark.parametrize("size", [1, 3, 4, 7, 500])
@pytest.mark.parametrize("mode", ["cells", "batch"])
def test_blocks_hold_every_row_once(alone: Bench, size: int, mode: str) -> None:
    packed, rows = alone.data.splits["valid"].packed, alone.data.splits["valid"].rows
    layout = Layout(mode, (None, None, None), 1)  # type: ignore[arg-type]
    found, weight, shapes = [], 0.0, set()
    for place, block in blocks(packed, np.arange(rows.count), size, layout):
        found += place[place >= 0].tolist()
        weight += float(block.label.weight.sum())
        shapes.add(block.start.shape)
        np.testing.assert_array_equal(block.start[place >= 0], rows.start[place[place >= 0]])
    assert found == list(range(rows.count)) and len(shapes) == 1
    np.testing.assert_allclose(weight, rows.label.weight.sum(), rtol=1e-6)


def test_a_batch_larger_than_the_rows_takes_what_divides(cache: Path, data: Dataset) -> None:
    rows = data.splits["train"].rows.count
    bench = Bench.of(small_experiment(batch=4 * rows, accumulate=4), cache, data)
    assert bench.assembly.program.batch == rows - rows % 4
    with pytest.raises(InputError, match=f"{rows} training rows cannot be cut into {2 * rows} pieces"):
        Bench.of(small_experiment(batch=2 * rows, accumulate=2 * rows), cache, data)


def test_chunks_take_first_seeds_first(crowd: Bench) -> None:
    assembly = replace(crowd.assembly, cells=list(reversed(crowd.cells)))
    chunks = assembly.chunks()
    assert [len(chunk) for chunk in chunks] == [3, 3, 2]
    assert [cell.seed for chunk in chunks for cell in chunk] == [0] * 4 + [1] * 4


def test_valid_and_test_are_scored_in_one_shape_though_their_rows_need_others(alone: Bench) -> None:
    valid, test = (feed(alone.data, name) for name in ("valid", "test"))
    assert valid.rows.sizes != test.rows.sizes
    asked = []
    for each in (valid, test):
        ((_, block), *_) = blocks(each.rows, np.arange(each.rows.count), 4, alone.assembly.program.layout, each.sizes)
        asked.append((without_labels(alone.assembly.program, block), each.tables))
    assert jax.tree.map(np.shape, asked[0]) == jax.tree.map(np.shape, asked[1])


def test_places_that_hold_nothing_change_no_score(alone: Bench) -> None:
    arrays, rows = alone.arrays(features="full"), feed(alone.data, "test")
    params = alone.train(arrays)[0].params
    tight, roomy = (
        [scores for _, scores in predict(alone.assembly.program, [arrays], [params], each)]
        for each in (replace(rows, sizes=None), rows)
    )
    for one, other in zip(tight, roomy, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-6)
