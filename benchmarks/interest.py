"""Whether learned models beat what is known of a user anyway: paired
differences over the queries of a finished run.

Of every model and feature set, at each horizon and slice: its NDCG@10 over all
folds and seeds, what it has more than a baseline's, and how many times recent
popularity's. Intervals are over users (95 %), pairing query by query.

Run:
    python -m benchmarks.interest results/open_ecommerce logistic
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
import tyro

from benchmarks.shared.command import command
from benchmarks.shared.finished import baseline_of, done_cells
from lab.evaluation.familiarity import SLICES
from lab.experiment.cell_record import CellRecord
from lab.results.conclusions import span
from lab.results.store import Store
from lab.statistics.intervals import Interval, over_users
from lab.targets.interest.measures import MEASURES

Who = tuple[str, str]
"""A model and its feature set."""

METRIC = MEASURES.leading


def per_query(store: Store, cells: list[CellRecord], part: str) -> dict[tuple[int, int], float]:
    """The metric of each (user, cutoff), averaged over the seeds."""
    found = defaultdict(list)
    for cell in cells:
        table = store.users(cell.id)
        inside = table["slice"] == part
        keys = zip(table["user"][inside].tolist(), table["cutoff"][inside].tolist(), strict=True)
        for key, value in zip(keys, table[METRIC][inside].tolist(), strict=True):
            if not np.isnan(value):
                found[key].append(value)
    return {key: float(np.mean(values)) for key, values in found.items()}


def paired(one: dict, other: dict) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Values of both at the queries they share, and the users who were asked."""
    keys = sorted(one.keys() & other.keys())
    return np.array([one[k] for k in keys]), np.array([other[k] for k in keys]), np.array([k[0] for k in keys])


def interval_text(interval: Interval | None) -> str:
    return "-" if interval is None else f"{interval.mean:+.4f} ({interval.low:+.4f} to {interval.high:+.4f})"


def show(store: Store, records: Sequence[CellRecord], baseline: str) -> None:
    """Print a line for each model, feature set, horizon and slice that has queries."""
    cells: dict[tuple[float, Who], list[CellRecord]] = defaultdict(list)
    for cell in records:
        cells[cell.horizon, (cell.model, cell.features)].append(cell)
    print(f"{'model':24s}{'next':>8s}  {'slice':7s}{METRIC:>8s}  {'more than ' + baseline:28s}{'x popularity':>14s}")
    for (horizon, who), mine in sorted(cells.items()):
        for part in SLICES:
            own, base, popular = (
                per_query(store, cells[horizon, other] if other else mine, part)
                for other in (None, (baseline, ""), ("popularity", ""))
            )
            value, against, user = paired(own, base)
            if not len(value):
                continue
            more = over_users(value - against, user, bca=False)
            begin = f"{' · '.join(filter(None, who)):24s}{span(horizon):>8s}  {part:7s}{value.mean():8.4f}"
            print(f"{begin}  {interval_text(more):28s}{times(own, popular):>14s}")


def times(own: dict, other: dict) -> str:
    """How many times another's metric it has at the queries they share; a dash where there is none."""
    value, against, _ = paired(own, other)
    return f"{value.mean() / against.mean():.2f}" if len(against) and against.any() else "-"


@dataclass(frozen=True)
class Asked:
    """What to compare."""

    results: tyro.conf.Positional[Path]
    """Folder of a finished run."""
    baseline: Annotated[str | None, tyro.conf.Positional, tyro.conf.arg(metavar="[BASELINE]")] = None
    """The baseline to compare models with. Default: decayed, or the best that the run has."""


def main(asked: Asked) -> int:
    """Print the lines."""
    store, cells = done_cells(asked.results)
    show(store, cells, baseline_of(cells, asked.baseline))
    return 0


if __name__ == "__main__":
    command("interest", Asked, main, __doc__)
