"""HSTU: pointwise attention that does not normalise its weights, gated by the step itself.

Zhai et al. 2024 (arXiv 2402.17152), eq. 1 to 3. Each layer, a residual branch on its normalised input:

    u, v, q, k = silu(x W)      a[t, s] = silu(q[t] k[s] / sqrt(K) + position[t - s] + time[t, s])
    y = (norm(mean over s <= t of a[t, s] v[s]) * u) O

Weights do not sum to one, so that how much of the past agrees with a step is not lost. Sums are divided by
the number of steps seen, not by the length of a row, which would tell where a history is packed. Beyond the paper's
equations are 1 / sqrt(K) and a bias by order for each head.

Attention may lie on `recurrent` layers of a GRU, which tell it the order of the last few steps: then each step it
looks at is a state, as in hybrids of recurrence and attention for text (De et al. 2024, arXiv 2402.19427).
"""

from dataclasses import dataclass

import jax
import jax.numpy as jnp
from flax import linen as nn
from jaxtyping import Array, Bool, Float, Int

from lab.core.fingerprint_marks import not_fingerprinted
from lab.core.number_limits import Limits, at_most
from lab.models.attention import FORBIDDEN, product, visible
from lab.models.base import MOST_LAYERS, Model
from lab.models.gru import CELL
from lab.models.layers import LayerNorm, Linear, dropout
from lab.models.recurrence import Recurrent
from lab.models.rotary import positions

BUCKETS = 24
"""Of the time between two steps: under a minute, 1 minute, 3, 7 ... each twice as long, the last from 16 years."""
MINUTES = 24 * 60


def buckets(time: Float[Array, "B T"]) -> Int[Array, "B T T"]:
    """The bucket of the time from step s to step t, 0 where s is the later one."""
    days = jnp.maximum(time[:, :, None] - time[:, None, :], 0)
    return jnp.minimum(jnp.log2(days * MINUTES + 1).astype(jnp.int32), BUCKETS - 1)


@jax.custom_vjp
def attend(
    qkv: Float[Array, "B T 3 H K"],
    position: Float[Array, "1 H T T"],
    time: Float[Array, "B 1 T T"],
    mask: Bool[Array, "B 1 T T"],
    seen: Float[Array, "B T"],
) -> Float[Array, "B T H K"]:
    """The mean of values weighted pointwise; differentiable by `qkv` and both biases.

    As in `lab.models.attention`, the gradient is written out: of what has T x T entries, logits alone are kept.
    """
    return _forward(qkv, position, time, mask, seen)[0]


def _forward(qkv: Array, position: Array, time: Array, mask: Array, seen: Array) -> tuple[Array, tuple[Array, ...]]:
    q, k, v = (qkv[:, :, i].swapaxes(1, 2) for i in range(3))
    logits = product(q * jnp.asarray(q.shape[-1] ** -0.5, q.dtype), k.mT) + position + time
    logits = jnp.where(mask, logits, FORBIDDEN).astype(q.dtype)
    out = product(_silu(logits), v) / seen[:, None, :, None]
    return out.astype(v.dtype).swapaxes(1, 2), (q, k, v, logits, seen)


def _backward(saved: tuple[Array, ...], dout: Array) -> tuple[Array, Array, Array, None, None]:
    q, k, v, logits, seen = saved
    dout = (dout.swapaxes(1, 2).astype(jnp.float32) / seen[:, None, :, None]).astype(v.dtype)
    open_ = jax.nn.sigmoid(logits.astype(jnp.float32))
    slope = open_ * (1 + logits.astype(jnp.float32) * (1 - open_))
    dlogits = slope * product(dout, v.mT)
    dposition, dtime = dlogits.sum(0, keepdims=True), dlogits.sum(1, keepdims=True)
    scaled = (dlogits * q.shape[-1] ** -0.5).astype(q.dtype)
    dqkv = (product(scaled, k), product(scaled.mT, q), product(_silu(logits).mT, dout))
    return jnp.stack([d.swapaxes(1, 2) for d in dqkv], 2).astype(q.dtype), dposition, dtime, None, None


