r"""Tokens per second of a training step: each of the lab's models beside the same
model in PyTorch.

Both embed ids, encode them, normalise and classify the last step of each
history by a softmax, with dropout 0.1, clipping and AdamW. Contenders take
turns, so that whatever else the machine does hits all alike.

On CPU `one device` is one of JAX's CPU devices, which uses what cores are free
for its matrix products; `split` shares each batch between a device for every
core; `cells` trains a cell on each, as a grid does. PyTorch runs with one
thread and with a thread for every core, and the better of the two is what the
lab is compared with: the better of the first two, which train one model as
PyTorch does, and apart from it `cells`.

On a GPU the lab trains each of `--cells` side by side as one program; PyTorch
trains one model as written, and as a CUDA graph of its whole update, and the
better of the two is what the lab is compared with. Both take the matrix units'
short float32 (TF32) for float32, and bfloat16 with float32 parameters where
asked.

First BATCH rows of LENGTH ids, all full, and CLASSES classes. Then histories of
logs, each cut to its last LONGEST events: PyTorch has a row for each history,
padded to LONGEST behind; the lab packs them into rows of LONGEST. The events
and labels are the same, a batch has as many places, and only events count as
tokens. Where PyTorch has a row for each history at each weekly cutoff, since
its label is another one then, it reads every event several times, and the lab
still once: `read again` says how often, of events that are among the last
LONGEST.

Needs:
    pip install -r benchmarks/requirements-torch.txt

Run (passive, since threads that wait actively take the cores from everything
else, PyTorch included, where other work runs):

    OMP_WAIT_POLICY=passive python -m benchmarks.training \
        --logs open_ecommerce data/open_ecommerce \
        online_retail data/online_retail taobao data/taobao

On a GPU:
    python -m benchmarks.training --dtypes float32 bfloat16
"""

# pyright: reportMissingImports=false

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from importlib.util import find_spec
from itertools import pairwise
from typing import Literal

import jax
import numpy as np

from benchmarks.roofline import in_turn
from benchmarks.shared.command import command, require
from benchmarks.shared.packed import BATCH, CLASSES, IDS, LENGTH, MODELS, Dtype, Name, packed_rows, stepper, steps_here
from benchmarks.shared.ratios import CELLS, ratios, read_again
from lab.core.errors import InputError
from lab.data.log.cache import prepare_log
from lab.data.rows.batch import Rows
from lab.data.sources import OnlineRetail, OpenEcommerce, SyntheticShop, Taobao
from lab.models.base import Model
from lab.running.backend import prepare_backend
from lab.training.devices import Layout

LONGEST = 200
Public = Literal["open_ecommerce", "online_retail", "taobao"]
SOURCES = {"open_ecommerce": OpenEcommerce, "online_retail": OnlineRetail, "taobao": Taobao}

Contenders = dict[str, tuple[Callable[[], None], int]]
"""What to time, and how many tokens a call trains on."""


@dataclass(frozen=True)
class Asked:
    """What to compare."""

    logs: tuple[tuple[Public, str], ...] = ()
    """Public logs that lie on this machine, names and folders; SyntheticShop is always taken."""
    rounds: int = 7
    """How often each contender has its turn."""
    models: tuple[Name, ...] = ()
    """Models to time. Default: all."""
    dtypes: tuple[Dtype, ...] = ("float32",)
    """Number formats that the networks compute in, one after the other."""
    cells: tuple[int, ...] = (1, 8, 32)
    """How many cells an accelerator trains side by side."""

    def __post_init__(self) -> None:
        require(self, "dtypes", rounds=1, cells=1)


def main(asked: Asked) -> None:
    """Print a table for equal shapes and one for each log."""
    if find_spec("torch") is None:
        raise InputError("PyTorch is not installed here: pip install -r benchmarks/requirements-torch.txt")
    from benchmarks.shared.pytorch import prepared

    prepare_backend(None)
    on = jax.devices()[0].device_kind
    print(f"{len(jax.devices())} devices ({on}), {prepared()}", flush=True)
    chosen = [model for model in MODELS if not asked.models or type(model).__name__ in asked.models]
    rng = np.random.default_rng(0)
    full = list(rng.integers(1, IDS + 1, (BATCH, LENGTH)))
    wanted = Wanted(chosen, asked.dtypes, tuple(sorted(set(asked.cells))), asked.rounds)
    compare(f"{BATCH} x {LENGTH}, all places full", full, LENGTH, wanted)
    for source in [SyntheticShop(users=2_000, days=180)] + [SOURCES[name](path=path) for name, path in asked.logs]:
        found = prepare_log(source)
        ids = np.asarray(found.item if found.category is None else found.category).astype(np.int64) % IDS + 1
        bounds = list(pairwise(found.offsets))
        histories = [ids[begin:stop][-LONGEST:] for begin, stop in bounds if stop > begin]
        again = read_again([np.asarray(found.time[begin:stop]) for begin, stop in bounds if stop > begin], LONGEST)
        compare(f"{source.name}, read again {again:.1f} times", histories, LONGEST, wanted)


