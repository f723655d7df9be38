r"""How time and memory grow: with users, length of histories, items, categories,
width, cells and devices, each doubled.

`users`: an epoch of the main job's shop of so many users, and laying the shop
out as histories, rows and queries. `items`: an update of a next-item model by
full and by sampled softmax, on the log of `benchmarks.catalogue`. All other
axes: an update on full rows of ids (`benchmarks.shared.packed`), where one thing
doubles and the rest stays. `devices` share one batch whose size stays, so that
more of them than cores can only cost. Each size, and of `items` each softmax,
is a process of its own. Its memory is the most that it holds, with Python and
the libraries, once it has compiled; of `users` while the shop is laid out
(`laid out GB`), and in all, compiling included (`GB`). Linux tells of it.

The exponent e of cost ~ size^e is fitted to the larger sizes, where fixed costs
weigh little: 1 is linear. Of memory, most of which is Python and the libraries,
it is that of b + a size^e, of all sizes. Of attention over the length and of
products by [width, width] 2 is due, and less is reached while other parts weigh
more.

Run:
    OMP_WAIT_POLICY=passive python -m benchmarks.scaling \
        --axes length width --figure scaling.png
"""

import json
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median
from typing import Any, Literal, get_args

import numpy as np

from benchmarks.shared.clock import RUNS, seconds
from benchmarks.shared.command import command, require, require_folder
from benchmarks.shared.memory import forget, resident
from benchmarks.shared.packed import IDS

Axis = Literal["users", "length", "items", "categories", "width", "cells", "devices"]
AXES: dict[Axis, tuple[int, int]] = {
    "users": (500, 1),
    "length": (25, 2),
    "items": (2_000, 1),
    "categories": (250, 1),
    "width": (16, 2),
    "cells": (1, 1),
    "devices": (1, 0),
}
"""The smallest size, and the exponent that is due at most."""
RECURRENT = {"length": 1}
"""What is due of an LSTM where it is less."""
Objective = Literal["softmax", "sampled"]
OBJECTIVES: tuple[Objective, ...] = get_args(Objective)
SHAPE = {"length": 50, "categories": 100, "width": 64, "cells": 1, "devices": 1}
BATCH = 64
Name = Literal["LSTM", "Transformer"]
FITTED = 3
"""How many of the largest sizes are fitted."""
UPDATES = 4
LITTLE = 0.01
"""GB that may come and go from one process to the next."""
SLACK = 0.15
"""How far above what is due an exponent may lie and not be remarked on."""

COLUMNS = 4
"""Axes beside each other in the figure."""
STYLES = ("-", "--", ":")

Point = tuple[int, dict[str, float]]
"""A size and what it cost."""


@dataclass(frozen=True)
class Asked:
    """What grows."""

    axes: tuple[Axis, ...] = get_args(Axis)
    """What to double, a table for each and each model."""
    models: tuple[Name, ...] = get_args(Name)
    """Models to measure."""
    doublings: int = 4
    """How often the smallest size is doubled."""
    figure: Path | None = None
    """Where to draw all axes, as PNG."""
    alone: int | None = None
    """Measure the first model at this size of the first axis, in this process."""
    objective: Objective = "softmax"
    """The softmax to train by, with --alone and the axis `items`."""

    def __post_init__(self) -> None:
        require(self, "axes", "models", doublings=1, alone=1)
        if self.figure is not None:
            require_folder("--figure", self.figure.parent)


def main(asked: Asked) -> None:
    """Print a table for each axis, and draw them all."""
    if asked.alone is not None:
        print(json.dumps(measure(asked.axes[0], asked.alone, asked.models[0], asked.objective)))
        return
    found = {(axis, model): sweep(axis, model, asked.doublings) for axis in asked.axes for model in asked.models}
    if asked.figure is not None:
        draw(found, asked.figure)


