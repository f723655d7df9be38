"""Attention alone, forward and backward: the lab's own beside the library's and,
on a GPU, cuDNN's.

Rows of `--length` steps as they are packed, two histories in each, so that what
a step may see is a mask and not the triangle alone; cuDNN takes the mask as a
bias, and bfloat16 only. `cuDNN, triangle` knows no histories and shows what a
mask costs it. The lab's own keeps the weights for its gradient; what it moves
is told by `benchmarks.roofline`.

Run:
    python -m benchmarks.attention --rows 16 512 --length 200
"""

from collections.abc import Callable
from dataclasses import dataclass

import jax
import jax.numpy as jnp

from benchmarks.roofline import in_turn
from benchmarks.shared.command import command, require
from benchmarks.shared.packed import Dtype, steps_here
from lab.core.errors import InputError
from lab.models.attention import attend, visible

ROUNDS = 7


@dataclass(frozen=True)
class Asked:
    """Which shapes to time."""

    rows: tuple[int, ...] = (16,)
    """How many rows at once, one line for each."""
    length: int = 200
    """Steps of a row."""
    heads: int = 2
    """Heads of a layer."""
    width: int = 128
    """Dimension of a step, that of all heads together."""
    dtypes: tuple[Dtype, ...] = ("float32",)
    """Number formats to compute in, one after the other."""

    def __post_init__(self) -> None:
        require(self, "dtypes", rows=1, length=1, heads=1, width=1)
        if self.width % (2 * self.heads):  # positions turn pairs of a head's numbers
            raise InputError(f"--width: {self.width}; {self.heads} heads need a multiple of {2 * self.heads}.")


def main(asked: Asked) -> None:
    """Print milliseconds of each."""
    length, heads, width = asked.length, asked.heads, asked.width
    print(f"{jax.devices()[0].device_kind}: {heads} heads of {width // heads}, {length} steps; ms forward and backward")
    for dtype in asked.dtypes:
        for count in asked.rows:
            calls = contenders((count, length, 3, heads, width // heads), jnp.dtype(dtype))
            seconds = in_turn(calls, ROUNDS)
            spent = ", ".join(f"{name} {1e3 * each / steps_here():.3f}" for name, each in seconds.items())
            print(f"  {dtype:9s}{count:6,} rows: {spent}", flush=True)


def contenders(shape: tuple[int, ...], dtype: jnp.dtype) -> dict[str, Callable[[], object]]:
    """Calls that give the gradient of a sum by queries, keys and values, several times over."""
    rows, length, _, _, size = shape
    qkv = jax.random.normal(jax.random.key(0), shape, dtype)
    starts = jnp.zeros((rows, length), bool).at[:, [0, length // 3]].set(True)
    mask, still = visible(starts), jnp.zeros((rows, length, size // 2), jnp.float32)

    def library(implementation: str, **seen: object) -> Callable[[jax.Array], jax.Array]:
        def run(qkv: jax.Array) -> jax.Array:
            q, k, v = (qkv[:, :, i] for i in range(3))
            return jax.nn.dot_product_attention(q, k, v, implementation=implementation, **seen)  # type: ignore[arg-type]

        return run

    ways = {"lab": lambda qkv: attend(qkv, jnp.cos(still), still, mask), "library": library("xla", mask=mask)}
    if jax.devices()[0].platform == "gpu" and dtype == jnp.bfloat16:
        ways |= {"cuDNN": library("cudnn", mask=mask), "cuDNN, triangle": library("cudnn", is_causal=True)}
    return {name: repeated(way, qkv) for name, way in ways.items()}


def repeated(way: Callable[[jax.Array], jax.Array], qkv: jax.Array) -> Callable[[], object]:
    """`steps_here()` gradients in one call, each of what the one before gave."""

    def gradient(_: object, x: jax.Array) -> jax.Array:
        back = jax.grad(lambda x: jnp.square(way(x).astype(jnp.float32)).sum())(x)
        return x + (1e-3 * back).astype(x.dtype)

    run = jax.jit(lambda x: jax.lax.fori_loop(0, steps_here(), gradient, x))
    return lambda: run(qkv).block_until_ready()


if __name__ == "__main__":
    command("attention", Asked, main, __doc__)
