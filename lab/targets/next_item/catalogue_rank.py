"""Where labels stand among all candidates of a catalogue, read in chunks: no scores of all are held at once."""

from functools import partial

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from lab.targets.next_item.blocks import cut_blocks

QUERIES_AT_ONCE = 512
CANDIDATES_AT_ONCE = 8192


def rank_labels(
    hidden: Float[Array, "N D"],
    kernel: Float[Array, "C D"],
    bias: Float[Array, " C"],
    label: Int[Array, " N"],
    taken: Int[Array, "N E"] | None,
    depth: int,
) -> tuple[Int[Array, " N"], Int[Array, "N K"], Float[Array, " N"]]:
    """Rank of each label, the first `depth` candidates, and the label's log probability.

    The rank counts the other candidates whose score is the label's or higher, so that ties count against the model; -1
    where there is no label (-1). Of equal scores the candidate with the lower number comes first; -1 where fewer than
    `depth` are left. `taken` are candidates that are left out of all this, unless they are the label; C stands for
    none. Scores that are no numbers give a log probability that is none, and count as higher than the label's.
    """
    chunks = _chunks(kernel, bias)
    blocks = jax.tree.map(partial(cut_blocks, size=min(QUERIES_AT_ONCE, len(hidden))), (hidden, label, taken))
    found = jax.lax.map(lambda block: _of_block(block, chunks, len(kernel), depth), blocks)
    rank, first, log_p = (part.reshape(-1, *part.shape[2:])[: len(hidden)] for part in found)
    return jnp.where(label < 0, -1, rank), first, log_p


def _chunks(kernel: Array, bias: Array) -> tuple[Array, Array, Array]:
    """The candidates in chunks: vectors, biases and the number of each chunk's first; beyond the last, -inf."""
    size = min(CANDIDATES_AT_ONCE, len(kernel))
    vectors = cut_blocks(kernel, size)
    return vectors, cut_blocks(bias, size, filling=-jnp.inf), jnp.arange(len(vectors)) * size


def _of_block(
    block: tuple[Array, Array, Array | None], chunks: tuple[Array, Array, Array], candidates: int, depth: int
) -> tuple[Array, Array, Array]:
    hidden, label, taken = block
    queries, size = len(hidden), chunks[0].shape[1]

    def scores(vectors: Array, offset: Array, first: Array) -> Array:
        found = jnp.matmul(hidden, vectors.astype(hidden.dtype).T, preferred_element_type=jnp.float32) + offset
        if taken is None:
            return found
        out = jnp.where((taken == label[:, None]) | (taken >= candidates), first + size, taken) - first
        # A negative place would count from the end; one beyond it is dropped.
        out = jnp.where(out < 0, size, out)
        return found.at[jnp.arange(queries)[:, None], out].set(-jnp.inf, mode="drop")

    def read(carry: tuple[Array, ...], chunk: tuple[Array, Array, Array]) -> tuple[tuple[Array, ...], None]:
        own, mass, best, names = carry
        found = scores(*chunk)
        place = label - chunk[2]
        inside = (place >= 0) & (place < size)
        mine = jnp.take_along_axis(found, jnp.clip(place, 0, size - 1)[:, None], 1)[:, 0]
        own = jnp.where(inside, mine, own)
        mass = jnp.logaddexp(mass, jax.nn.logsumexp(found, -1))
        values, places = jax.lax.top_k(found, min(depth, size))
        values, names = jnp.concatenate([best, values], 1), jnp.concatenate([names, places + chunk[2]], 1)
        best, places = jax.lax.top_k(values, depth)
        return (own, mass, best, jnp.take_along_axis(names, places, 1)), None

    low = jnp.full(queries, -jnp.inf, jnp.float32)
    begun = low, low, jnp.full((queries, depth), -jnp.inf, jnp.float32), jnp.zeros((queries, depth), jnp.int32)
    (own, mass, best, first), _ = jax.lax.scan(read, begun, chunks)

    def ahead(total: Array, chunk: tuple[Array, Array, Array]) -> tuple[Array, None]:
        other = (jnp.arange(size)[None] + chunk[2]) != label[:, None]
        return total + (~(scores(*chunk) < own[:, None]) & other).sum(-1, dtype=jnp.int32), None

    # Twice, since a label's score must be the product that the others are, bit by bit, for ties to be seen.
    rank, _ = jax.lax.scan(ahead, jnp.zeros(queries, jnp.int32), chunks)
    return rank, jnp.where(best == -jnp.inf, -1, first), own - mass
