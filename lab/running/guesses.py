"""How long parts of a run take about, before any of them is timed: by their sizes, as measured on two cores.

Absolute numbers are those of one machine, and whoever has timed something corrects them (`lab.core.pace`); ratios
between models and kinds of work carry over. `python -m benchmarks.estimates` prints guesses and estimates beside the
truth.
"""

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lab.models.base import Model

TOKEN = 16e-6
"""Seconds of one core for one step of a row, forwards and backwards, through an LSTM of width WIDTH."""
WIDTH, POWER = 64, 1.5
"""Time rises with the width to this power: with the matrices, less what does not depend on them."""
LAYER = {"RNN": 0.7, "LSTM": 1.0, "GRU": 1.0, "Transformer": 1.1, "HSTU": 1.1}
"""A layer of each model beside an LSTM's; others are taken for a Transformer's."""
ACCELERATED = 0.05
"""What an accelerator takes of it."""

COMPILING, STARTING = 6.0, 0.5
"""Seconds of a program's first calls, and to begin the cells of a chunk."""
LOOKING = 0.4
"""Of a step's time per row, that a row takes which is looked at and not learned from."""
JUDGING = 25
"""Steps of training that judging a cell takes as long as."""

EVENT = 25e-6
"""Seconds to lay one event into rows."""
FIT = {"logistic": 1.6e-5, "oracle": 4e-6}
BASELINE = 1e-6
"""Seconds per event to fit and judge a baseline; other names take BASELINE."""

FIGURES = 8
"""That most reports have."""
COMPARISON, FIGURE, WRITING = 0.015, 0.8, 3.0
"""Seconds of a paired comparison of two rows, of a figure, and to begin with both."""
MIRRORED, MIRROR = 0.25, 4.0
"""Seconds that a cell's W&B run adds, and the mirror itself."""


def step_seconds(model: "Model", tokens: float, on_cpu: bool = True) -> float:
    """One core's, or one accelerator's, for an update of one cell by so many steps of rows."""
    layers = getattr(model, "layers", 1) * LAYER.get(type(model).__name__, LAYER["Transformer"])
    return TOKEN * tokens * layers * (model.width / WIDTH) ** POWER * (1.0 if on_cpu else ACCELERATED)


def fit_seconds(name: str, events: float) -> float:
    """To fit and judge a baseline, or the oracle."""
    return 0.03 + FIT.get(name.split()[0], BASELINE) * events


def closing_seconds(comparisons: int, figures: int, mirrored: int) -> float:
    """Tables and comparisons, figures and page where any are drawn, and what W&B's mirror still has to do."""
    page = WRITING + FIGURE * figures if figures else 0.0
    return 1.0 + COMPARISON * comparisons + page + (MIRROR + MIRRORED * mirrored if mirrored else 0.0)


def cores() -> int:
    """How many this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
