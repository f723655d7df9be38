"""An absent group adds exactly nothing, and takes nothing from the random streams of the others."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from lab.assembly import build_network
from lab.data.batch import Columns
from lab.data.dataset import Dataset
from lab.models import RNN
from tests.whole_path import GROUPS, fold_of, prepared, shop_events

O0 = {"xla_backend_optimization_level": 0}


@pytest.fixture(scope="module", autouse=True)
def broadcasting() -> Iterator[None]:
    with jax.numpy_rank_promotion("allow"):
        yield


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="module")
def data(cache: Path) -> Dataset:
    return fold_of(prepared(shop_events(0), cache))


def params_of(data: Dataset) -> dict[str, Any]:
    network = build_network(RNN(width=8), data, jnp.dtype("float32"))
    split, on = data.splits["test"], np.ones(len(data.groups), np.float32)
    init = jax.jit(network.init, compiler_options=O0)
    return init(jax.random.key(0), split.rows, split.tables, on, None)["params"]


@pytest.fixture(scope="module")
def params(data: Dataset) -> dict[str, Any]:
    return params_of(data)


@pytest.fixture(scope="module")
def scores(data: Dataset, params: dict[str, Any]) -> Any:
    """(rows, tables, on) -> scores, of parameters that are all away from zero."""
    network = build_network(RNN(width=8), data, jnp.dtype("float32"))
    moved = jax.tree.map(lambda leaf: leaf + 0.1 * np.cos(np.arange(leaf.size)).reshape(leaf.shape), params)
    apply = jax.jit(network.apply, compiler_options=O0)
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
