"""Where a training step's time goes: what it computes and moves, against what this machine does at its barest.

Each of the lab's models makes the step that `benchmarks.training` times (256 rows of 50 ids, 100 classes), on one
device. Floating-point operations and bytes are counted from the compiled program (`benchmarks.hlo`), each loop as often
as it runs; matrix products are checked against a formula written out by hand, and XLA's own count, which takes each
loop once, stands beside. The machine's limits are a bare float32 matrix product and bare copies, of an array that fits
no cache and of one that does, timed in turn with the steps.

A step cannot take less than its operations at the product's speed, nor than its bytes at a copy's. The longer of the
two bounds it; `reached` is that bound over the time it takes. Bytes are what instructions read and write; where a step
takes less than they would take from memory, they came from caches, and that copy is the limit. What is no matrix
product (dropout's random bits, tanh, Adam) has no limit of its own here, and is what a low share points at.

Run: OMP_WAIT_POLICY=passive python -m benchmarks.roofline [--rounds 7] [--models LSTM]
"""

import re
import sys
import time
from collections import defaultdict
from collections.abc import Callable
from statistics import median
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import tyro

from benchmarks.hlo import Work, work
from benchmarks.packed import BATCH, CLASSES, IDS, LENGTH, MODELS, STEPS, Stepper, packed_rows, stepper
from lab.models import Transformer
from lab.models.base import Model
from lab.models.recurrence import RecurrentModel
from lab.training.devices import Layout, use_all_cores

PRODUCT = 2048
"""Sides of the bare matrices."""
COPIES = {"memory": (32 << 20, 1), "caches": (64 << 10, 512)}
"""Elements of a bare copy, and how often it is made in one call."""
PARTS = 6
"""How many parts of a step are shown."""


def main(rounds: int = 7, models: tuple[str, ...] = ()) -> None:
    """Print the machine's limits, then each model's step and its largest parts.

    Args:
        rounds: How often each is timed; medians are shown.
        models: Which models (default: all).
    """
    use_all_cores()
    chosen = [model for model in MODELS if not models or type(model).__name__ in models]
    layout = Layout("cells", tuple(jax.local_devices())[:1], 1)
    rng = np.random.default_rng(0)
    rows = packed_rows(list(rng.integers(1, IDS + 1, (BATCH, LENGTH))), rng.integers(0, CLASSES, BATCH), LENGTH)
    steps = {type(model).__name__: stepper(model, rows, IDS, CLASSES, BATCH, layout) for model in chosen}
    bare = {"product": bare_product()} | {name: bare_copy(*sizes) for name, sizes in COPIES.items()}
    seconds = in_turn(bare | steps, rounds)
    copied = {name: 2 * 4 * size * times / seconds[name] for name, (size, times) in COPIES.items()}
    limits = Limits(2 * PRODUCT**3 / seconds["product"], **copied)
    print(f"{layout.devices[0].device_kind}: {limits}")
    for model, name in zip(chosen, steps, strict=True):
        show(model, steps[name], seconds[name] / STEPS, limits)


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


def bare_product() -> Callable[[], object]:
    """A float32 product of two square matrices."""
    square = jnp.ones((PRODUCT, PRODUCT), jnp.float32)
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


def show(model: Model, step: Stepper, seconds: float, limits: Limits) -> None:
    """A model's counts, its bound and how much of it is reached, and its largest parts."""
    compiled = step.compiled()
    done = work(compiled.as_text())
    products, others, moved = (sum(getattr(w, n) for w in done) / STEPS for n in ("products", "others", "bytes"))
    formula, own = by_hand(model, BATCH, LENGTH, BATCH, CLASSES), compiled.cost_analysis()
    bound, least, bandwidth = bound_of(products, moved, seconds, limits)
    print(
        f"\n{type(model).__name__}: {seconds * 1e3:.1f} ms a step, at least {least * 1e3:.1f} ms by {bound}: ", end=""
    )
    print(f"{least / seconds:.0%} reached; products alone use {products / limits.product / seconds:.0%} of the machine")
    print(f"  products {products / 1e9:.2f} GFLOP ({products / formula - 1:+.1%} of the formula), ", end="")
    print(f"others {others / 1e9:.2f}, {moved / 1e9:.2f} GB moved", end="")
    print(f" (XLA, loops once: {own['flops'] / 1e9:.2f} GFLOP, {own['bytes accessed'] / 1e9:.2f} GB)")
    for name, least, flops, bytes_ in parts(done, limits.product, bandwidth):
        print(f"    {name:46}{least * 1e3:7.2f} ms at least: {flops / 1e9:5.2f} GFLOP, {bytes_ / 1e9:5.2f} GB")
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
        sums[part(one.scope)] += np.array([least, one.products, one.bytes]) / STEPS
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
    two of D by g D a step; a block of attention 4 of D by D and 2 of D by r D, and for each step and each of `length`
    keys a product of 2 D for its logit and one for its value.
    """
    steps, width = batch * length, model.width
    head = 2 * queries * width * classes
    if isinstance(model, Transformer):
        block = 2 * steps * width * width * (4 + 2 * model.mlp_ratio) + 4 * steps * length * width
        return 3 * (head + model.layers * block)
    assert isinstance(model, RecurrentModel)
    return 3 * (head + model.layers * 2 * 2 * steps * width * model.cell.gates * width)


if __name__ == "__main__":
    tyro.cli(main)
