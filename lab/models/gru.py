"""Gated recurrent unit, the variant that resets after the product.

    r, z = sigmoid(x + h U)         n = tanh(x + r (h U))       each its own block of x and U
    h' = (1 - z) n + z h

Cho et al. 2014 in its first version (arXiv 1406.1078v1), as in cuDNN, so that one product a step serves
all three blocks; without cuDNN's second bias inside the reset. Blocks lie in the order r, z, n.
"""

from dataclasses import dataclass
from typing import ClassVar

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from lab.models.recurrence import Cell, RecurrentModel, previous, split


def _forward(inputs: Float[Array, "T B G"], keep: Array, kernel: Array) -> tuple[Array, tuple[Array, ...]]:
    width = kernel.shape[0]

    def step(h: Array, now: tuple[Array, Array]) -> tuple[Array, tuple[Array, ...]]:
        x, k = now
        x = x.astype(jnp.float32)
        product = k * jnp.matmul(h, kernel, preferred_element_type=jnp.float32)
        gates = jnp.tanh((x[:, : 2 * width] + product[:, : 2 * width]) * 0.5) * 0.5 + 0.5
        r, z = split(gates, 2)
        inner = product[:, 2 * width :]
        n = jnp.tanh(x[:, 2 * width :] + r * inner)
        h = (n + z * (k * h.astype(jnp.float32) - n)).astype(h.dtype)
        return h, (h, gates.astype(h.dtype), n.astype(h.dtype), inner.astype(h.dtype))

    start = jnp.zeros((inputs.shape[1], width), inputs.dtype)
    states, *saved = jax.lax.scan(step, start, (inputs, keep))[1]
    return states, tuple(saved)


def _backward(states: Array, keep: Array, kernel: Array, saved: tuple, dstates: Array) -> tuple[Array, Array]:
    # By the products: (dr, dz, r dn); by the inputs: (dr, dz, dn). All are dh times what the forward pass knew.
    gates, n, inner = (a.astype(jnp.float32) for a in saved)
    r, z = split(gates, 2)
    before = previous(states, keep).astype(jnp.float32)
    dn = (1 - z) * (1 - n * n)
    slopes = jnp.concatenate([dn * inner * r * (1 - r), (before - n) * z * (1 - z), dn * r], -1)
    back = kernel.T

    def step(carry: Array, now: tuple[Array, ...]) -> tuple[Array, tuple[Array, Array]]:
        dstate, slopes, z, k = now
        dh = dstate.astype(jnp.float32) + carry
        dproduct = (slopes * jnp.concatenate([dh, dh, dh], -1)).astype(dstate.dtype)
        return k * (dh * z + jnp.matmul(dproduct, back, preferred_element_type=jnp.float32)), (dproduct, dh)

    zero = jnp.zeros(states.shape[1:], jnp.float32)
    dproducts, dh = jax.lax.scan(step, zero, (dstates, slopes, z, keep), reverse=True)[1]
    width = kernel.shape[0]
    dinputs = jnp.concatenate([dproducts[..., : 2 * width], (dh * dn).astype(dproducts.dtype)], -1)
    return dinputs, dproducts


CELL = Cell(gates=3, bias=(0.0, 0.0, 0.0), forward=_forward, backward=_backward)


@dataclass(frozen=True, kw_only=True)
class GRU(RecurrentModel):
    """Gated recurrent unit, reset after the product (Cho et al. 2014, as in cuDNN)."""

    cell: ClassVar[Cell] = CELL
