"""Counts of what a compiled step does, on programs whose counts are known."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from benchmarks.roofline import Limits, bare_dot, bound_of, by_hand, part, product
from benchmarks.shared.hlo import Work, work
from benchmarks.shared.packed import packed_rows, stepper, steps_here
from lab.models import HSTU, LSTM, Transformer
from lab.training.devices import Layout


def count_work(compiled) -> list[Work]:
    return work(compiled.as_text())


def test_a_loop_counts_as_often_as_it_runs():
    def states(x, kernel):
        return jax.lax.scan(lambda h, _: ((h := jnp.tanh(h @ kernel)), h), x, None, length=10)

    x, kernel = jnp.zeros((32, 16)), jnp.zeros((16, 16))
    done = count_work(jax.jit(states).lower(x, kernel).compile())
    assert sum(w.products for w in done) == 10 * 2 * 32 * 16 * 16
    assert sum(w.others for w in done) == 10 * 32 * 16
    # A step writes its state once more into a slice of all of them, and never reads or writes all.
    assert sum(w.bytes for w in done if "while" in w.scope) < 10 * (6 * 32 * 16 + 16 * 16 + 100) * 4


def test_a_product_by_itself_is_that_of_the_program():
    """Of weights that lie transposed, of rows side by side, and with what is summed over in front."""

    def products(x, kernel):
        return jnp.einsum("bnk,mk->bnm", x, kernel), jnp.einsum("bnk,bmk->bnm", x, x), jnp.einsum("bnk,bnm->km", x, x)

    def dots(function, *given):
        return [dot for one in count_work(jax.jit(function).lower(*given).compile()) for dot in one.dots]

    found = dots(products, jnp.zeros((4, 6, 8)), jnp.zeros((5, 8)))
    assert sorted(dot.flops for dot in found) == [2 * 24 * 5 * 8, 2 * 24 * 6 * 8, 2 * 24 * 8 * 8]
    for dot in found:
        assert dots(product(dot), jnp.zeros(dot.left), jnp.zeros(dot.right)) == [dot]
        assert bare_dot(dot, 2)().shape == dot.left


def test_the_dearer_branch_counts():
    def either(choice, x):
        return jax.lax.cond(choice, lambda x: x @ x @ x, lambda x: x @ x, x)

    done = count_work(jax.jit(either).lower(True, jnp.zeros((8, 8))).compile())
    assert sum(w.products for w in done) == 2 * 2 * 8**3


@pytest.mark.usefixtures("broadcasting")
@pytest.mark.parametrize(
    ("model", "more"),
    [
        (LSTM(width=16), 0.001),
        (Transformer(width=16, layers=1), 0.05),
        (HSTU(width=16, layers=2, recurrent=1), 0.05),
    ],
)
def test_products_of_a_step_are_those_of_the_formula(model, more):
    """But for the means of layer normalisation, which are products too."""
    rng = np.random.default_rng(0)
    rows = packed_rows(list(rng.integers(1, 11, (8, 6))), rng.integers(0, 5, 8), 6)
    step = stepper(model, rows, 10, 5, 8, Layout("cells", tuple(jax.local_devices())[:1], 1))
    done = count_work(step.compiled())
    assert sum(w.products for w in done) / steps_here() == pytest.approx(by_hand(model, 8, 6, 8, 5), rel=more)
    assert any(part(w.scope).startswith("backward: encoder") for w in done)


def test_what_a_gpu_starts_and_ends_apart_counts_once():
    """As XLA writes it for a GPU: a slice of a loop's states updated in place, and a product left to a library."""
    done = work("""
%updated (all: f32[50,8], at: s32[], new: f32[1,8]) -> f32[50,8] {
  %all = f32[50,8]{1,0} parameter(0)
  %at = s32[] parameter(1)
  %new = f32[1,8]{1,0} parameter(2)
  ROOT %put = f32[50,8]{1,0} dynamic-update-slice(%all, %new, %at, %at)
}

ENTRY %main (all: f32[50,8], at: s32[], new: f32[1,8]) -> f32[50,8] {
  %all = f32[50,8]{1,0} parameter(0)
  %at = s32[] parameter(1)
  %new = f32[1,8]{1,0} parameter(2)
  %put-start = ((f32[50,8], s32[], f32[1,8]), f32[50,8], u32[]) fusion-start(%all, %at, %new), calls=%updated
  %put-done = f32[50,8]{1,0} fusion-done(%put-start)
  %call = (f32[50,8]{1,0}, s8[4194304]{0}) custom-call(%put-done, %new), custom_call_target="__cublas$gemm"
  ROOT %out = f32[50,8]{1,0} get-tuple-element(%call), index=0
}
""")
    assert [w.bytes for w in done] == [2 * 8 * 4 + 4, (2 * 50 * 8 + 8) * 4]


def test_what_bounds_a_step():
    limits = Limits(product=100, memory=10, caches=50)
    assert bound_of(100, 5, 2, limits) == ("compute", 1, 10)
    assert bound_of(10, 15, 2, limits) == ("memory", 1.5, 10)
    assert bound_of(10, 100, 4, limits) == ("caches", 2, 50)
