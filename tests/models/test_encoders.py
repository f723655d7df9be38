"""What every encoder must do: follow its formula, never look ahead, and take each history by itself."""

import re
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from lab import models
from tests.models.oracles import encode
from tests.models.packed import NAMES, Built, Rows, build, rows


@pytest.mark.parametrize("layers", [1, 2])
@pytest.mark.parametrize("seed", [0, 1])
def test_follows_its_formula(name: str, layers: int, seed: int) -> None:
    built, packed = build(name, layers=layers), rows(seed)
    steps, starts, time = (np.asarray(a) for a in packed)
    expected = encode(name, built.settings, built.params["params"], steps, starts, time)
    np.testing.assert_allclose(built(packed), expected, rtol=2e-4, atol=2e-5)


@pytest.mark.parametrize("recurrent", [1, 2])
def test_attention_on_recurrent_layers_follows_its_formula(recurrent: int) -> None:
    built, packed = build("HSTU", layers=2, recurrent=recurrent), rows(recurrent)
    expected = encode("HSTU", built.settings, built.params["params"], *(np.asarray(a) for a in packed))
    np.testing.assert_allclose(built(packed), expected, rtol=2e-4, atol=2e-5)


def sensitivity(built: Built, packed: Rows) -> np.ndarray:
    """How much step s moves output t of row 0: [t, s], the largest gradient over widths."""

    def outputs(steps: jax.Array) -> jax.Array:
        out = built(packed._replace(steps=steps))[0]
        return out @ jnp.cos(jnp.arange(out.shape[-1], dtype=jnp.float32))

    jacobian = jax.jit(jax.jacrev(outputs))(packed.steps)
    return np.abs(np.asarray(jacobian))[:, 0].max(-1)


@pytest.mark.usefixtures("quick_compile")
def test_gradient_is_exactly_zero_from_later_steps_and_from_across_a_start(built: Built) -> None:
    starts = np.zeros((3, 17), bool)
    starts[:, [0, 6, 7]] = True
    moved = sensitivity(built, rows(3)._replace(starts=jnp.asarray(starts)))
    history = np.cumsum(starts[0])
    past = np.tri(17, dtype=bool) & (history[:, None] == history[None])
    assert (moved[~past] == 0).all(), "an output moves with a later step, or one of another history"
    assert (moved[past] > 0).all(), "a step of the history's own past is not seen"


def test_history_reads_alike_wherever_it_is_packed(built: Built) -> None:
    history, packed = rows(5, batch=1, length=7, starts=0.0), rows(6)
    places = (0, 4, 10)
    for row, place in enumerate(places):
        span = slice(place, place + 7)
        packed = Rows(*(p.at[row, span].set(h[0]) for p, h in zip(packed, history, strict=True)))
        packed = packed._replace(starts=packed.starts.at[row, place + 7 : place + 8].set(True))
    out = built(packed)
    for row, place in enumerate(places[1:], 1):
        np.testing.assert_allclose(out[row, place : place + 7], out[0, :7], rtol=1e-5, atol=1e-5)


@pytest.mark.usefixtures("quick_compile")
def test_padding_changes_nothing(built: Built) -> None:
    packed = rows(7)
    padded = Rows(*(jnp.concatenate([a, jnp.full_like(a[:, :5], 9)], 1) for a in packed))
    padded = padded._replace(starts=padded.starts.at[:, 17:].set(False).at[:, 17].set(True))
    np.testing.assert_allclose(built(padded)[:, :17], built(packed), rtol=1e-5, atol=1e-5)


def test_first_step_needs_no_flag(built: Built) -> None:
    packed = rows(8)
    np.testing.assert_array_equal(built(packed._replace(starts=packed.starts.at[:, 0].set(False))), built(packed))


@pytest.mark.parametrize("name", ["Transformer", "HSTU"])
def test_attention_sees_time_but_not_when_the_clock_began(name: str) -> None:
    built, packed = build(name), rows(9)
    later, slower = packed._replace(time=packed.time + 1024), packed._replace(time=packed.time * 2)
    np.testing.assert_allclose(built(later), built(packed), rtol=1e-2, atol=2e-2)
    assert np.abs(built(slower) - built(packed)).max() > 0.1


