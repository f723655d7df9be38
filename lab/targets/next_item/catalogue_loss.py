"""Losses over a catalogue of candidates that is too large for the logits [B, T, C] to be held at once.

All take hidden states and the candidates' vectors, whose products are the logits, and give the sum of
weight * loss over the labels.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from lab.targets.next_item.blocks import cut_blocks

if TYPE_CHECKING:
    from lab.models.head import Factors

LOGITS_AT_ONCE = 1 << 20
"""Logits that are held at once: few enough to stay near a processor's cache."""

ROWS_AT_LEAST = 128
"""Labels that are worked on at once, however large the catalogue: below it, its vectors are read too often."""

IN_A_BLOCK = 1024
"""Candidates of a block, where they are drawn by their shares."""

HIT = -1e30
"""The logit of a negative that is the label itself."""


@dataclass(frozen=True)
class Negatives:
    """How candidates are drawn against the labels."""

    count: int
    shared: bool
    """Whether all labels are held against the same ones."""
    by_popularity: bool


def softmax_loss(
    hidden: Float[Array, "N D"],
    kernel: Float[Array, "C D"],
    bias: Float[Array, " C"],
    id: Int[Array, " N"],
    weight: Float[Array, " N"],
    smoothing: Float[Array, ""],
) -> Float[Array, ""]:
    """Cross-entropy of softmax over all candidates against (1 - smoothing) * label + smoothing / C.

    Block by block of labels; where a gradient is asked for it is made in the same pass, so that no block's logits are
    computed twice.
    """
    return _softmax(hidden, kernel, bias, id, weight, jnp.asarray(smoothing, jnp.float32))


@jax.custom_vjp
def _softmax(hidden: Array, kernel: Array, bias: Array, id: Array, weight: Array, smoothing: Array) -> Array:
    def add(total: Array, block: tuple[Array, Array, Array]) -> tuple[Array, None]:
        h, i, w = block
        logits = _logits(h, kernel, bias)
        return total + _cross_entropy(logits, jax.nn.logsumexp(logits, -1), i, w, smoothing), None

    return jax.lax.scan(add, jnp.zeros((), jnp.float32), _blocks(len(kernel), hidden, id, weight))[0]


def _softmax_forward(
    hidden: Array, kernel: Array, bias: Array, id: Array, weight: Array, smoothing: Array
) -> tuple[Array, tuple[Array, Array, Array]]:
    candidates = len(kernel)

    def add(carry: tuple[Array, Array, Array], block: tuple[Array, Array, Array]) -> tuple[tuple, Array]:
        total, dkernel, dbias = carry
        h, i, w = block
        logits = _logits(h, kernel, bias)
        highest = jax.lax.stop_gradient(logits.max(-1, keepdims=True))
        grown = jnp.exp(logits - highest)
        mass = grown.sum(-1, keepdims=True)
        total += _cross_entropy(logits, (jnp.log(mass) + highest)[:, 0], i, w, smoothing)
        dlogits = grown * (w[:, None] / mass) - (w * smoothing / candidates)[:, None]
        dlogits = dlogits.at[jnp.arange(len(i)), i].add(-w * (1.0 - smoothing))
        dlow = dlogits.astype(h.dtype)
        dkernel += jnp.matmul(dlow.T, h, preferred_element_type=jnp.float32)
        return (total, dkernel, dbias + dlogits.sum(0)), dlow @ kernel.astype(h.dtype)

    begin = jnp.zeros((), jnp.float32), jnp.zeros(kernel.shape, jnp.float32), jnp.zeros(bias.shape, jnp.float32)
    (total, dkernel, dbias), dhidden = jax.lax.scan(add, begin, _blocks(candidates, hidden, id, weight))
    return total, (dhidden.reshape(-1, hidden.shape[-1])[: len(hidden)], dkernel, dbias)


def _softmax_backward(saved: tuple[Array, Array, Array], dtotal: Array) -> tuple[Array | None, ...]:
    dhidden, dkernel, dbias = saved
    return (dhidden * dtotal.astype(dhidden.dtype), dkernel * dtotal, dbias * dtotal, None, None, None)


_softmax.defvjp(_softmax_forward, _softmax_backward)


def _logits(hidden: Array, kernel: Array, bias: Array) -> Array:
    return jnp.matmul(hidden, kernel.astype(hidden.dtype).T, preferred_element_type=jnp.float32) + bias


def _cross_entropy(logits: Array, mass: Array, id: Array, weight: Array, smoothing: Array) -> Array:
    """The sum over a block; `mass` is the logarithm of the sum of exponents."""
    own = jnp.take_along_axis(logits, id[:, None], 1)[:, 0]
    return (weight * (mass - (1.0 - smoothing) * own - smoothing * logits.mean(-1))).sum()


