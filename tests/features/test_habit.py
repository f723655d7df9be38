"""Going back to what was touched: the scores against their formula, and what is a category's own."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from lab.dataset.dataset import Dataset
from lab.features.base import Shape
from lab.features.counts import counts_at_queries
from lab.features.habit import Habit, HabitScore
from lab.models.network import QueryContext
from tests.whole_path import fold_of, prepared, shop_events

DAYS = (1.0, 7.0)


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    return fold_of(prepared(shop_events(0), tmp_path_factory.mktemp("cache")), groups=("category", Habit(days=DAYS)))


@pytest.fixture(scope="module")
def context(shop: Dataset) -> QueryContext:
    rows = jax.tree.map(jnp.asarray, shop.splits["test"].rows)
    position = rows.query.position
    known: dict[str, Any] = {
        "hidden": jnp.zeros((*position.shape, 4)),
        "time": jnp.take_along_axis(rows.time, position, axis=1),
        "entry": rows.entry,
        "alive": rows.alive,
        "columns": rows.entry_columns["habit"],
        "candidates": shop.view.candidates,
        "prior": jnp.log(jnp.arange(1.0, shop.view.candidates + 1) / 99),
    }
    return QueryContext(**dict.fromkeys(QueryContext._fields) | known)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def params(context: QueryContext) -> dict[str, Any]:
    module = HabitScore(DAYS, Shape(3, context.candidates, jnp.float32))
    with jax.numpy_rank_promotion("allow"):
        variables: Any = module.init(jax.random.key(0), context)
    return variables["params"]


def scores(context: QueryContext, params: dict[str, Any]) -> np.ndarray:
    module = HabitScore(DAYS, Shape(3, context.candidates, jnp.float32))
    with jax.numpy_rank_promotion("allow"):
        return np.asarray(module.apply({"params": params}, context))


def features_of(context: QueryContext, row: int, query: int) -> dict[int, np.ndarray]:
    """The features of each category that a query's user has touched, one by one."""
    with jax.numpy_rank_promotion("allow"):
        counts = np.asarray(counts_at_queries(context, context.columns["count"], DAYS))[row, query]
    place = np.asarray(context.columns["place"])[row]
    seen = np.flatnonzero(context.alive[row, query])
    total = counts[seen].sum(1)
    found = {}
    for entry, own in zip(seen, total, strict=True):
        candidate = int(context.entry.candidate[row, entry])
        share = np.log(own / np.maximum(total.sum(0), 1e-6) + 1e-4) + 5.2
        near = np.exp(-(place[seen].max() - place[entry]) / np.array([2.0, 8.0, 32.0]))
        parts = [np.log1p(own), share, np.log1p(counts[entry]).ravel(), near, [-float(context.prior[candidate])]]
        found[candidate] = np.concatenate(parts)
    return found


def test_a_category_adds_its_own_where_it_was_touched(
    shop: Dataset, context: QueryContext, params: dict[str, Any]
) -> None:
    real = shop.splits["test"].rows.query.real
    own = np.random.default_rng(0).normal(size=params["own"].shape).astype(np.float32)
    added = scores(context, params | {"own": jnp.asarray(own)}) - scores(context, params)
    for row, query in np.argwhere(real & np.asarray(context.alive).any(-1))[:20]:
        wanted = np.zeros(context.candidates)
        for candidate, features in features_of(context, int(row), int(query)).items():
            wanted[candidate] = own[candidate, :-1] @ features + own[candidate, -1]
        assert np.count_nonzero(wanted)
        np.testing.assert_allclose(added[row, query], wanted, rtol=1e-3, atol=1e-4)


def test_all_categories_begin_alike(params: dict[str, Any]) -> None:
    assert not np.any(params["own"])
