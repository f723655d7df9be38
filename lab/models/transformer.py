"""Transformer: causal, pre-norm, time-aware.

Vaswani et al. 2017 (arXiv 1706.03762) with normalisation before each branch (Xiong et al. 2020,
arXiv 2002.04745), no biases, and rotary positions by order and time (`lab.models.rotary`).
"""

from dataclasses import dataclass

import jax
import jax.numpy as jnp
from flax import linen as nn
from jaxtyping import Array, Bool, Float

from lab.errors import InputError
from lab.models.base import Model
from lab.models.layers import LayerNorm, Linear, dropout
from lab.models.recurrence import check_layers
from lab.models.rotary import rotate, turns


def same_history(starts: Bool[Array, "B T"]) -> Bool[Array, "B 1 T T"]:
    """Whether two steps of a row belong to one history."""
    history = jnp.cumsum(starts, axis=1, dtype=jnp.int32)
    return (history[:, :, None] == history[:, None, :])[:, None]


class Attention(nn.Module):
    """Causal multi-head attention within histories."""

    heads: int
    out_init: nn.initializers.Initializer

    @nn.compact
    def __call__(self, x: Float[Array, "B T D"], cos: Array, sin: Array, mask: Array) -> Float[Array, "B T D"]:
        rows, steps, width = x.shape
        qkv = Linear(3 * width, name="qkv")(x).reshape(rows, steps, 3, self.heads, width // self.heads)
        q, k, v = (qkv[:, :, i] for i in range(3))
        q, k = rotate(q, cos, sin), rotate(k, cos, sin)
        with jax.numpy_dtype_promotion("standard"):  # the library's function mixes bfloat16 with float32
            y = jax.nn.dot_product_attention(q, k, v, mask=mask, is_causal=True)
        return Linear(width, self.out_init, name="out")(y.reshape(x.shape))


class Encoder(nn.Module):
    """Attention and a two-layer perceptron in turn, each a residual branch; normalised at the end."""

    layers: int
    heads: int
    mlp_ratio: int
    dtype: jnp.dtype

    @nn.compact
    def __call__(
        self,
        steps: Float[Array, "B T D"],
        starts: Bool[Array, "B T"],
        time: Float[Array, "B T"],
        rate: Float[Array, ""] | None,
    ) -> Float[Array, "B T D"]:
        width = steps.shape[-1]
        cos, sin = turns(starts, time, width // self.heads // 2)
        mask = same_history(starts)
        # Branches that end small leave the sum's variance near 1 at any depth (Radford et al. 2019).
        out_init = nn.initializers.variance_scaling(1 / (2 * self.layers), "fan_in", "truncated_normal")
        x = dropout(steps.astype(self.dtype), rate, self)
        for layer in range(self.layers):
            y = LayerNorm(name=f"attention_norm_{layer}")(x)
            y = Attention(self.heads, out_init, name=f"attention_{layer}")(y, cos, sin, mask)
            x = x + dropout(y, rate, self)
            y = LayerNorm(name=f"mlp_norm_{layer}")(x)
            y = jax.nn.silu(Linear(self.mlp_ratio * width, name=f"mlp_in_{layer}")(y))
            x = x + dropout(Linear(width, out_init, name=f"mlp_out_{layer}")(y), rate, self)
        return LayerNorm(name="norm")(x)


@dataclass(frozen=True, kw_only=True)
class Transformer(Model):
    """Causal pre-norm Transformer with rotary positions by order and time."""

    layers: int = 2
    """Blocks of attention and perceptron."""
    heads: int = 2
    """Attention heads; width / heads must be a multiple of 4."""
    mlp_ratio: int = 4
    """Width of the perceptron's hidden layer, as a multiple of `width`."""

    def __post_init__(self) -> None:
        check_layers(self)
        for name in ("heads", "mlp_ratio"):
            if getattr(self, name) < 1:
                raise InputError(f"model.{name}: {getattr(self, name)} is not possible; use 1 or more.")
        if self.width % (4 * self.heads):
            raise InputError(
                f"model.heads: {self.heads} heads do not fit width {self.width}; width / heads must be a multiple of 4."
            )

    def encoder(self, dtype: jnp.dtype) -> nn.Module:
        return Encoder(self.layers, self.heads, self.mlp_ratio, dtype)
