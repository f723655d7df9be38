"""The shared parts: hand-written gradients against plain differentiation, dropout, first parameters."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import linen as nn

from lab.models import gru, hstu, lstm, rnn
from lab.models.attention import attend, visible
from lab.models.layers import LayerNorm, dropout, matmul, normalise, uniform, weight_gradient
from lab.models.recurrence import Cell, orthogonal_blocks, recur
from lab.models.rotary import cos_sin, positions, rotate
from tests.models.packed import rows

pytestmark = pytest.mark.usefixtures("quick_compile")


def normal(seed: int, *shape: int) -> jax.Array:
    return jax.random.normal(jax.random.key(seed), shape)


def assert_close(got: object, expected: object) -> None:
    jax.tree.map(lambda g, e: np.testing.assert_allclose(g, e, rtol=1e-4, atol=1e-5), got, expected)


@pytest.mark.parametrize("cell", [rnn.CELL, lstm.CELL, gru.CELL], ids=["rnn", "lstm", "gru"])
def test_recurrent_gradients_equal_plain_differentiation(cell: Cell) -> None:
    length, batch, width = 11, 4, 6
    inputs, kernel = normal(0, length, batch, cell.gates * width), 0.4 * normal(1, width, cell.gates * width)
    keep = (jax.random.uniform(jax.random.key(2), (length, batch, 1)) > 0.2).astype(jnp.float32)
    weight = normal(3, length, batch, width)

    def ours(inputs: jax.Array, kernel: jax.Array) -> jax.Array:
        return jnp.vdot(recur(cell, inputs, keep, kernel), weight)

    def plain(inputs: jax.Array, kernel: jax.Array) -> jax.Array:
        return jnp.vdot(cell.forward(inputs, keep, kernel)[0], weight)

    assert_close(jax.jit(jax.grad(ours, (0, 1)))(inputs, kernel), jax.jit(jax.grad(plain, (0, 1)))(inputs, kernel))


def test_attention_and_its_gradient_equal_the_library_function() -> None:
    packed = rows(1, length=9)
    cos, sin = cos_sin(packed.starts, packed.time, 4)
    qkv, weight, mask = normal(4, 3, 9, 3, 2, 8), normal(5, 3, 9, 2, 8), visible(packed.starts)

    def ours(qkv: jax.Array) -> jax.Array:
        return jnp.vdot(attend(qkv, cos, sin, mask), weight)

    def library(qkv: jax.Array) -> jax.Array:
        qk = rotate(qkv[:, :, :2], cos, sin)
        return jnp.vdot(jax.nn.dot_product_attention(qk[:, :, 0], qk[:, :, 1], qkv[:, :, 2], mask=mask), weight)

    assert_close(jax.jit(jax.value_and_grad(ours))(qkv), jax.jit(jax.value_and_grad(library))(qkv))


def test_pointwise_attention_and_its_gradients_equal_plain_differentiation() -> None:
    packed = rows(1, length=9)
    mask, seen, weight = visible(packed.starts), positions(packed.starts) + 1, normal(5, 3, 9, 2, 8)
    given = normal(4, 3, 9, 3, 2, 8), normal(14, 1, 2, 9, 9), normal(15, 3, 1, 9, 9)

    def ours(qkv: jax.Array, position: jax.Array, time: jax.Array) -> jax.Array:
        return jnp.vdot(hstu.attend(qkv, position, time, mask, seen), weight)

    def plain(qkv: jax.Array, position: jax.Array, time: jax.Array) -> jax.Array:
        bias = jnp.broadcast_to(position, (3, 2, 9, 9)) + jnp.broadcast_to(time, (3, 2, 9, 9))
        logits = jnp.einsum("bthk,bshk->bhts", qkv[:, :, 0], qkv[:, :, 1]) / 8**0.5 + bias
        weights = jnp.where(mask, jax.nn.silu(logits), 0.0) / seen[:, None, :, None]
        return jnp.vdot(jnp.einsum("bhts,bshk->bthk", weights, qkv[:, :, 2]), weight)

    got, expected = (jax.jit(jax.value_and_grad(one, (0, 1, 2)))(*given) for one in (ours, plain))
    assert_close(got, expected)


def test_buckets_double_from_a_minute_to_years() -> None:
    minute = 1 / (24 * 60)
    days = jnp.array([[0, 0.5 * minute, 1.5 * minute, 1, 365, 1e5]], jnp.float32)
    since_first = hstu.buckets(days)[0, :, 0]
    np.testing.assert_array_equal(since_first, [0, 0, 1, 10, 19, 23])
    np.testing.assert_array_equal(hstu.buckets(days)[0, 0], np.zeros(6))  # what is later has no bucket of its own


@pytest.mark.parametrize("shape", [(4, 6, 5), (7, 3, 5), (16, 2)])
def test_matrix_product_and_its_gradients_equal_plain_differentiation(shape: tuple[int, ...]) -> None:
    x, kernel, weight = normal(6, *shape), normal(7, shape[-1], 3), normal(8, *shape[:-1], 3)
    got = jax.value_and_grad(lambda x, k: jnp.vdot(matmul(x, k), weight), (0, 1))(x, kernel)
    assert_close(got, jax.value_and_grad(lambda x, k: jnp.vdot(x @ k, weight), (0, 1))(x, kernel))
    assert_close(weight_gradient(x, weight), np.asarray(x).reshape(-1, shape[-1]).T @ np.asarray(weight).reshape(-1, 3))


def test_layer_norm_by_hand() -> None:
    params = {"params": {"scale": jnp.array([1.0, 2.0, 3.0]), "bias": jnp.array([0.0, 0.0, 1.0])}}
    got = LayerNorm().apply(params, jnp.array([[1.0, 2.0, 3.0], [5.0, 5.0, 5.0]]))
    np.testing.assert_allclose(np.asarray(got), [[-(1.5**0.5), 0, 3 * 1.5**0.5 + 1], [0, 0, 1]], atol=1e-4)


def test_layer_norm_gradient_equals_plain_differentiation() -> None:
    x, scale, bias, weight = normal(10, 4, 7, 6) + 2, normal(11, 6), normal(12, 6), normal(13, 4, 7, 6)

    def plain(x: jax.Array, scale: jax.Array, bias: jax.Array) -> jax.Array:
        y = (x - x.mean(-1, keepdims=True)) / jnp.sqrt(x.var(-1, keepdims=True) + 1e-6)
        return jnp.vdot(y * jnp.broadcast_to(scale, y.shape) + jnp.broadcast_to(bias, y.shape), weight)

    def ours(x: jax.Array, scale: jax.Array, bias: jax.Array) -> jax.Array:
        return jnp.vdot(normalise(x, scale, bias, 1e-6), weight)

    assert_close(jax.grad(ours, (0, 1, 2))(x, scale, bias), jax.grad(plain, (0, 1, 2))(x, scale, bias))


def test_order_counts_from_each_start() -> None:
    starts = jnp.array([[True, False, False, True, True, False], [False, False, True, False, False, False]])
    np.testing.assert_array_equal(positions(starts), [[0, 1, 2, 0, 0, 1], [0, 1, 0, 1, 2, 3]])


def test_visible_by_hand() -> None:
    mask = visible(jnp.array([[True, False, True, False]]))
    np.testing.assert_array_equal(mask[0, 0], [[1, 0, 0, 0], [1, 1, 0, 0], [0, 0, 1, 0], [0, 0, 1, 1]])


class Dropped(nn.Module):
    @nn.compact
    def __call__(self, x: jax.Array, rate: jax.Array | None) -> jax.Array:
        return dropout(x, rate, self)


@pytest.mark.parametrize("rate", [0.1, 0.5, 0.9])
def test_dropout_keeps_the_mean_and_drops_at_its_rate(rate: float) -> None:
    x = jnp.ones((400, 500))
    got = np.asarray(Dropped().apply({}, x, jnp.float32(rate), rngs={"dropout": jax.random.key(0)}))
    error = 5 * np.sqrt(rate * (1 - rate) / x.size)  # five standard deviations
    assert abs((got == 0).mean() - rate) < error
    assert abs(got.mean() - 1) < error / (1 - rate)
    assert set(np.unique(got)) == {np.float32(0), np.float32(1 / np.float32(1 - np.float32(rate)))}


def test_uniform_has_no_structure_that_a_mask_would_show() -> None:
    draws = np.stack([uniform(jax.random.key(k), (512, 256)) for k in range(4)])
    counts = np.histogram(draws, 64, (0, 1))[0]
    expected = draws.size / 64
    assert ((counts - expected) ** 2 / expected).sum() < 120  # chi-squared with 63 degrees: p < 2e-5
    centred = draws - 0.5
    limit = 5 / 12 / np.sqrt(centred[0].size)
    for shift in (1, 2, 64, 256):
        flat = centred.reshape(4, -1)
        assert abs((flat[:, shift:] * flat[:, :-shift]).mean()) < limit, f"neighbours {shift} apart agree"
    for a, b in ((0, 1), (0, 2), (2, 3)):
        assert abs((centred[a] * centred[b]).mean()) < limit, "two keys agree"


def test_recurrent_kernels_begin_orthogonal_and_the_forget_gate_open() -> None:
    kernel = orthogonal_blocks(4)(jax.random.key(0), (8, 32), jnp.float32)
    for block in np.split(np.asarray(kernel), 4, 1):
        np.testing.assert_allclose(block.T @ block, np.eye(8), atol=1e-5)
    from lab.models import LSTM

    params = LSTM(width=8).encoder(jnp.float32).init(jax.random.key(0), *rows(0, width=8), None)["params"]
    np.testing.assert_array_equal(params["input_0"]["bias"], np.repeat([0.0, 1.0, 0.0, 0.0], 8))
