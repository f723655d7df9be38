"""Running a recurrent cell along packed histories, and the stack of layers around it.

A cell is two functions over time-major arrays: the pass forward, and the pass backward that turns the
gradient by the states into the gradients by what entered the gates. Both are scans that hold nothing but
the products with the recurrent kernel and the arithmetic that waits for them: inputs are projected before
the forward scan, and the gradient by the recurrent kernel is one product after the backward scan, where
plain differentiation would add up a product per step.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import ClassVar

import jax
import jax.numpy as jnp
from flax import linen as nn
from jaxtyping import Array, Bool, Float

from lab.models.base import Model
from lab.models.layers import LayerNorm, Linear, dropout, weight_gradient


@dataclass(frozen=True)
class Cell:
    """One recurrent cell; G = gates * D, time-major, states of every step stacked."""

    gates: int
    bias: tuple[float, ...]
    """Initial bias of each gate."""
    forward: Callable[[Array, Array, Array], tuple[Array, tuple[Array, ...]]]
    """(inputs [T, B, G], keep [T, B, 1], kernel [D, G]) -> states [T, B, D] and what `backward` needs."""
    backward: Callable[[Array, Array, Array, tuple[Array, ...], Array], tuple[Array, Array]]
    """(states, keep, kernel, saved, gradient by states) -> gradients by inputs and by the products
    state @ kernel, both [T, B, G]."""


@partial(jax.custom_vjp, nondiff_argnums=(0,))
def recur(
    cell: Cell, inputs: Float[Array, "T B G"], keep: Float[Array, "T B 1"], kernel: Float[Array, "D G"]
) -> Float[Array, "T B D"]:
    """The states of `cell` along time; a state enters step t multiplied by keep[t] (0 at a start, else 1)."""
    return cell.forward(inputs, keep, kernel)[0]


def _recur_forward(cell: Cell, inputs: Array, keep: Array, kernel: Array) -> tuple[Array, tuple]:
    states, saved = cell.forward(inputs, keep, kernel)
    return states, (states, keep, kernel, saved)


def _recur_backward(cell: Cell, residuals: tuple, dstates: Array) -> tuple[Array, None, Array]:
    states, keep, kernel, saved = residuals
    dinputs, dproducts = cell.backward(states, keep, kernel, saved, dstates)
    dkernel = weight_gradient(previous(states, keep), dproducts)
    return dinputs, None, dkernel.astype(kernel.dtype)


recur.defvjp(_recur_forward, _recur_backward)


def previous(states: Float[Array, "T B D"], keep: Float[Array, "T B 1"]) -> Float[Array, "T B D"]:
    """The states that enter each step: those of the step before, zero at a start."""
    before = jnp.concatenate([jnp.zeros_like(states[:1]), states[:-1]])
    return before * keep.astype(states.dtype)


def split(gates: Float[Array, "... G"], count: int) -> list[Array]:
    """The blocks of a gate axis, in order."""
    width = gates.shape[-1] // count
    return [gates[..., g * width : (g + 1) * width] for g in range(count)]


def orthogonal_blocks(gates: int) -> nn.initializers.Initializer:
    """One orthogonal matrix per gate, side by side (Saxe et al. 2014, arXiv 1312.6120)."""

    def init(key: Array, shape: tuple[int, int], dtype: jnp.dtype) -> Array:
        square = (shape[0], shape[1] // gates)
        return jnp.concatenate(
            [nn.initializers.orthogonal()(k, square, dtype) for k in jax.random.split(key, gates)], 1
        )

    return init


class Recurrent(nn.Module):
    """Layers of one cell: the first plain, each further one a residual branch on its normalised input.

    Dropout falls on what enters a layer and on the output, never between steps (Zaremba, Sutskever &
    Vinyals 2014, arXiv 1409.2329).
    """

    cell: Cell
    layers: int
    dtype: jnp.dtype

    @nn.compact
    def __call__(
        self,
        steps: Float[Array, "B T D"],
        starts: Bool[Array, "B T"],
        time: Float[Array, "B T"],
        rate: Float[Array, ""] | None,
    ) -> Float[Array, "B T D"]:
        keep = 1 - starts.T[..., None].astype(jnp.float32)
        x = steps.astype(self.dtype).swapaxes(0, 1)
        for layer in range(self.layers):
            inner = x if layer == 0 else LayerNorm(name=f"norm_{layer}")(x)
            states = self._layer(layer, dropout(inner, rate, self), keep)
            x = states if layer == 0 else x + states
        return dropout(x, rate, self).swapaxes(0, 1)

    def _layer(self, layer: int, x: Float[Array, "T B D"], keep: Float[Array, "T B 1"]) -> Float[Array, "T B D"]:
        cell, width = self.cell, x.shape[-1]
        total = cell.gates * width
        kernel = self.param(f"recurrent_{layer}", orthogonal_blocks(cell.gates), (width, total), jnp.float32)
        inputs = Linear(total, bias_init=partial(_gate_bias, cell.bias), name=f"input_{layer}")(x)
        return recur(cell, inputs, keep, kernel.astype(self.dtype))


def _gate_bias(values: tuple[float, ...], key: Array, shape: tuple[int], dtype: jnp.dtype) -> Array:
    return jnp.repeat(jnp.array(values, dtype), shape[0] // len(values))


@dataclass(frozen=True, kw_only=True)
class RecurrentModel(Model):
    """Settings of a stack of one recurrent cell."""

    cell: ClassVar[Cell]

    layers: int = 1
    """Recurrent layers; each beyond the first is a residual branch."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self.require_positive("layers")

    def encoder(self, dtype: jnp.dtype) -> nn.Module:
        return Recurrent(self.cell, self.layers, dtype)
