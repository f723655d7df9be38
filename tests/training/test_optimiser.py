"""The optimiser against values known beforehand."""

import jax.numpy as jnp
import numpy as np
import pytest

from lab.training.flat import Flattening
from lab.training.optimiser import apply_update, clipped, learning_rate
from lab.training.settings import Training
from tests.training.small import Bench


@pytest.mark.parametrize(
    ("step", "factor"),
    [(0, 0.1), (4, 0.5), (9, 1.0), (10, 1.0), (55, 0.5), (100, 0.0), (25, 0.5 * (1 + np.cos(np.pi / 6)))],
)
def test_the_learning_rate_rises_and_falls_along_a_cosine(alone: Bench, step: int, factor: float) -> None:
    training = Training(steps=100, warmup=0.1)
    cell = alone.arrays(learning_rate=0.02)
    np.testing.assert_allclose(learning_rate(training, cell, jnp.asarray(step)), 0.02 * factor, atol=1e-9)


def test_one_step_without_warm_up_has_the_whole_rate(alone: Bench) -> None:
    rate = learning_rate(Training(steps=1, warmup=0), alone.arrays(learning_rate=0.02), jnp.asarray(0))
    np.testing.assert_allclose(rate, 0.02, rtol=1e-6)


def test_decay_takes_hold_of_matrices_alone() -> None:
    flat = Flattening.of({"bias": np.ones(2), "kernel": np.ones((2, 2)), "scale": np.ones(1)})
    moved = apply_update(jnp.ones(flat.size), jnp.zeros(flat.size), jnp.asarray(0.5), jnp.asarray(0.1 * flat.decayed))
    np.testing.assert_allclose(moved, [1, 1, 0.95, 0.95, 0.95, 0.95, 1])


def test_clipping_shortens_and_never_lengthens() -> None:
    gradient = jnp.asarray([3.0, 4.0])
    np.testing.assert_allclose(clipped(gradient, jnp.asarray(5.0), 1.0), [0.6, 0.8], rtol=1e-6)
    np.testing.assert_array_equal(clipped(gradient, jnp.asarray(5.0), 7.0), gradient)
    np.testing.assert_array_equal(clipped(jnp.zeros(2), jnp.asarray(0.0), 1.0), [0, 0])


def test_a_flattened_tree_comes_back_and_has_the_length_of_its_leaves() -> None:
    tree = {"b": np.arange(6.0, dtype=np.float32).reshape(2, 3), "a": {"c": np.array([7, 8], np.float32)}}
    flat = Flattening.of(tree)
    vector = flat.ravel(tree)
    np.testing.assert_array_equal(vector, [7, 8, 0, 1, 2, 3, 4, 5])
    np.testing.assert_allclose(flat.norm(vector), np.sqrt(49 + 64 + 55))
    for back in (flat.unravel(vector), flat.unravel(np.asarray(vector))):
        np.testing.assert_array_equal(back["b"], tree["b"])
        np.testing.assert_array_equal(back["a"]["c"], tree["a"]["c"])
