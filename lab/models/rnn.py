"""The simple recurrent network, h' = tanh(x + h U): Elman 1990, "Finding structure in time"."""

from dataclasses import dataclass
from typing import ClassVar

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from lab.models.recurrence import Cell, RecurrentModel


def _forward(inputs: Float[Array, "T B D"], keep: Array, kernel: Array) -> tuple[Array, tuple[Array, ...]]:
    def step(h: Array, now: tuple[Array, Array]) -> tuple[Array, Array]:
        x, k = now
        product = jnp.matmul(h, kernel, preferred_element_type=jnp.float32)
        h = jnp.tanh(x.astype(jnp.float32) + k * product).astype(h.dtype)
        return h, h

    states = jax.lax.scan(step, jnp.zeros_like(inputs[0]), (inputs, keep))[1]
    return states, ()


def _backward(states: Array, keep: Array, kernel: Array, saved: tuple, dstates: Array) -> tuple[Array, Array]:
    slope = (1 - jnp.square(states.astype(jnp.float32))).astype(states.dtype)
    back = kernel.T

    def step(dh: Array, now: tuple[Array, Array, Array]) -> tuple[Array, Array]:
        dstate, slope, k = now
        dz = ((dstate.astype(jnp.float32) + dh) * slope.astype(jnp.float32)).astype(dstate.dtype)
        return k * jnp.matmul(dz, back, preferred_element_type=jnp.float32), dz

    zero = jnp.zeros(states.shape[1:], jnp.float32)
    dinputs = jax.lax.scan(step, zero, (dstates, slope, keep), reverse=True)[1]
    return dinputs, dinputs


CELL = Cell(gates=1, bias=(0.0,), forward=_forward, backward=_backward)


@dataclass(frozen=True, kw_only=True)
class RNN(RecurrentModel):
    """Simple recurrent network with tanh (Elman 1990)."""

    cell: ClassVar[Cell] = CELL
