"""Transformer: causal, pre-norm, time-aware.

Vaswani et al. 2017 (arXiv 1706.03762) with normalisation before each branch (Xiong et al. 2020,
arXiv 2002.04745), squared ReLU (So et al. 2021, arXiv 2109.08668), no biases in its products, and rotary
positions by order and time (`lab.models.rotary`).
"""

from dataclasses import dataclass

import jax
import jax.numpy as jnp
from flax import linen as nn
from jaxtyping import Array, Bool, Float

from lab.core.errors import InputError
from lab.core.fingerprint_marks import not_fingerprinted
from lab.core.number_limits import Limits, at_most
from lab.models.attention import attend, visible
from lab.models.base import Model
from lab.models.layers import LayerNorm, Linear, dropout
from lab.models.rotary import cos_sin


class Attention(nn.Module):
    """Causal multi-head attention within histories."""

    heads: int
    out_init: nn.initializers.Initializer

    @nn.compact
    def __call__(self, x: Float[Array, "B T D"], cos: Array, sin: Array, mask: Array) -> Float[Array, "B T D"]:
        rows, steps, width = x.shape
        qkv = Linear(3 * width, name="qkv")(x).reshape(rows, steps, 3, self.heads, width // self.heads)
        y = attend(qkv, cos, sin, mask)
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
        cos, sin = cos_sin(starts, time, width // self.heads // 2)
        mask = visible(starts)
        # Branches that end small leave the sum's variance near 1 at any depth (Radford et al. 2019).
        out_init = nn.initializers.variance_scaling(1 / (2 * self.layers), "fan_in", "truncated_normal")
        x = dropout(steps.astype(self.dtype), rate, self)
        for layer in range(self.layers):
            y = LayerNorm(name=f"attention_norm_{layer}")(x)
            y = Attention(self.heads, out_init, name=f"attention_{layer}")(y, cos, sin, mask)
            x = x + dropout(y, rate, self)
            y = LayerNorm(name=f"mlp_norm_{layer}")(x)
            y = jnp.square(jax.nn.relu(Linear(self.mlp_ratio * width, name=f"mlp_in_{layer}")(y)))
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

    @staticmethod
    @not_fingerprinted
    def number_limits() -> Limits:
        """What each number can be."""
        return {"mlp_ratio": at_most(1_000)}

    def __post_init__(self) -> None:
        super().__post_init__()
        self.require_positive("layers", "heads", "mlp_ratio")
        if self.width % 4:
            raise InputError(f"{type(self).__name__}.width: {self.width} is not possible; use a multiple of 4.")
        self.require_heads(self.heads, multiple=4)

    def encoder(self, dtype: jnp.dtype) -> nn.Module:
        return Encoder(self.layers, self.heads, self.mlp_ratio, dtype)
