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
    def step(carry: tuple[Array, Array], now: tuple[Array, Array]) -> tuple[tuple[Array, Array], tuple[Array, ...]]:
        (h, c), (x, k) = carry, now
        gates = _gates(x, k * jnp.matmul(h, kernel, preferred_element_type=jnp.float32))
        i, f, o, g = split(gates, 4)
        c = f * (k * c) + i * g
        h = (o * jnp.tanh(c)).astype(h.dtype)
        return (h, c), (h, c, gates.astype(h.dtype))

    shape = (inputs.shape[1], kernel.shape[0])
    start = jnp.zeros(shape, inputs.dtype), jnp.zeros(shape, jnp.float32)
    states, memory, gates = jax.lax.scan(step, start, (inputs, keep))[1]
    return states, (memory, gates)


def _backward(states: Array, keep: Array, kernel: Array, saved: tuple, dstates: Array) -> tuple[Array, Array]:
    # dc = dc' + dh o (1 - tanh(c)^2);  dz = slopes * (dc, dc, dh, dc);  what enters the step before is dc f.
    # All that does not wait for dh and dc is computed for every step at once.
    memory, gates = saved
    i, f, o, g = split(gates.astype(jnp.float32), 4)
    t = jnp.tanh(memory)
    before = previous(memory, keep)
    slopes = jnp.concatenate([g * i * (1 - i), before * f * (1 - f), t * o * (1 - o), i * (1 - g * g)], -1)
    through, fade = o * (1 - t * t), f * keep
    back = kernel.T

    def step(carry: tuple[Array, Array], now: tuple[Array, ...]) -> tuple[tuple[Array, Array], Array]:
        (dh, dc), (dstate, slopes, through, fade, k) = carry, now
        dh = dstate.astype(jnp.float32) + dh
        dc = dc + dh * through
        dz = (slopes * jnp.concatenate([dc, dc, dh, dc], -1)).astype(dstate.dtype)
        return (k * jnp.matmul(dz, back, preferred_element_type=jnp.float32), dc * fade), dz

    zero = jnp.zeros_like(memory[0])
    dinputs = jax.lax.scan(step, (zero, zero), (dstates, slopes, through, fade, keep), reverse=True)[1]
    return dinputs, dinputs


CELL = Cell(gates=4, bias=(0.0, 1.0, 0.0, 0.0), forward=_forward, backward=_backward)


@dataclass(frozen=True, kw_only=True)
class LSTM(RecurrentModel):
    """Long short-term memory with forget gates, no peepholes (Hochreiter & Schmidhuber 1997; Gers et al. 2000)."""

    cell: ClassVar[Cell] = CELL
