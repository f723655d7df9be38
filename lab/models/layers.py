"""The parts that encoders share: a linear map, layer normalisation, dropout with a traced rate."""

import math
from functools import partial

import jax
import jax.numpy as jnp
from flax import linen as nn
from jaxtyping import Array, Float, UInt32

CHUNKS = 8
"""Into how many sums of products a weight gradient is split, where the steps divide so."""


def weight_gradient(x: Float[Array, "... D"], dy: Float[Array, "... G"]) -> Float[Array, "D G"]:
    """x^T dy over all leading axes, in float32.

    The contraction is long (every step of the batch) and the result small. Done as one product, XLA's
    CPU backend runs it on one core; as a batch of products that are then summed, it takes half the time.
    Either way the smaller side comes first: the other order takes twice as long.
    """
    if x.shape[-1] > dy.shape[-1]:
        return weight_gradient(dy, x).T
    steps = math.prod(x.shape[:-1])
    chunks = math.gcd(steps, CHUNKS)
    x = x.reshape(chunks, steps // chunks, x.shape[-1])
    dy = dy.reshape(chunks, steps // chunks, dy.shape[-1])
    return jnp.einsum("nsd,nsg->ndg", x, dy, preferred_element_type=jnp.float32).sum(0)


@jax.custom_vjp
def matmul(x: Float[Array, "... D"], kernel: Float[Array, "D G"]) -> Float[Array, "... G"]:
    """x @ kernel, computed in x's dtype; its gradient by the kernel is `weight_gradient`."""
    return x @ kernel.astype(x.dtype)


def _matmul_forward(x: Array, kernel: Array) -> tuple[Array, tuple[Array, Array]]:
    return matmul(x, kernel), (x, kernel)


def _matmul_backward(saved: tuple[Array, Array], dy: Array) -> tuple[Array, Array]:
    x, kernel = saved
    return dy @ kernel.astype(dy.dtype).T, weight_gradient(x, dy).astype(kernel.dtype)


matmul.defvjp(_matmul_forward, _matmul_backward)


class Linear(nn.Module):
    """x @ kernel (+ bias), the kernel float32 and the product in x's dtype."""

    features: int
    kernel_init: nn.initializers.Initializer = nn.initializers.lecun_normal()
    bias_init: nn.initializers.Initializer | None = None
    """None: no bias."""

    @nn.compact
    def __call__(self, x: Float[Array, "... D"]) -> Float[Array, "... G"]:
        kernel = self.param("kernel", self.kernel_init, (x.shape[-1], self.features), jnp.float32)
        y = matmul(x, kernel)
        if self.bias_init is None:
            return y
        bias = self.param("bias", self.bias_init, (self.features,), jnp.float32)
        return y + jnp.broadcast_to(bias.astype(y.dtype), y.shape)


class LayerNorm(nn.Module):
    """Layer normalisation over the last axis, in float32 (Ba, Kiros & Hinton 2016, arXiv 1607.06450)."""

    epsilon: float = 1e-6

    @nn.compact
    def __call__(self, x: Float[Array, "... D"]) -> Float[Array, "... D"]:
        scale = self.param("scale", nn.initializers.ones, x.shape[-1:], jnp.float32)
        bias = self.param("bias", nn.initializers.zeros, x.shape[-1:], jnp.float32)
        return normalise(x, scale, bias, self.epsilon)


@partial(jax.custom_vjp, nondiff_argnums=(3,))
def normalise(
    x: Float[Array, "... D"], scale: Float[Array, " D"], bias: Float[Array, " D"], epsilon: float
) -> Float[Array, "... D"]:
    """scale * (x - mean) / sqrt(variance + epsilon) + bias along the last axis, in float32."""
    return _normalise_forward(x, scale, bias, epsilon)[0]


def _normalise_forward(x: Array, scale: Array, bias: Array, epsilon: float) -> tuple[Array, tuple[Array, ...]]:
    centred = x.astype(jnp.float32) - _mean(x.astype(jnp.float32))
    rate = jax.lax.rsqrt(_mean(centred * centred) + epsilon)
    normal = centred * rate
    out = normal * jnp.broadcast_to(scale, x.shape) + jnp.broadcast_to(bias, x.shape)
    return out.astype(x.dtype), (normal.astype(x.dtype), rate, scale)


def _normalise_backward(epsilon: float, saved: tuple[Array, ...], dy: Array) -> tuple[Array, Array, Array]:
    normal, rate, scale = saved[0].astype(jnp.float32), *saved[1:]
    dy = dy.astype(jnp.float32)
    dnormal = dy * jnp.broadcast_to(scale, dy.shape)
    dx = rate * (dnormal - _mean(dnormal) - normal * _mean(dnormal * normal))
    leading = tuple(range(dy.ndim - 1))
    return dx.astype(saved[0].dtype), (dy * normal).sum(leading), dy.sum(leading)


normalise.defvjp(_normalise_forward, _normalise_backward)


def _mean(x: Float[Array, "... D"]) -> Float[Array, "... 1"]:
    """Over the last axis, as a product: XLA's CPU backend then keeps it, and does not sum anew for each use."""
    weights = jnp.full((x.shape[-1], 1), 1 / x.shape[-1], x.dtype)
    return jnp.matmul(x, weights, precision="highest")


def dropout(x: Float[Array, "..."], rate: Float[Array, ""] | None, module: nn.Module) -> Float[Array, "..."]:
    """x with each element set to zero with probability `rate`, the others scaled by 1 / (1 - rate).

    The rate may be traced, so that it can differ per cell of one compiled program. None: x as it is, and
    nothing is drawn; otherwise the mask comes from the module's rng stream "dropout".
    """
    if rate is None:
        return x
    drop = uniform(module.make_rng("dropout"), x.shape) < rate
    return jnp.where(drop, jnp.zeros_like(x), x * (1 / (1 - rate)).astype(x.dtype))


def uniform(key: Array, shape: tuple[int, ...]) -> Float[Array, "..."]:
    """Numbers in [0, 1) that are good enough for masks, 24 bits each.

    The key's own generator costs more on a CPU than the layer whose output is masked; here it makes two
    words, and each element hashes its own number with them, in the loop that uses the result.
    """
    first, second = jax.random.bits(key, (2,), jnp.uint32)
    number = jnp.arange(math.prod(shape), dtype=jnp.uint32).reshape(shape)
    bits = _mixed(_mixed(number ^ first) ^ second)
    return (bits >> 8).astype(jnp.int32).astype(jnp.float32) * jnp.float32(2**-24)


def _mixed(bits: UInt32[Array, "..."]) -> UInt32[Array, "..."]:
    """The finaliser of MurmurHash3 (Appleby 2011): every bit in changes every bit out half of the time."""
    bits = (bits ^ (bits >> 16)) * jnp.uint32(0x85EBCA6B)
    bits = (bits ^ (bits >> 13)) * jnp.uint32(0xC2B2AE35)
    return bits ^ (bits >> 16)
