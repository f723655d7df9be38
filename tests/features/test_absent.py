"""An absent group adds exactly nothing, and takes nothing from the random streams of the others."""

from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from lab.data.log.histories import Histories
from lab.data.rows.batch import Columns
from lab.dataset.dataset import Dataset
from lab.experiment.cells import grid
from lab.models import RNN
from lab.running.assembly import assemble, build_network, cell_arrays, feed
from lab.targets import Interest
from lab.training.fit import train
from lab.training.settings import Training
from tests.quick import quick
from tests.small_experiment import small_experiment
from tests.whole_path import GROUPS, HORIZONS, TIMELINE, fold_of, prepared, shop_events

pytestmark = pytest.mark.usefixtures("broadcasting")


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="module")
def data(cache: Path) -> Dataset:
    return fold_of(prepared(shop_events(0), cache))


def params_of(data: Dataset) -> dict[str, Any]:
    network = build_network(RNN(width=8), data, jnp.dtype("float32"), Interest())
    split, on = data.splits["test"], np.ones(len(data.groups), np.float32)
    init = quick(network.init)
    return init(jax.random.key(0), split.rows, split.tables, on, None)["params"]


@pytest.fixture(scope="module")
def params(data: Dataset) -> dict[str, Any]:
    return params_of(data)


@pytest.fixture(scope="module")
def scores(data: Dataset, params: dict[str, Any]) -> Any:
    """(rows, tables, on) -> scores, of parameters that are all away from zero."""
    network = build_network(RNN(width=8), data, jnp.dtype("float32"), Interest())
    moved = jax.tree.map(lambda leaf: leaf + 0.1 * np.cos(np.arange(leaf.size)).reshape(leaf.shape), params)
    apply = quick(network.apply)
    return lambda rows, tables, on: np.asarray(apply({"params": moved}, rows, tables, on, None))


def noisy(columns: Columns, group: str) -> Columns:
    """The columns with those of one group replaced: ids shuffled, numbers drawn."""
    rng = np.random.default_rng(0)

    def noise(column: np.ndarray) -> np.ndarray:
        if column.dtype.kind == "i":
            return rng.permuted(column.reshape(-1)).reshape(column.shape)
        return rng.normal(10, 100, column.shape).astype(column.dtype)

    return {name: {k: noise(v) for k, v in own.items()} if name == group else own for name, own in columns.items()}


@pytest.mark.parametrize("group", GROUPS)
def test_an_absent_group_adds_exactly_nothing(data: Dataset, scores: Any, group: str) -> None:
    rows, tables = data.splits["test"].rows, data.splits["test"].tables
    with_noise = rows._replace(columns=noisy(rows.columns, group), entry_columns=noisy(rows.entry_columns, group))
    ones = np.ones(len(GROUPS), np.float32)
    off = np.where(np.array(sorted(GROUPS)) == group, 0, ones).astype(np.float32)
    assert np.array_equal(scores(rows, tables, off), scores(with_noise, noisy(tables, group), off))
    # And a present one adds something, or the above says nothing.
    assert not np.array_equal(scores(rows, tables, ones), scores(with_noise, noisy(tables, group), ones))
    assert not np.array_equal(scores(rows, tables, ones), scores(rows, tables, off))


@pytest.mark.parametrize("group", ["habit", "category"])
def test_parameters_do_not_depend_on_the_groups_beside_them(params: dict[str, Any], cache: Path, group: str) -> None:
    fewer = params_of(fold_of(prepared(shop_events(0), cache), [name for name in GROUPS if name != group]))
    gone = [name for name in params if name not in fewer]
    assert len(gone) == 1 and gone[0].endswith(group)
    for name in fewer:
        assert jax.tree.all(jax.tree.map(lambda a, b: bool((a == b).all()), fewer[name], params[name])), name


def test_a_cell_does_not_depend_on_the_feature_sets_beside_it(cache: Path) -> None:
    histories = prepared(shop_events(0), cache)
    alone, beside = (
        trained(histories, {"few": ("category",)} | more) for more in ({}, {"more": ("category", "habit")})
    )
    assert set(beside) > set(alone)
    for name in alone:
        assert jax.tree.all(jax.tree.map(lambda a, b: bool((a == b).all()), alone[name], beside[name])), name


def trained(histories: Histories, features: dict[str, tuple[str, ...]]) -> dict[str, Any]:
    """The parameters of the cell of the set "few" after some steps."""
    training = Training(steps=6, evaluate_every=6, batch=4, row_length=16, overlap=4)
    experiment = small_experiment(
        features=features, horizons=HORIZONS, models=(RNN(width=8),), timeline=TIMELINE, training=training, seeds=1
    )
    data = fold_of(histories, experiment.group_names())
    cells = [c for c in grid(experiment, "", False) if c.kind == "model" and c.features == "few"][:1]
    assembly = assemble(experiment, data, experiment.models[0], cells)
    arrays = [cell_arrays(cell, data) for cell in cells]
    (result,) = train(assembly.program, arrays, feed(data, "train"), feed(data, "valid"), lambda steps: None)
    return assembly.program.learner.flat.unravel(result.params)
