"""Members together predict what each does alone, and what is new is shared out as said."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy.special import softmax

from lab.core.errors import InputError
from lab.predicting.ensemble import novel_as, predictions
from lab.predicting.trained_cell import TrainedCell
from lab.running.assembly import cell_arrays, feed
from lab.targets import NextItem
from lab.training.fit import predict
from tests.training.small import IDS, Bench, small_experiment

pytestmark = pytest.mark.usefixtures("broadcasting")


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("logs")


@pytest.fixture(scope="module")
def crowd(broadcasting: None, cache: Path) -> Bench:
    """Three cells in a chunk."""
    return Bench.of(small_experiment(cells_at_once=3), cache)


@pytest.fixture(scope="module")
def ids_only(broadcasting: None, cache: Path) -> Bench:
    """Cells of an experiment of one feature set, so of another program."""
    return Bench.of(replace(small_experiment(cells_at_once=1), features={"ids": IDS}), cache)


def members(bench: Bench, count: int) -> list[TrainedCell]:
    """Cells of two horizons and feature sets, each of parameters of its own."""
    size, draws = bench.assembly.program.learner.flat.size, np.random.default_rng(0)
    params = draws.normal(0, 0.3, (count, size)).astype(np.float32)
    return [TrainedCell(c, bench.data, bench.assembly.program, p) for c, p in zip(bench.cells, params, strict=False)]


def alone(bench: Bench, one: TrainedCell, split: str) -> np.ndarray:
    """float[Q, C]: what a cell predicts at each query, by itself."""
    slot = bench.data.splits[split].slot
    found = np.full((len(bench.data.splits[split].queries), bench.data.view.candidates), np.nan)
    arrays = [cell_arrays(one.cell, bench.data)]
    for rows, (scores,) in predict(bench.assembly.program, arrays, [one.params], feed(bench.data, split)):
        real = slot[rows[rows >= 0]]
        found[real[real >= 0]] = scores[rows >= 0][real >= 0]
    return softmax(found, axis=1)


@pytest.mark.parametrize("split", ["valid", "test"])
def test_more_members_than_fit_at_once_predict_what_each_does_alone(crowd: Bench, split: str) -> None:
    own = members(crowd, 4)
    assert crowd.assembly.program.layout.cells_at_once < 4
    found = np.full((4, len(crowd.data.splits[split].queries), crowd.data.view.candidates), np.nan)
    for index, each in predictions(own, split):
        assert np.isnan(found[:, index]).all(), "a query comes twice"
        found[:, index] = each
    np.testing.assert_allclose(found, [alone(crowd, one, split) for one in own], rtol=1e-5, atol=1e-30)
    assert np.ptp(found, axis=0).max() > 0.1


def test_members_of_several_programs_are_refused(crowd: Bench, ids_only: Bench) -> None:
    mixed: Sequence[TrainedCell] = [*members(crowd, 1), *members(ids_only, 1)]
    with pytest.raises(InputError, match="of several models or folds"):
        next(predictions(mixed, "test"))


def test_members_that_rank_a_catalogue_are_refused(crowd: Bench) -> None:
    asked = replace(crowd.experiment, target=NextItem(), features={"ids": IDS}, baselines=None)  # type: ignore[arg-type]
    (one,) = members(crowd, 1)
    with pytest.raises(InputError, match="answer to target next_item by ranks"):
        next(predictions([replace(one, cell=replace(one.cell, experiment=asked))], "test"))


def test_what_is_new_is_shared_out_as_far_ahead_and_no_more_of_it() -> None:
    near, far = np.array([[0.5, 0.1, 0.3, 0.1]]), np.array([[0.1, 0.2, 0.1, 0.6]])
    touched = np.array([[True, False, True, False]])
    np.testing.assert_allclose(novel_as(near, far, touched), [[0.5, 0.05, 0.3, 0.15]])
    np.testing.assert_array_equal(novel_as(near, far, np.ones_like(touched)), near)
    np.testing.assert_allclose(novel_as(near, far, np.zeros_like(touched)), far)
