"""What a model expects at a tick is made from what came before it, and is what the model is judged by."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import jax
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import lab.predicting.interests
from lab.core.errors import InputError
from lab.data.fold.limits import Limits
from lab.data.fold.view import truncate_view
from lab.data.rows.packing import Segments, cut_from_end
from lab.data.rows.steps import Steps
from lab.data.sources import SyntheticShop
from lab.data.timeline import DAY
from lab.dataset.dataset import Dataset
from lab.experiment.cells import grid
from lab.experiment.experiment import Experiment
from lab.models import RNN
from lab.predicting.interests import evolution
from lab.predicting.trained_cell import TrainedCell
from lab.running.assembly import assemble
from lab.running.trained_cells import judge_trained
from lab.targets import Interest
from lab.training.outcome import TrainingResult
from lab.training.settings import Training
from tests.leakage.futures import FEW, SEEDS
from tests.leakage.networks import some_params
from tests.whole_path import GROUPS, HORIZONS, START, TEST, TIMELINE, VALID, fold_of, prepared, shop_events
from tests.whole_path import with_another_future as changed_after

pytestmark = pytest.mark.usefixtures("broadcasting")

ASKED = Experiment(
    name="seen", source=SyntheticShop(), target=Interest(), horizons=HORIZONS, features={"all": GROUPS},
    models=(RNN(width=8),), seeds=1, timeline=TIMELINE, training=Training(batch=16, row_length=16, overlap=4),
)  # fmt: skip
CELL = next(cell for cell in grid(ASKED, "", False) if cell.kind == "model" and cell.horizon == HORIZONS[0])


@pytest.fixture(scope="module", autouse=True)
def in_a_hurry() -> Iterator[None]:
    """Every call here is of another shape, compiled for it alone."""
    jax.config.update("jax_disable_most_optimizations", True)
    yield
    jax.config.update("jax_disable_most_optimizations", False)


@pytest.fixture(scope="module")
def caches(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("caches")


@pytest.fixture(scope="module")
def trained(caches: Path) -> TrainedCell:
    """A cell whose every parameter speaks."""
    data = fold_of(prepared(shop_events(0), caches))
    program = assemble(ASKED, data, ASKED.models[0], [CELL]).program
    test = data.splits["test"]
    params = some_params(program.learner.network, test.rows, test.tables, np.ones(len(GROUPS), np.float32))
    return TrainedCell(CELL, data, program, np.asarray(program.learner.flat.ravel(params)))


def until(table: pd.DataFrame, day: float) -> tuple[np.ndarray, np.ndarray]:
    """Who is asked when, users counted anew, and what is predicted, up to a day."""
    early = table[table["cutoff"] <= np.datetime64(round((START + day) * DAY), "us")]
    names = np.unique(early["user"], return_inverse=True)[1]
    return np.stack([names, early["cutoff"].astype("int64")]), early["predicted"].to_numpy()


def assert_same_until(day: float, one: pd.DataFrame, other: pd.DataFrame) -> None:
    (asked, predicted), (asked_too, predicted_too) = until(one, day), until(other, day)
    assert len(predicted) and np.array_equal(asked, asked_too)
    # Rows are packed anew, in other shapes; the order of sums is the compiler's then.
    np.testing.assert_allclose(predicted, predicted_too, rtol=1e-4, atol=1e-7)


def of(trained: TrainedCell, data: Dataset) -> TrainedCell:
    return replace(trained, data=data)


def cut_at(trained: TrainedCell, day: float) -> TrainedCell:
    """The same cell, that knows of no event after a day."""
    view = truncate_view(trained.data.view, round((START + day) * DAY))
    return of(trained, replace(trained.data, view=view))


@settings(FEW, max_examples=2)
@given(future=SEEDS)
def test_another_future_changes_no_prediction_before_it(trained: TrainedCell, caches: Path, future: int) -> None:
    day = VALID + 5
    after = fold_of(prepared(changed_after(shop_events(0), day, future), caches))
    assert_same_until(day, evolution(trained), evolution(of(trained, after)))


@settings(FEW, max_examples=2)
@given(day=st.integers(5, TEST))
def test_without_a_future_the_predictions_are_the_same(trained: TrainedCell, day: int) -> None:
    assert_same_until(day, evolution(trained), evolution(cut_at(trained, day)))


def test_pieces_that_follow_from_where_a_history_ends_are_caught(
    trained: TrainedCell, monkeypatch: pytest.MonkeyPatch
) -> None:
    from_the_end: Callable[[Steps, int], Segments] = lambda steps, length: cut_from_end(steps, length, 0)  # noqa: E731
    monkeypatch.setattr(lab.predicting.interests, "cut_per_query", from_the_end)
    with pytest.raises(AssertionError):
        assert_same_until(25, evolution(trained), evolution(cut_at(trained, 25)))


@pytest.mark.parametrize("history_days", [None, 12])
def test_the_last_tick_is_what_the_cell_is_judged_by(
    trained: TrainedCell, caches: Path, history_days: float | None
) -> None:
    if history_days is not None:
        limits = Limits(history_days)
        trained = of(trained, fold_of(prepared(shop_events(0), caches), limits=limits))
    table = evolution(trained)
    last = table[table["cutoff"] == table["cutoff"].max()]
    predicted = last.pivot(index="user", columns="category", values="predicted").to_numpy()
    happened = last.pivot(index="user", columns="category", values="happened").to_numpy()
    loss = -(happened * np.log(predicted)).sum(axis=1)
    result = TrainingResult(trained.params, 1, 1, 0.0, -1, None, (), 0.0, 0.0)
    assembly = assemble(ASKED, trained.data, ASKED.models[0], [CELL])
    (judge,) = judge_trained(trained.data, assembly, [CELL], [result])
    assert judge is not None
    users = judge.result().queries
    everywhere = users["slice"] == "all"
    np.testing.assert_allclose(loss[~np.isnan(loss)], users["log_loss"][everywhere], rtol=1e-4, atol=1e-6)
    assert np.array_equal(np.unique(last["user"])[~np.isnan(loss)], users["user"][everywhere])


def test_some_users_are_a_part_of_all(trained: TrainedCell) -> None:
    everyone = evolution(trained)
    some = np.unique(everyone["user"])[[1, 3]]
    one, other = evolution(trained, some), everyone[everyone["user"].isin(some.tolist())]
    assert one.drop(columns="predicted").equals(other.drop(columns="predicted").reset_index(drop=True))
    np.testing.assert_allclose(one["predicted"].to_numpy(), other["predicted"].to_numpy(), rtol=1e-4, atol=1e-7)
    sums = one.pivot_table(index=["user", "cutoff"], values="predicted", aggfunc="sum")
    np.testing.assert_allclose(sums.to_numpy(), 1.0, rtol=1e-5)


@pytest.mark.parametrize("users", [[10_000], []])
def test_a_user_who_is_never_asked_is_named(trained: TrainedCell, users: list[int]) -> None:
    with pytest.raises(InputError, match=r"users: (row 10000 is never asked|names nobody)"):
        evolution(trained, users)