attend.defvjp(_forward, _backward)


def _silu(logits: Array) -> Array:
    """Exactly zero at FORBIDDEN, and so is its slope."""
    wide = logits.astype(jnp.float32)
    return (wide * jax.nn.sigmoid(wide)).astype(logits.dtype)


class Layer(nn.Module):
    """One pointwise attention, gated."""

    heads: int
    reach: int
    out_init: nn.initializers.Initializer

    @nn.compact
    def __call__(
        self, x: Float[Array, "B T D"], bucket: Array, mask: Array, seen: Array, rate: Array | None
    ) -> Float[Array, "B T D"]:
        rows, steps, width = x.shape
        uqkv = jax.nn.silu(Linear(4 * width, name="uqkv")(LayerNorm(name="norm")(x)))
        qkv = uqkv[..., width:].reshape(rows, steps, 3, self.heads, width // self.heads)
        y = attend(qkv, self._position(steps), self._time(bucket), mask, seen).reshape(x.shape)
        y = LayerNorm(name="gated_norm")(y) * uqkv[..., :width]
        return Linear(width, self.out_init, name="out")(dropout(y, rate, self))

    def _position(self, steps: int) -> Float[Array, "1 H T T"]:
        table = self.param("position", nn.initializers.zeros, (self.heads, self.reach), jnp.float32)
        number = jnp.arange(steps)
        apart = jnp.clip(number[:, None] - number[None], 0, self.reach - 1)
        return jnp.asarray(table)[:, apart][None]

    def _time(self, bucket: Int[Array, "B T T"]) -> Float[Array, "B 1 T T"]:
        table = self.param("time", nn.initializers.zeros, (BUCKETS,), jnp.float32)
        return jnp.asarray(table)[bucket][:, None]


class Encoder(nn.Module):
    """Layers of gated pointwise attention, each a residual branch; normalised at the end."""

    recurrent: int
    layers: int
    heads: int
    reach: int
    dtype: jnp.dtype

    @nn.compact
    def __call__(
        self,
        steps: Float[Array, "B T D"],
        starts: Bool[Array, "B T"],
        time: Float[Array, "B T"],
        rate: Float[Array, ""] | None,
    ) -> Float[Array, "B T D"]:
        mask, seen, bucket = visible(starts), positions(starts) + 1, buckets(time)
        out_init = nn.initializers.variance_scaling(1 / self.layers, "fan_in", "truncated_normal")
        if self.recurrent:
            x = Recurrent(CELL, self.recurrent, self.dtype, name="recurrent")(steps, starts, time, rate)
        else:
            x = dropout(steps.astype(self.dtype), rate, self)
        for layer in range(self.layers):
            x = x + Layer(self.heads, self.reach, out_init, name=f"layer_{layer}")(x, bucket, mask, seen, rate)
        return LayerNorm(name="norm")(x)


@dataclass(frozen=True, kw_only=True)
class HSTU(Model):
    """Gated pointwise attention with biases by order and time (Zhai et al. 2024)."""

    layers: int = 4
    """Layers of gated attention; four are the size of a Transformer of two blocks."""
    heads: int = 2
    """Attention heads, a divisor of `width`."""
    recurrent: int = 0
    """Layers of a GRU beneath the attention; 0 is HSTU as published."""
    reach: int = 256
    """Up to how many steps back each distance has a bias of its own; what lies farther shares the last."""

    @staticmethod
    @not_fingerprinted
    def number_limits() -> Limits:
        """What each number can be."""
        return {"recurrent": at_most(MOST_LAYERS), "reach": at_most(100_000)}

    def __post_init__(self) -> None:
        super().__post_init__()
        self.require_positive("layers", "heads", "reach")
        self.require_positive("recurrent", least=0)
        self.require_heads(self.heads)

    def encoder(self, dtype: jnp.dtype) -> nn.Module:
        return Encoder(self.recurrent, self.layers, self.heads, self.reach, dtype)