@dataclass(frozen=True)
class Wanted:
    """What is compared."""

    models: list[Model]
    dtypes: tuple[Dtype, ...]
    cells: tuple[int, ...]
    rounds: int


def compare(name: str, histories: list[np.ndarray], length: int, wanted: Wanted) -> None:
    """Print a line for each model: tokens per second of each contender, and the lab's over PyTorch's best."""
    rng = np.random.default_rng(1)
    histories = [histories[i] for i in rng.permutation(len(histories))]
    labels = rng.integers(0, CLASSES, len(histories))
    rows = packed_rows(histories, labels, length)
    real = sum(len(history) for history in histories)
    batch = min(BATCH * LENGTH // length, rows.count)
    padded, filled = real / (len(histories) * length), real / (rows.count * length)
    print(f"\n{name}: {len(histories):,} histories; places filled: PyTorch {padded:.0%}, lab {filled:.0%}")
    print("thousand tokens/s")
    for model in wanted.models:
        for dtype in wanted.dtypes:
            contenders = of_torch(model, histories, labels, length, batch, dtype)
            contenders |= of_lab(model, rows, batch, filled, dtype, wanted.cells)
            show(model, dtype, measure(contenders, wanted.rounds))


def show(model: Model, dtype: Dtype, speeds: dict[str, float]) -> None:
    """A model's line."""
    lines = "  ".join(f"{name} {speed / 1e3:6.1f}" for name, speed in speeds.items())
    print(f"{type(model).__name__:12s}{dtype:9s} {lines}; lab / PyTorch ", end="")
    print(ratios(speeds, jax.devices()[0].platform == "cpu"), flush=True)


def of_torch(
    model: Model, histories: list[np.ndarray], labels: np.ndarray, length: int, batch: int, dtype: Dtype
) -> Contenders:
    """PyTorch on a batch of padded histories whose fill is that of the log."""
    from benchmarks.shared.pytorch import updating

    chosen = typical(np.array([len(history) for history in histories]), min(batch, len(histories)))
    ids = np.zeros((len(chosen), length), np.int64)
    for row, history in enumerate(histories[i] for i in chosen):
        ids[row, : len(history)] = history
    sizes, times = (ids > 0).sum(1), steps_here()
    device = "cpu" if jax.devices()[0].platform == "cpu" else "cuda"
    runs = updating(model, IDS, CLASSES, (ids, sizes - 1, labels[chosen]), dtype, device, times)
    return {name: (run, int(sizes.sum()) * times) for name, run in runs.items()}


def typical(sizes: np.ndarray, count: int) -> np.ndarray:
    """So many places, spread evenly over the sizes in order: a batch as full as the whole."""
    return np.argsort(sizes, kind="stable")[(np.arange(count) + 0.5).astype(np.int64) * len(sizes) // count]


def of_lab(model: Model, rows: Rows, batch: int, filled: float, dtype: Dtype, cells: tuple[int, ...]) -> Contenders:
    """The lab on packed rows: on CPU one device, a batch split over all, a cell on each; else cells side by side."""
    devices = tuple(jax.local_devices())
    if devices[0].platform != "cpu":
        layouts = {f"{count} cells": Layout("cells", devices[:1], count) for count in cells}
    else:
        layouts = {"one device": Layout("cells", devices[:1], 1)}
        if len(devices) > 1:
            layouts |= {"split": Layout("batch", devices, 1), CELLS: Layout("cells", devices, 1)}
        batch -= batch % len(devices)
    tokens = int(steps_here() * batch * rows.start.shape[1] * filled)

    def compiled(layout: Layout) -> Callable[[], None]:
        run = stepper(model, rows, IDS, CLASSES, batch, layout, dtype)
        run()
        return run

    with ThreadPoolExecutor() as pool:
        runs = list(pool.map(compiled, layouts.values()))
    return {
        name: (run, tokens * layout.cells_at_once) for (name, layout), run in zip(layouts.items(), runs, strict=True)
    }


def measure(contenders: Contenders, rounds: int) -> dict[str, float]:
    """Median tokens per second of each."""
    seconds = in_turn({name: run for name, (run, _) in contenders.items()}, rounds)
    return {name: tokens / seconds[name] for name, (_, tokens) in contenders.items()}


if __name__ == "__main__":
    command("training", Asked, main, __doc__)
