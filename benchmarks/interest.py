"""Whether learned models beat what is known of a user anyway: paired differences over the queries of a finished run.

Of every model and feature set, at each horizon and slice: its NDCG@10 over all folds and seeds, what it has more
than a baseline's, and how many times recent popularity's. Intervals are over users (95 %), pairing query by query.

Run: python benchmarks/interest.py results/open_ecommerce [baseline, decayed by default]
"""

import sys
from collections import defaultdict
from pathlib import Path

import numpy as np

from lab.cell_record import CellRecord
from lab.statistics.intervals import Interval, over_users
from lab.store import Store

METRIC = "ndcg@10"
SLICES = ("all", "repeat", "novel")
Who = tuple[str, str]
"""A model and its feature set."""


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


def said(interval: Interval | None) -> str:
    return "-" if interval is None else f"{interval.mean:+.4f} ({interval.low:+.4f} to {interval.high:+.4f})"


def show(store: Store, baseline: str) -> None:
    """Print a line for each model, feature set, horizon and slice."""
    cells: dict[tuple[float, Who], list[CellRecord]] = defaultdict(list)
    for cell in store.records():
        if cell.status == "done" and cell.kind != "oracle":
            cells[cell.horizon, (cell.model, cell.features)].append(cell)
    print(f"{'model':24s}{'days':>5s}  {'slice':7s}{METRIC:>8s}  {'more than ' + baseline:28s}{'x popularity':>14s}")
    for (horizon, who), mine in sorted(cells.items()):
        for part in SLICES:
            own, base, popular = (
                per_query(store, cells[horizon, other] if other else mine, part)
                for other in (None, (baseline, ""), ("popularity", ""))
            )
            value, against, user = paired(own, base)
            more = over_users(value - against, user, np.random.default_rng(0), bca=False)
            value, against, _ = paired(own, popular)
            ratio = value.mean() / against.mean()
            name = " · ".join(filter(None, who))
            print(f"{name:24s}{horizon:5g}  {part:7s}{value.mean():8.4f}  {said(more):28s}{ratio:14.2f}")


def main() -> None:
    """Read the folder that is named."""
    if len(sys.argv) not in (2, 3):
        sys.exit(__doc__)
    show(Store(Path(sys.argv[1])), sys.argv[2] if len(sys.argv) == 3 else "decayed")


if __name__ == "__main__":
    main()