@pytest.mark.usefixtures("quick_compile")
def test_evaluating_is_deterministic_and_draws_nothing(built: Built) -> None:
    packed = rows(10)
    np.testing.assert_array_equal(built(packed), built(packed))  # no rng stream is given: drawing would raise
    zero = built(packed, jnp.float32(0), jax.random.key(0))
    np.testing.assert_allclose(zero, built(packed), rtol=1e-5, atol=1e-5)


def test_dropout_depends_on_the_key_alone(built: Built) -> None:
    packed, rate = rows(11), jnp.float32(0.3)
    one, again, other = (built(packed, rate, jax.random.key(k)) for k in (1, 1, 2))
    np.testing.assert_array_equal(one, again)
    assert np.abs(one - other).max() > 0.01


@pytest.mark.usefixtures("quick_compile")
def test_cells_of_one_program_have_their_own_rates(name: str) -> None:
    built, packed = build(name, layers=1), rows(12)
    rates, keys = jnp.array([0.0, 0.2, 0.6], jnp.float32), jax.random.split(jax.random.key(3), 3)

    def loss(params: Any, rate: jax.Array, key: jax.Array) -> jax.Array:
        return jnp.square(built._replace(params=params)(packed, rate, key)).mean()

    grad = jax.jit(jax.value_and_grad(loss))
    alone = [grad(built.params, rate, key) for rate, key in zip(rates, keys, strict=True)]
    expected = jax.tree.map(lambda *leaves: jnp.stack(leaves), *alone)
    mapped = jax.jit(lambda r, k: jax.lax.map(lambda cell: grad(built.params, *cell), (r, k)))(rates, keys)
    vmapped = jax.jit(jax.vmap(grad, (None, 0, 0)))(built.params, rates, keys)
    for got in (mapped, vmapped):
        jax.tree.map(lambda g, e: np.testing.assert_allclose(g, e, rtol=2e-3, atol=1e-5), got, expected)


@pytest.mark.usefixtures("quick_compile")
def test_bfloat16_computes_roughly_the_same_with_float32_parameters(name: str) -> None:
    def loss(params: Any, built: Built) -> tuple[jax.Array, jax.Array]:
        out = built._replace(params=params)(rows(13))
        return jnp.square(out.astype(jnp.float32)).mean(), out

    full, half = (build(name, dtype) for dtype in (jnp.float32, jnp.bfloat16))
    expected, out = (jax.jit(jax.grad(partial(loss, built=b), has_aux=True))(b.params) for b in (full, half))
    assert out[1].dtype == jnp.bfloat16
    assert np.abs(out[1].astype(jnp.float32) - expected[1]).mean() < 0.02 * np.abs(expected[1]).max()
    for got, want in zip(jax.tree.leaves(out[0]), jax.tree.leaves(expected[0]), strict=True):
        assert got.dtype == jnp.float32
        assert np.linalg.norm(got - want) < 0.1 * np.linalg.norm(want) + 1e-3


def test_parameter_counts_at_width_64_are_as_documented() -> None:
    table = {
        name: [int(number.replace(",", "")) for number in numbers.split("|")[:3]]
        for name, numbers in re.findall(r"^\| (\w+) +\| (.+)\|$", str(models.__doc__), re.MULTILINE)
        if name in NAMES
    }
    assert table == {name: [count(name, layers=layers) for layers in (1, 2, 3)] for name in NAMES}
    assert count("GRU", layers=4) == 99_456
    assert count("Transformer", layers=1, mlp_ratio=2) == 33_152
    assert count("HSTU") == 85_216
    assert count("HSTU", layers=1, recurrent=1) == count("HSTU", layers=1) + count("GRU")
    assert (count("LSTM"), count("Transformer")) == (table["LSTM"][0], table["Transformer"][1])


def count(name: str, **settings: int) -> int:
    module = getattr(models, name)(**settings).encoder(jnp.float32)
    params = jax.eval_shape(lambda: module.init(jax.random.key(0), *rows(0, width=64), None))
    return sum(a.size for a in jax.tree.leaves(params))
