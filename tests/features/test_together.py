"""What goes together: the factors against a dense decomposition, the scores against their formula."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import linen as nn

from lab.data.fold.view import truncate_view
from lab.dataset.dataset import Dataset
from lab.features.base import Shape
from lab.features.counts import counts_at_queries
from lab.features.together import Together, TogetherScore, factors
from lab.features.weights import PACE, weights
from lab.models.network import QueryContext
from tests.small_logs import small_histories, small_view
from tests.whole_path import fold_of, prepared, shop_events

CAMPS = [
    (user, "i", "abc"[k] if user < 6 else "xyz"[k], float(k)) for user in range(12) for k in range(3) if k != user % 3
]
"""Users of two camps who have each touched two of their camp's three categories."""


def camps(users: int = 12):
    return small_view(small_histories(CAMPS, users=range(users)), 10, 20, (2,), 2)


def test_a_category_never_touched_is_near_those_of_its_camp() -> None:
    factor, strength = factors(camps(), 2)
    near = (factor * strength) @ factor.T
    assert near.shape == (6, 6)
    assert near[:3, :3].min() > 0.5 and near[3:, 3:].min() > 0.5
    assert np.abs(near[:3, 3:]).max() < 1e-5


def test_all_factors_give_the_matrix_back() -> None:
    rng = np.random.default_rng(0)
    events = [(u, "i", "abcde"[rng.integers(5)], float(d)) for u in range(30) for d in range(6)]
    view = small_view(small_histories(events), 10, 20, (2,), 2)
    count = np.zeros((30, 5))
    np.add.at(count, (view.histories.user_of_event, view.candidate), 1)
    amount = np.log1p(count)
    matrix = amount / np.sqrt(amount.sum(1, keepdims=True)) / np.sqrt((count > 0).sum(0))
    factor, strength = factors(view, 4)
    values, vectors = np.linalg.eigh(matrix.T @ matrix)
    top = vectors[:, 1:] * np.sqrt(values[1:] / values[-1]) @ vectors[:, 1:].T
    np.testing.assert_allclose((factor * strength) @ factor.T, top * 5 / 4, atol=1e-5)
    assert np.array_equal(factors(view, 99)[1], factors(view, 5)[1])


def test_users_with_nothing_to_tell_move_no_bit() -> None:
    few, many = factors(camps(), 3), factors(camps(users=40), 3)
    assert all(np.array_equal(a, b) for a, b in zip(few, many, strict=True))


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    return fold_of(prepared(shop_events(0), tmp_path_factory.mktemp("cache")), groups=("category", Together(rank=2)))


def asking_of(data: Dataset) -> QueryContext:
    split = data.splits["test"]
    rows = jax.tree.map(jnp.asarray, split.rows)
    position = rows.query.position
    known: dict[str, Any] = {
        "hidden": jnp.zeros((*position.shape, 4)),
        "time": jnp.take_along_axis(rows.time, position, axis=1),
        "entry": rows.entry,
        "alive": rows.alive,
        "columns": rows.entry_columns["together"],
        "tables": jax.tree.map(jnp.asarray, split.tables["together"]),
        "candidates": data.view.candidates,
    }
    return QueryContext(**dict.fromkeys(QueryContext._fields) | known)  # type: ignore[arg-type]


@pytest.mark.usefixtures("broadcasting")
def test_scores_are_those_of_the_formula(shop: Dataset) -> None:
    context, state = asking_of(shop), shop.states["together"]
    module = TogetherScore(state["days"], Shape(4, shop.view.candidates, jnp.float32))
    params = module.init(jax.random.key(0), context)["params"]
    params = dict(params) | {"back": jnp.full(1, 0.1), "strength": jnp.full(1, 0.02), "mix": jnp.arange(5) * 0.01}
    got = np.asarray(module.apply({"params": params}, context))
    mix, overall, back = (
        1 / 5 + PACE / 4 * np.arange(5) * 0.01, 0.3 + PACE / 4 * 0.02, PACE / 4 * 0.1
    )  # fmt: skip
    count = np.log1p(np.asarray(counts_at_queries(context, context.columns["count"], state["days"]))[..., 0, :])
    alive, candidate = np.asarray(context.alive), np.asarray(context.entry.candidate)
    factor, strength = state["factor"], state["strength"]
    for row, slot in zip(*np.nonzero(alive.any(-1)), strict=True):
        seen = alive[row, slot]
        amount = count[row, slot, seen] @ mix
        profile = (amount / np.linalg.norm(amount)) @ (factor * strength)[candidate[row, seen]]
        score = factor @ profile
        wanted = overall * score
        wanted[candidate[row, seen]] += back * score[candidate[row, seen]]
        np.testing.assert_allclose(got[row, slot], wanted, rtol=2e-3, atol=1e-4)


def test_factors_are_of_the_known_log_alone(shop: Dataset) -> None:
    view, state = shop.view, shop.states["together"]
    factor, strength = factors(truncate_view(view, view.fold.valid_cutoff), 2)
    assert np.array_equal(factor, state["factor"]) and np.array_equal(strength, state["strength"])


def test_weights_move_at_their_pace_by_a_gradient_of_their_own() -> None:
    class Two(nn.Module):
        @nn.compact
        def __call__(self) -> jax.Array:
            return weights(self, "weight", np.array([1.0, -2.0]), 0.5)

    params = {"weight": jnp.asarray([0.01, 0.02])}
    value, pull = jax.vjp(lambda p: jnp.asarray(Two().apply({"params": p})), params)
    np.testing.assert_allclose(value, [1.1, -1.8], rtol=1e-6)
    np.testing.assert_allclose(pull(jnp.asarray([1.0, 3.0]))[0]["weight"], [1.0, 3.0])
