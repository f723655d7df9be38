"""Where a training step's time goes: what it computes and moves, against what this machine does at its barest.

Each of the lab's encoders makes the step that `benchmarks.training` times (256 rows of 50 ids, 100 classes), on one
device, for one cell or for several side by side. Floating-point operations and bytes are counted from the compiled
program (`benchmarks.hlo`), each loop as often as it runs; matrix products are checked against a formula written out by
hand, and XLA's own count, which takes each loop once, stands beside. The machine's limits are a bare matrix product in
the step's own numbers and bare copies, of an array that fits no cache and of one that does, timed in turn with the
steps.

A step cannot take less than its operations at the product's speed, nor than its bytes at a copy's. The longer of the
two bounds it; `reached` is that bound over the time it takes. Bytes are what instructions read and write; where a step
takes less than they would take from memory, they came from caches, and that copy is the limit. What is no matrix
product (dropout's random bits, tanh, Adam) has no limit of its own here, and is what a low share points at.

On a GPU products go to libraries, whose calls do not tell in the program what they compute: there the formula counts,
and the share that products alone use is the model FLOP utilisation, of the bare product's speed.

Run: OMP_WAIT_POLICY=passive python -m benchmarks.roofline [--rounds 7] [--models LSTM]
On a GPU: python -m benchmarks.roofline --dtype bfloat16 --cells 32
"""

import re
import sys
import time
from collections import defaultdict
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from statistics import median
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import tyro

from benchmarks.hlo import Work, work
from benchmarks.packed import (
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
from lab.backend import prepare_backend
from lab.models import HSTU, Transformer
from lab.models.base import Model
from lab.models.gru import CELL
from lab.models.recurrence import Cell, RecurrentModel
from lab.training.devices import Layout

PRODUCT = {"cpu": 2048, "gpu": 8192}
"""Sides of the bare matrices."""
COPIES = {
    "cpu": {"memory": (32 << 20, 1), "caches": (64 << 10, 512)},
    "gpu": {"memory": (256 << 20, 8), "caches": (3 << 20, 512)},
}
"""float32 elements of a bare copy, and how often it is made in one call."""
PARTS = 6
"""How many parts of a step are shown."""


def main(
    rounds: int = 7, models: tuple[EncoderName, ...] = (), cells: int = 1, dtype: Dtype = "float32", width: int = 64
) -> None:
    """Print the machine's limits, then each model's step and its largest parts.

    Args:
        rounds: How often each is timed; medians are shown.
        models: Which models (default: all).
        cells: How many cells are trained in a step, side by side where the device is no CPU.
        dtype: What the networks compute in.
        width: Of the models.
    """
    prepare_backend(None)
    chosen = [replace(model, width=width) for model in ENCODERS if not models or type(model).__name__ in models]
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
    print(f"{layout.devices[0].device_kind}, {dtype}, {cells} cell(s) of width {width}: {limits}")
    for model, (name, compiled) in zip(chosen, zip(steps, texts, strict=True), strict=True):
        show(model, compiled, seconds[name] / steps_here(), limits, cells, platform == "cpu")


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


def in_turn(contenders: dict[str, Callable[[], object]], rounds: int) -> dict[str, float]:
    """Median seconds of a call of each, after one that does not count."""
    seconds: dict[str, list[float]] = {name: [] for name in contenders}
    for _ in range(rounds):
        for name, run in contenders.items():
            run()
            begun = time.perf_counter()
            run()
            seconds[name].append(time.perf_counter() - begun)
    return {name: median(spent) for name, spent in seconds.items()}


def show(model: Model, compiled: Any, seconds: float, limits: Limits, cells: int, counted: bool) -> None:
    """A model's counts, its bound and how much of it is reached, and its largest parts.

    `counted`: whether the program's own products count, or else the formula."""
    done, times = work(compiled.as_text()), steps_here()
    products, others, moved = (sum(getattr(w, n) for w in done) / times for n in ("products", "others", "bytes"))
    formula, own = cells * by_hand(model, BATCH, LENGTH, BATCH, CLASSES), compiled.cost_analysis()
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
    for name, least, flops, bytes_ in parts(done, limits.product, bandwidth):
        told = f"{flops / 1e9:5.2f} GFLOP, " if counted else ""
        print(f"    {name:46}{least * 1e3:7.3f} ms at least: {told}{bytes_ / 1e9:5.2f} GB")
    sys.stdout.flush()


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
    tyro.cli(main)
