"""Where a training step's time goes: what it computes and moves, against what this
machine does at its barest.

Each of the lab's encoders makes the step that `benchmarks.training` times (256
rows of 50 ids, 100 classes), on one device, for one cell or for several side by
side. Floating-point operations and bytes are counted from the compiled program
(`benchmarks.shared.hlo`), each loop as often as it runs; matrix products are checked
against a formula written out by hand, and XLA's own count, which takes each
loop once, stands beside. The machine's limits are a bare matrix product in the
step's own numbers and bare copies, of an array that fits no cache and of one
that does, timed in turn with the steps. On a CPU each of a step's products is
timed by itself too, in its own shape and as it lies in memory: a narrow product
is slower than that of two large squares.

A step cannot take less than its operations at the product's speed, nor than its
bytes at a copy's. The longer of the two bounds it; `reached` is that bound over
the time it takes. Bytes are what instructions read and write; where a step
takes less than they would take from memory, they came from caches, and that
copy is the limit. What is no matrix product (dropout's random bits, tanh, Adam)
has no limit of its own here, and is what a low share points at.

On a GPU products go to libraries, whose calls do not tell in the program what
they compute: there the formula counts, and the share that products alone use is
the model FLOP utilisation, of the bare product's speed.

Run:
    OMP_WAIT_POLICY=passive python -m benchmarks.roofline --models LSTM

On a GPU:
    python -m benchmarks.roofline --dtype bfloat16 --cells 32
"""

import re
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from statistics import median
from typing import NamedTuple, TypeVar

import jax
import jax.numpy as jnp
import numpy as np

from benchmarks.shared.command import command, require
from benchmarks.shared.hlo import Dot, Work, work
from benchmarks.shared.packed import (
    BATCH,
    CLASSES,
    ENCODERS,
    IDS,
    LENGTH,
    Dtype,
    EncoderName,
    packed_rows,
    stepper,
    steps_here,
)
from lab.models import HSTU, Transformer
from lab.models.base import Model
from lab.models.gru import CELL
from lab.models.recurrence import Cell, RecurrentModel
from lab.running.backend import prepare_backend
from lab.training.devices import Layout

PRODUCT = {"cpu": 2048, "gpu": 8192}
"""Sides of the bare matrices."""
COPIES = {
    "cpu": {"memory": (32 << 20, 16), "caches": (64 << 10, 512)},
    "gpu": {"memory": (256 << 20, 8), "caches": (3 << 20, 512)},
}
"""float32 elements of a bare copy, and how often it is made in one call: the first goes to pages that are new."""
LOOPED = 4e8
"""Floating-point operations for which a product by itself is repeated in one call, which takes a while to begin."""
PARTS = 6
"""How many parts of a step are shown."""


@dataclass(frozen=True)
class Asked:
    """Which steps to time."""

    rounds: int = 7
    """How often each is timed; medians are shown."""
    models: tuple[EncoderName, ...] = ()
    """Models to time. Default: all."""
    cells: int = 1
    """How many cells are trained in a step, side by side where the device is no CPU."""
    dtype: Dtype = "float32"
    """Number format that the networks compute in."""
    width: int = 64
    """Dimension of embeddings and states."""

    def __post_init__(self) -> None:
        require(self, rounds=1, cells=1, width=1)


def main(asked: Asked) -> None:
    """Print the machine's limits, then each model's step and its largest parts."""
    rounds, models, cells, dtype = asked.rounds, asked.models, asked.cells, asked.dtype
    prepare_backend(None)
    chosen = [replace(model, width=asked.width) for model in ENCODERS if not models or type(model).__name__ in models]
    layout = Layout("cells", tuple(jax.local_devices())[:1], cells)
    rng = np.random.default_rng(0)
    rows = packed_rows(list(rng.integers(1, IDS + 1, (BATCH, LENGTH))), rng.integers(0, CLASSES, BATCH), LENGTH)
    with ThreadPoolExecutor() as pool:
        made = list(pool.map(lambda model: stepper(model, rows, IDS, CLASSES, BATCH, layout, dtype), chosen))
        texts = list(pool.map(lambda step: step.compiled(), made))
    steps = {type(model).__name__: step for model, step in zip(chosen, made, strict=True)}
    platform = layout.devices[0].platform
    side, copies = PRODUCT[platform], COPIES[platform]
    bare = {"product": bare_product(side, dtype)} | {name: bare_copy(*sizes) for name, sizes in copies.items()}
    seconds = in_turn(bare | steps, rounds)
    copied = {name: 2 * 4 * size * times / seconds[name] for name, (size, times) in copies.items()}
    limits = Limits(2 * side**3 / seconds["product"], **copied)
    print(f"{layout.devices[0].device_kind}, {dtype}, {cells} cell(s) of width {asked.width}: {limits}")
    done = [work(compiled.as_text()) for compiled in texts]
    # On a GPU products are calls of libraries, and none is seen.
    dots = alone({dot for works in done for one in works for dot in one.dots}, rounds) if platform == "cpu" else None
    for model, compiled, works in zip(chosen, texts, done, strict=True):
        show(model, works, compiled.cost_analysis(), seconds[type(model).__name__] / steps_here(), limits, cells, dots)