def _blocks(candidates: int, hidden: Array, id: Array, weight: Array) -> tuple[Array, Array, Array]:
    """The labels in blocks [blocks, n, ...], the last one filled up with some that weigh nothing."""
    size = max(LOGITS_AT_ONCE // candidates, ROWS_AT_LEAST)
    return jax.tree.map(partial(cut_blocks, size=min(size, len(hidden))), (hidden, id, weight))


def sampled_softmax(
    factors: "Factors", id: Int[Array, " N"], weight: Float[Array, " N"], negatives: Negatives, key: Array
) -> Float[Array, ""]:
    """Cross-entropy where the sum over the other candidates is estimated from some of them.

    sum over c of exp(s_c) is about exp(s_label) + sum over negatives j of exp(s_j) / (K q_j), q the chance by which
    they are drawn (importance sampling: Bengio and Senécal 2008; the label, being certain, is not corrected:
    arXiv 2507.09331). A negative that is the label is left out.
    """

    def of_block(h: Array, i: Array, w: Array, drawn: Array) -> Array:
        own, others = _scores(factors, h, i, drawn)
        others -= jnp.log(negatives.count) + _log_chance(factors, negatives)[drawn]
        others = jnp.where(drawn == i[:, None], HIT, others)
        return (w * (jnp.logaddexp(own, jax.nn.logsumexp(others, -1)) - own)).sum()

    return _over_blocks(of_block, factors, id, weight, negatives, key)


def gbce(
    factors: "Factors",
    id: Int[Array, " N"],
    weight: Float[Array, " N"],
    negatives: Negatives,
    calibration: float,
    key: Array,
) -> Float[Array, ""]:
    """-(b log sigmoid(s_label) + sum over negatives j of log(1 - sigmoid(s_j))) / (K + 1), generalised binary
    cross-entropy.

    b = a (t (1 - 1/a) + 1/a) with a = K / (C - 1), t the calibration (Petrov and Macdonald 2023, arXiv 2308.07192).
    """
    share = negatives.count / (len(factors.kernel) - 1)
    power = share * (calibration * (1 - 1 / share) + 1 / share)

    def of_block(h: Array, i: Array, w: Array, drawn: Array) -> Array:
        own, others = _scores(factors, h, i, drawn)
        others = jnp.where(drawn == i[:, None], HIT, others)
        return (w * (power * jax.nn.softplus(-own) + jax.nn.softplus(others).sum(-1))).sum() / (negatives.count + 1)

    return _over_blocks(of_block, factors, id, weight, negatives, key)


def _scores(factors: "Factors", hidden: Array, id: Array, drawn: Array) -> tuple[Array, Array]:
    """Logits of the labels [n], and of what is drawn against them [n, K]; `drawn` is [K] or [n, K]."""
    kernel, dtype = factors.kernel, hidden.dtype
    # Rounded as the others are.
    own = (hidden.astype(jnp.float32) * kernel[id].astype(dtype).astype(jnp.float32)).sum(-1) + factors.bias[id]
    names = "nd,kd->nk" if drawn.ndim == 1 else "nd,nkd->nk"
    others = jnp.einsum(names, hidden, kernel[drawn].astype(dtype), preferred_element_type=jnp.float32)
    return own, others + factors.bias[drawn]


def _over_blocks(
    of_block: Callable[..., Array], factors: "Factors", id: Array, weight: Array, negatives: Negatives, key: Array
) -> Float[Array, ""]:
    """The sum over all labels; where each has negatives of its own, block by block, none of which is kept."""
    if negatives.shared:
        return of_block(factors.hidden, id, weight, _draw(factors, negatives, (negatives.count,), key))
    size = max(LOGITS_AT_ONCE // (negatives.count * factors.kernel.shape[1]), 1)
    blocks = jax.tree.map(partial(cut_blocks, size=min(size, len(id))), (factors.hidden, id, weight))

    @jax.checkpoint
    def add(total: Array, block: tuple[Array, tuple[Array, Array, Array]]) -> tuple[Array, None]:
        place, (h, i, w) = block
        drawn = _draw(factors, negatives, (len(i), negatives.count), jax.random.fold_in(key, place))
        return total + of_block(h, i, w, drawn), None

    places = jnp.arange(len(blocks[0]))
    return jax.lax.scan(add, jnp.zeros((), jnp.float32), (places, blocks))[0]


def _log_chance(factors: "Factors", negatives: Negatives) -> Float[Array, " C"]:
    """Logarithm of the chance by which each candidate is drawn."""
    if negatives.by_popularity:
        return jax.nn.log_softmax(factors.prior)
    return jnp.full(len(factors.kernel), -jnp.log(len(factors.kernel)))


def _draw(factors: "Factors", negatives: Negatives, shape: tuple[int, ...], key: Array) -> Int[Array, "..."]:
    if negatives.by_popularity:
        return draw_by_share(jax.nn.softmax(factors.prior), shape, key)
    return jax.random.randint(key, shape, 0, len(factors.kernel))


def draw_by_share(share: Float[Array, " C"], shape: tuple[int, ...], key: Array) -> Int[Array, "..."]:
    """Candidates drawn with these chances: first one of some blocks of them, then one of its block.

    One float32 running sum over all of them could not tell the rare ones of a large catalogue apart: against what is
    summed up before them they are nothing.
    """
    size = min(IN_A_BLOCK, len(share))
    within = jnp.cumsum(cut_blocks(share, size), 1)
    across = jnp.cumsum(within[:, -1])
    outer, inner = jax.random.uniform(key, (2, *shape))
    block = jnp.minimum(jnp.searchsorted(across, outer * across[-1], side="right"), len(across) - 1)
    flat, wanted = within.reshape(-1), inner * within[block, -1]

    def halve(_: int, bounds: tuple[Array, Array]) -> tuple[Array, Array]:
        low, high = bounds
        middle = (low + high) // 2
        beyond = flat[block * size + middle] <= wanted
        return jnp.where(beyond, middle + 1, low), jnp.where(beyond, high, middle)

    # The first place whose sum is above what is wanted, the last one if rounding leaves none.
    bounds = jnp.zeros(shape, jnp.int32), jnp.full(shape, size - 1, jnp.int32)
    low, _ = jax.lax.fori_loop(0, max(size - 1, 1).bit_length(), halve, bounds)
    return jnp.minimum(block * size + jnp.minimum(low, size - 1), len(share) - 1)
