"""How long parts of a run take about, before any of them is timed: by their sizes, as measured on two cores.

Absolute numbers are those of one machine, and whoever has timed something corrects them (`lab.core.pace`); ratios
between models and kinds of work carry over. `python -m benchmarks.estimates` prints guesses and estimates beside the
truth.
"""

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lab.results.stages import DRAW, MIRROR, READ, TABLES

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

FIGURES = 10
"""That a report tries, for each of which it has something to draw or not."""
TABLE, COMPARISON = 1.0, 0.009
"""Seconds of the tables, and of each paired comparison of two rows in them."""
WRITING, FIGURE = 3.5, 0.85
"""Seconds to begin with a page, and of each figure in it."""
MIRRORING, MIRRORED = 4.0, 0.25
"""Seconds for which W&B's mirror is waited for, and that each cell's run takes from the cells beside it."""


def step_seconds(model: "Model", tokens: float, on_cpu: bool = True) -> float:
    """One core's, or one accelerator's, for an update of one cell by so many steps of rows."""
    layers = getattr(model, "layers", 1) * LAYER.get(type(model).__name__, LAYER["Transformer"])
    return TOKEN * tokens * layers * (model.width / WIDTH) ** POWER * (1.0 if on_cpu else ACCELERATED)


def fit_seconds(name: str, events: float) -> float:
    """To fit and judge a baseline, or the oracle."""
    return 0.03 + FIT.get(name.split()[0], BASELINE) * events


@dataclass(frozen=True)
class Closing:
    """What follows the cells: tables, figures and page where any are drawn, and W&B's mirror where there is one."""

    comparisons: int
    figures: int
    """0: no page."""
    mirrored: int
    """Cells that have W&B runs; 0: none."""

    def units(self) -> dict[str, float]:
        """Kind of work -> units, in their order."""
        return {
            TABLES: 1,
            **({READ: 1, DRAW: self.figures} if self.figures else {}),
            **({MIRROR: 1} if self.mirrored else {}),
        }

    def expected(self) -> dict[str, float]:
        """Kind of work -> seconds that one unit takes about."""
        tables = TABLE + COMPARISON * self.comparisons
        return {TABLES: tables, READ: WRITING, DRAW: FIGURE, MIRROR: MIRRORING}

    def seconds(self) -> float:
        """All of it, and by how much W&B's runs slow the cells."""
        each = self.expected()
        return sum(count * each[kind] for kind, count in self.units().items()) + MIRRORED * self.mirrored


def cores() -> int:
    """How many this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