class Limits(NamedTuple):
    """What this machine does at its barest."""

    product: float
    """Floating-point operations a second."""
    memory: float
    """Bytes read and written a second, from memory."""
    caches: float
    """The same, where they fit a cache."""

    def __str__(self) -> str:
        copies = f"{self.memory / 1e9:.1f} GB/s in a copy, {self.caches / 1e9:.1f} GB/s within caches"
        return f"{self.product / 1e9:.0f} GFLOP/s in a product, {copies}"


def bare_product(side: int, dtype: Dtype) -> Callable[[], object]:
    """A product of two square matrices, of random numbers: of zeros it can be faster."""
    square = jax.random.normal(jax.random.key(0), (side, side), dtype)
    multiply = jax.jit(jnp.matmul)
    return lambda: multiply(square, square).block_until_ready()


def bare_copy(elements: int, times: int) -> Callable[[], object]:
    """Copies of an array, by as many threads as XLA takes for one loop."""
    array = jnp.ones(elements, jnp.float32)
    # XLA leaves out a copy that changes nothing.
    copy = jax.jit(lambda x: jax.lax.fori_loop(0, times, lambda _, y: -y, x))
    return lambda: copy(array).block_until_ready()


def alone(dots: Iterable[Dot], rounds: int) -> dict[Dot, float]:
    """Median seconds of each product by itself, of arrays that lie in caches if they can."""
    times = {dot: max(1, round(LOOPED / dot.flops)) for dot in sorted(dots)}
    seconds = in_turn({dot: bare_dot(dot, count) for dot, count in times.items()}, rounds)
    return {dot: spent / times[dot] for dot, spent in seconds.items()}


def product(dot: Dot) -> Callable[[jax.Array, jax.Array], jax.Array]:
    """What is multiplied as in the program."""
    return lambda left, right: jax.lax.dot_general(left, right, (dot.over, dot.batch))


def bare_dot(dot: Dot, times: int) -> Callable[[], jax.Array]:
    """A product of random arrays, repeated."""
    dtype = {"f32": jnp.float32, "bf16": jnp.bfloat16}[dot.kind]
    one, other = (jax.random.normal(jax.random.key(0), size, dtype) for size in (dot.left, dot.right))
    multiply = product(dot)

    def once(_: int, left: jax.Array, right: jax.Array) -> jax.Array:
        # Each waits for the one before, or it would be made but once.
        out = jax.lax.optimization_barrier(multiply(left, right))
        return left.at[(0,) * left.ndim].add(0 * out[(0,) * out.ndim])

    run = jax.jit(lambda left, right: jax.lax.fori_loop(0, times, lambda i, left: once(i, left, right), left))
    return lambda: run(one, other).block_until_ready()


Name = TypeVar("Name", bound=Hashable)


def in_turn(contenders: Mapping[Name, Callable[[], object]], rounds: int) -> dict[Name, float]:
    """Median seconds of a call of each, after one that does not count."""
    seconds: dict[Name, list[float]] = {name: [] for name in contenders}
    for _ in range(rounds):
        for name, run in contenders.items():
            run()
            begun = time.perf_counter()
            run()
            seconds[name].append(time.perf_counter() - begun)
    return {name: median(spent) for name, spent in seconds.items()}


