"""Long short-term memory, with the forget gate.

    i, f, o = sigmoid(x + h U)      g = tanh(x + h U)       each its own block of x and U
    c' = f c + i g                  h' = o tanh(c')

Hochreiter & Schmidhuber 1997 with the forget gate of Gers, Schmidhuber & Cummins 2000 and without
peepholes; forget bias 1 (Jozefowicz, Zaremba & Sutskever 2015). Blocks lie in the order i, f, o, g.
"""

from dataclasses import dataclass
from typing import ClassVar

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from lab.models.recurrence import Cell, RecurrentModel, previous, split


def _gates(inputs: Float[Array, "B G"], product: Float[Array, "B G"]) -> Float[Array, "B G"]:
    """All four gates in one pass over memory: sigmoid(z) = tanh(z / 2) / 2 + 1/2."""
    width = inputs.shape[-1] // 4
    half = np.repeat(np.array([0.5, 0.5, 0.5, 1], np.float32), width)[None]
    return jnp.tanh((inputs.astype(jnp.float32) + product) * half) * half + (1 - half)


def _forward(inputs: Float[Array, "T B G"], keep: Array, kernel: Array) -> tuple[Array, tuple[Array, ...]]:
    def step(carry: tuple[Array, Array, Array], now: tuple[Array, Array]) -> tuple[tuple, tuple[Array, Array]]:
        # Each step's gates are written over its inputs: no second array of that size, and half the memory traffic.
        (h, c, gates), (t, k) = carry, now
        x = jax.lax.dynamic_index_in_dim(gates, t, keepdims=False)
        ifog = _gates(x, k * jnp.matmul(h, kernel, preferred_element_type=jnp.float32))
        i, f, o, g = split(ifog, 4)
        c = f * (k * c) + i * g
        h = (o * jnp.tanh(c)).astype(h.dtype)
        return (h, c, jax.lax.dynamic_update_index_in_dim(gates, ifog.astype(gates.dtype), t, 0)), (h, c)

    shape = (inputs.shape[1], kernel.shape[0])
    start = jnp.zeros(shape, inputs.dtype), jnp.zeros(shape, jnp.float32), inputs
    (_, _, gates), (states, memory) = jax.lax.scan(step, start, (jnp.arange(len(inputs)), keep))
    return states, (memory, gates)


def _backward(states: Array, keep: Array, kernel: Array, saved: tuple, dstates: Array) -> tuple[Array, Array]:
    # dc = dc' + dh o (1 - tanh(c)^2), and what enters the step before is dc f. All of a step is computed in it:
    # its arrays fit the processor's cache, those of all steps do not.
    memory, gates = saved
    back = kernel.T

    def step(carry: tuple[Array, Array], now: tuple[Array, ...]) -> tuple[tuple[Array, Array], Array]:
        (dh, dc), (dstate, gates, c, before, k) = carry, now
        i, f, o, g = split(gates.astype(jnp.float32), 4)
        t = jnp.tanh(c)
        dh = dstate.astype(jnp.float32) + dh
        dc = dc + dh * o * (1 - t * t)
        dz = [dc * g * i * (1 - i), dc * before * f * (1 - f), dh * t * o * (1 - o), dc * i * (1 - g * g)]
        dz = jnp.concatenate(dz, -1).astype(dstate.dtype)
        return (k * jnp.matmul(dz, back, preferred_element_type=jnp.float32), k * dc * f), dz

    zero = jnp.zeros_like(memory[0])
    xs = dstates, gates, memory, previous(memory, keep), keep
    dinputs = jax.lax.scan(step, (zero, zero), xs, reverse=True)[1]
    return dinputs, dinputs


CELL = Cell(gates=4, bias=(0.0, 1.0, 0.0, 0.0), forward=_forward, backward=_backward)


@dataclass(frozen=True, kw_only=True)
class LSTM(RecurrentModel):
    """Long short-term memory with forget gates, no peepholes (Hochreiter & Schmidhuber 1997; Gers et al. 2000)."""

    cell: ClassVar[Cell] = CELL
