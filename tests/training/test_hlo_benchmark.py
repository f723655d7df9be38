"""Counts of what a compiled step does, on programs whose counts are known."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from benchmarks.hlo import Work, work
from benchmarks.packed import STEPS, packed_rows, stepper
from benchmarks.roofline import Limits, bound_of, by_hand, part
from lab.models import LSTM, Transformer
from lab.training.devices import Layout


def counted(compiled) -> list[Work]:
    return work(compiled.as_text())


def test_a_loop_counts_as_often_as_it_runs():
    def states(x, kernel):
        return jax.lax.scan(lambda h, _: ((h := jnp.tanh(h @ kernel)), h), x, None, length=10)

    x, kernel = jnp.zeros((32, 16)), jnp.zeros((16, 16))
    done = counted(jax.jit(states).lower(x, kernel).compile())
    assert sum(w.products for w in done) == 10 * 2 * 32 * 16 * 16
    assert sum(w.others for w in done) == 10 * 32 * 16
    # A step writes its state once more into a slice of all of them, and never reads or writes all.
    assert sum(w.bytes for w in done if "while" in w.scope) < 10 * (6 * 32 * 16 + 16 * 16 + 100) * 4


def test_the_dearer_branch_counts():
    def either(choice, x):
        return jax.lax.cond(choice, lambda x: x @ x @ x, lambda x: x @ x, x)

    done = counted(jax.jit(either).lower(True, jnp.zeros((8, 8))).compile())
    assert sum(w.products for w in done) == 2 * 2 * 8**3


@pytest.mark.parametrize(("model", "more"), [(LSTM(width=16), 0.001), (Transformer(width=16, layers=1), 0.05)])
def test_products_of_a_step_are_those_of_the_formula(model, more):
    """But for the means of layer normalisation, which are products too."""
    rng = np.random.default_rng(0)
    rows = packed_rows(list(rng.integers(1, 11, (8, 6))), rng.integers(0, 5, 8), 6)
    step = stepper(model, rows, 10, 5, 8, Layout("cells", tuple(jax.local_devices())[:1], 1))
    done = counted(step.compiled())
    assert sum(w.products for w in done) / STEPS == pytest.approx(by_hand(model, 8, 6, 8, 5), rel=more)
    assert any(part(w.scope).startswith("backward: encoder") for w in done)


def test_what_bounds_a_step():
    limits = Limits(product=100, memory=10, caches=50)
    assert bound_of(100, 5, 2, limits) == ("compute", 1, 10)
    assert bound_of(10, 15, 2, limits) == ("memory", 1.5, 10)
    assert bound_of(10, 100, 4, limits) == ("caches", 2, 50)