def sweep(axis: Axis, model: Name, doublings: int) -> list[Point]:
    """All sizes of an axis, each in a process of its own, as a table that ends with exponents."""
    smallest, points = AXES[axis][0], []
    print(f"\n{axis}, {model}")
    for size in (smallest << doubling for doubling in range(doublings + 1)):
        costs: dict[str, float] = {}
        # Apart, since a process tells only the most that it ever held: the larger of the two.
        for objective in OBJECTIVES if axis == "items" else OBJECTIVES[:1]:
            costs |= measure_in_process(axis, size, model, objective)
        points.append((size, costs))
        print(f"  {size:>8,}" + "".join(f"  {name} {cost:10.4f}" for name, cost in points[-1][1].items()), flush=True)
    for name in points[0][1]:
        exponent = fit_exponent(points, name)
        print(f"  {name} ~ {axis}^{exponent:.2f}{remark(exponent, axis, model)}", flush=True)
    return points


def measure_in_process(axis: Axis, size: int, model: Name, objective: Objective) -> dict[str, float]:
    """What one size cost, measured by a process that does nothing else."""
    alone = [sys.executable, "-m", "benchmarks.scaling", "--axes", axis, "--models", model, "--alone", str(size)]
    alone += ["--objective", objective]
    done = subprocess.run(alone, check=True, stdout=subprocess.PIPE, text=True)
    return json.loads(done.stdout.splitlines()[-1])


def remark(exponent: float, axis: Axis, model: Name) -> str:
    """Words where a cost grows faster than is due of the model."""
    due = AXES[axis][1] if model == "Transformer" else RECURRENT.get(axis, AXES[axis][1])
    return f", above the {due} that is due" if exponent > due + SLACK else ""


def fit_exponent(points: list[Point], name: str) -> float:
    """The exponent of a cost, over the larger sizes; of memory, of what grows of it, 0 where hardly any does."""
    sizes, costs = (np.array(column) for column in zip(*((size, cost[name]) for size, cost in points), strict=True))
    if not name.endswith("GB"):
        return float(np.polyfit(np.log(sizes[-FITTED:]), np.log(costs[-FITTED:]), 1)[0])
    if np.ptp(costs) <= LITTLE:
        return 0.0

    def missed(exponent: float) -> float:
        terms = np.stack([np.ones(len(sizes)), (sizes / sizes[-1]) ** exponent], 1)
        return float(np.square(terms @ np.linalg.lstsq(terms, costs)[0] - costs).sum())

    return float(min(np.arange(0.05, 3, 0.01), key=missed))


def measure(axis: Axis, size: int, model: Name, objective: Objective) -> dict[str, float]:
    """Seconds, and GB held at most, of this process."""
    memory = "GB"
    if axis == "users":
        spent = of_shop(size, model)
    elif axis == "items":
        spent, memory = {objective: of_items(size, model, objective)}, f"{objective} GB"
    else:
        spent = {"seconds": of_update(axis, size, model)}
    return spent | {memory: resident("VmHWM")}


def of_update(axis: Axis, size: int, model: Name) -> float:
    """Median seconds of an update of all cells."""
    import jax

    shape = SHAPE | {axis: size}
    jax.config.update("jax_num_cpu_devices", shape["devices"])

    from benchmarks.shared.packed import packed_rows, stepper, steps_here
    from lab import models
    from lab.training.devices import Layout

    rng, length, classes = np.random.default_rng(0), shape["length"], shape["categories"]
    rows = packed_rows(list(rng.integers(1, IDS + 1, (BATCH, length))), rng.integers(0, classes, BATCH), length)
    layout = Layout("batch" if axis == "devices" else "cells", tuple(jax.local_devices()), shape["cells"])
    step = stepper(getattr(models, model)(width=shape["width"]), rows, IDS, classes, BATCH, layout)
    step()
    forget()
    return seconds(step, compiles=False) / steps_here()


def of_items(items: int, model: Name, objective: Objective) -> float:
    """Seconds of an update that predicts the next of so many items."""
    import tempfile

    from benchmarks.catalogue import declared
    from benchmarks.judging import dataset
    from lab import models
    from lab.experiment.cells import grid
    from lab.running.assembly import assemble
    from lab.running.backend import prepare_backend
    from lab.running.estimate import Trial

    experiment = declared(items, objective, getattr(models, model)(width=SHAPE["width"]))
    (cell,) = (cell for cell in grid(experiment, "none", False) if cell.kind == "model")
    with tempfile.TemporaryDirectory() as folder:
        prepare_backend(Path(folder))
        data = dataset(experiment, Path(folder))
    assembly = assemble(experiment, data, experiment.models[0], [cell])
    assert assembly.program.steps >= UPDATES  # or the rest of them would be no updates, and be timed as such
    trial = Trial(data, assembly)
    trial.start()
    trial.steps(1)
    forget()
    return median(trial.steps(UPDATES) for _ in range(RUNS)) / UPDATES