def show(
    model: Model,
    done: list[Work],
    own: Mapping[str, float],
    seconds: float,
    limits: Limits,
    cells: int,
    dots: Mapping[Dot, float] | None,
) -> None:
    """A model's counts, its bound and how much of it is reached, what its products take, and its largest parts.

    `own`: XLA's count. `dots`: seconds of each product by itself; None where products are counted by the formula."""
    times, counted = steps_here(), dots is not None
    products, others, moved = (sum(getattr(w, n) for w in done) / times for n in ("products", "others", "bytes"))
    formula = cells * by_hand(model, BATCH, LENGTH, BATCH, CLASSES)
    against = f"{products / formula - 1:+.1%} of the formula" if counted else "by the formula"
    products = products if counted else formula
    bound, least, bandwidth = bound_of(products, moved, seconds, limits)
    print(
        f"\n{type(model).__name__}: {seconds * 1e3:.2f} ms a step, at least {least * 1e3:.2f} ms by {bound}: ", end=""
    )
    print(f"{least / seconds:.0%} reached; products alone use {products / limits.product / seconds:.1%} of the machine")
    print(f"  products {products / 1e9:.2f} GFLOP ({against}), ", end="")
    print(f"others {others / 1e9:.2f}, {moved / 1e9:.2f} GB moved", end="")
    print(f" (XLA, loops once: {own['flops'] / 1e9:.2f} GFLOP, {own['bytes accessed'] / 1e9:.2f} GB)")
    if dots is not None:
        took = products_alone(done, dots)
        spent = sum(took.values())
        print(f"  its products by themselves {spent * 1e3:.2f} ms, {spent / seconds:.0%} of the step: ", end="")
        print(f"{products / spent / 1e9:.0f} GFLOP/s in their own shapes; most in")
        for dot in sorted(took, key=lambda dot: (-took[dot], dot))[: PARTS // 2]:
            shape = " by ".join("[" + ", ".join(map(str, size)) + "]" for size in (dot.left, dot.right))
            print(f"    {shape:46}{took[dot] * 1e3:7.3f} ms: {dot.flops / dots[dot] / 1e9:.0f} GFLOP/s")
    for name, least, flops, bytes_ in parts(done, limits.product, bandwidth):
        told = f"{flops / 1e9:5.2f} GFLOP, " if counted else ""
        print(f"    {name:46}{least * 1e3:7.3f} ms at least: {told}{bytes_ / 1e9:5.2f} GB")
    sys.stdout.flush()


def products_alone(done: list[Work], dots: Mapping[Dot, float]) -> dict[Dot, float]:
    """Seconds of all runs of each product in a step, by what it takes by itself."""
    spent: dict[Dot, float] = defaultdict(float)
    for one in done:
        for dot in one.dots:
            spent[dot] += one.times * dots[dot] / steps_here()
    return spent


def bound_of(products: float, moved: float, seconds: float, limits: Limits) -> tuple[str, float, float]:
    """What bounds a step that takes so long, the seconds it must take, and the bytes a second it moves at most."""
    place = "memory" if moved / limits.memory <= seconds else "caches"
    bandwidth = getattr(limits, place)
    moving, computing = moved / bandwidth, products / limits.product
    return ("compute" if computing >= moving else place), max(computing, moving), bandwidth


def parts(done: list[Work], speed: float, bandwidth: float) -> list[tuple[str, float, float, float]]:
    """The largest parts by the time that each of their instructions takes at least: seconds, products, bytes."""
    sums: dict[str, np.ndarray] = defaultdict(lambda: np.zeros(3))
    for one in done:
        least = max(one.products / speed, one.bytes / bandwidth)
        sums[part(one.scope)] += np.array([least, one.products, one.bytes]) / steps_here()
    largest = sorted(sums.items(), key=lambda named: -named[1][0])[:PARTS]
    return [(name, *values.tolist()) for name, values in largest]


def part(scope: str) -> str:
    """Which part of a step an operation belongs to, from where in the source it comes."""
    within = re.search(r"(transpose\()?jvp\(Network\)+/(.*)", scope)
    if within is None:
        return "loss" if "jvp" in scope else "gathering rows, clipping, Adam"
    way = "backward" if within[1] else "forward"
    steps = [
        step for step in within[2].split("/")[:-1] if not step.startswith(("jit(", "while", "body", "closed_call"))
    ]
    return f"{way}: {'/'.join(steps[:2]) or 'embedding'}" + (", in the loop" if "_layer/while" in scope else "")


def by_hand(model: Model, batch: int, length: int, queries: int, classes: int) -> float:
    """Floating-point operations of an update's matrix products.

    A product of [n, D] by [D, G] takes 2 n D G, and its two gradients as much each. A recurrent layer of g gates has
    two of D by g D a step; a block of attention 4 of D by D and 2 of D by r D, HSTU's 5; and for each step and
    each of `length` keys a product of 2 D for its logit and one for its value.
    """
    steps, width = batch * length, model.width
    square, attended = 2 * steps * width * width, 4 * steps * length * width

    def recurrent(cell: Cell) -> int:
        return 2 * cell.gates * square

    if isinstance(model, Transformer):
        encoder = model.layers * ((4 + 2 * model.mlp_ratio) * square + attended)
    elif isinstance(model, HSTU):
        encoder = model.layers * (5 * square + attended) + model.recurrent * recurrent(CELL)
    else:
        assert isinstance(model, RecurrentModel)
        encoder = model.layers * recurrent(model.cell)
    return 3 * (2 * queries * width * classes + encoder)


if __name__ == "__main__":
    command("roofline", Asked, main, __doc__)