def of_shop(users: int, model: str) -> dict[str, float]:
    """Seconds of laying a shop of so many users out, and of an epoch and of judging the same queries."""
    import tempfile

    from benchmarks.judging import dataset, epoch
    from lab.data.sources import SyntheticShop
    from lab.experiment.cells import grid
    from lab.experiment.loading import load_experiment
    from lab.running.backend import prepare_backend

    shipped, _ = load_experiment(Path("experiments/lstm_vs_transformer.py"))
    experiment = replace(shipped, source=SyntheticShop(users=users, days=180))
    with tempfile.TemporaryDirectory() as folder:
        prepare_backend(Path(folder))
        forget()
        begun = time.perf_counter()
        data = dataset(experiment, Path(folder))
        laid, laid_held = time.perf_counter() - begun, resident("VmHWM")
    cells = (c for c in grid(experiment, "none", False) if c.kind == "model" and c.features == "full")
    cell = next(c for c in cells if type(c.settings).__name__ == model)
    trained, judged = epoch(experiment, data, cell.settings, cell)  # type: ignore[arg-type]
    return {"laid out": laid, "trained": trained, "judged": judged, "laid out GB": laid_held}


def draw(found: Mapping[tuple[str, str], list[Point]], path: Path) -> None:
    """A panel of seconds and below it one of memory for each axis, all scales logarithmic, with exponents."""
    from matplotlib.figure import Figure

    axes = list(dict.fromkeys(axis for axis, _ in found))
    columns = min(COLUMNS, len(axes))
    blocks = -(-len(axes) // columns)
    figure = Figure(figsize=(3.1 * columns, 5.2 * blocks), layout="constrained")
    grid = figure.subplots(2 * blocks, columns, squeeze=False)
    for axis, model in found:
        block, column = divmod(axes.index(axis), columns)
        for held, panel in enumerate(grid[2 * block : 2 * block + 2, column]):
            _draw_lines(panel, found[axis, model], model, bool(held))
            panel.set_xlabel(axis)
    for panel in grid.flat:
        if panel.lines:
            _finish(panel)
        else:
            panel.remove()
    figure.savefig(path, dpi=130)


def _draw_lines(panel: Any, points: list[Point], model: str, held: bool) -> None:
    """Either a model's seconds or what it holds: its colour, and a kind of line for each part of the work."""
    names = [name for name in points[0][1] if name.endswith("GB") is held]
    for name, style in zip(names, STYLES, strict=False):
        label = " ".join((model, name.removesuffix("GB").removesuffix("seconds"))).strip()
        panel.plot(
            [size for size, _ in points],
            [cost[name] for _, cost in points],
            style,
            color=f"C{get_args(Name).index(model)}",
            marker="o",
            markersize=3,
            label=f"{label}: {fit_exponent(points, name):.2f}",
        )
    panel.set_ylabel("GB at most" if held else "seconds")


def _finish(panel: Any) -> None:
    """Scales, ticks that a reader can place, and room for the legend above the lines."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    panel.set(xscale="log", yscale="log")
    sizes = sorted({int(size) for line in panel.lines for size in line.get_xdata()})
    panel.set_xticks(sizes, [f"{size:,}" for size in sizes], fontsize=7)
    panel.set_xticks([], minor=True)
    lowest, highest = panel.get_ylim()
    panel.set_ylim(lowest, highest * (highest / lowest) ** (0.12 * (2 + len(panel.lines))))
    panel.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    panel.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    panel.yaxis.set_minor_formatter(NullFormatter())
    panel.tick_params(labelsize=7)
    panel.grid(alpha=0.3)
    panel.legend(fontsize=7, title="exponent", title_fontsize=7, loc="upper left")


if __name__ == "__main__":
    command("scaling", Asked, main, __doc__)
