"""Next items on MovieLens-1M beside what papers have: leave-one-out, all 3,416 items ranked, what was taken left out.

Runs experiments/ml1m.py (or goes on with it; finished cells are kept) and prints, for each of its encoders, NDCG@10 and
HR@10 of the test over seeds, the same NDCG@10 on valid, by which everything was chosen, and the time of training; then
the seconds it took to the accuracies that papers report, by the looks at the valid split.

Run: python -m benchmarks.published --path ml-1m.txt [--seeds 3] [--only model=gru] [--out results] [--cache DIR]
The log: ml-1m.txt as https://github.com/kang205/SASRec has it under data/ (for research only).
"""

import argparse
import subprocess
import sys
from collections import defaultdict
from pathlib import Path

import numpy as np

from lab.cell_record import CellRecord
from lab.store import Store

PUBLISHED = (
    ("GRU4Rec", 0.155, 0.278, "RecBole's results"),
    ("GRU4Rec", 0.165, 0.281, "arXiv 2309.07602"),
    ("SASRec, one sampled negative", 0.126, 0.239, "its own loss (arXiv 1808.09781), as compared by others later"),
    ("SASRec, sampled softmax", 0.160, 0.285, "arXiv 2402.17152"),
    ("SASRec, softmax", 0.178, 0.306, "RecTools"),
    ("gSASRec", 0.173, 0.300, "arXiv 2308.07192"),
    ("BERT4Rec", 0.152, 0.282, "arXiv 2309.07602"),
    ("HSTU", 0.172, 0.310, "arXiv 2402.17152"),
    ("HSTU, large", 0.189, 0.329, "arXiv 2402.17152"),
    ("HSTU, large", 0.216, 0.364, "RecTools"),
)
"""Name, NDCG@10, HR@10 and where it stands."""

MARKS = (0.126, 0.160)
"""NDCG@10 to which the time is told."""


def run(arguments: argparse.Namespace) -> None:
    """The experiment, as its own command."""
    command = [sys.executable, "-m", "lab.run", "experiments/ml1m.py", "--source.path", arguments.path]
    command += ["--seeds", str(arguments.seeds), "--out", str(arguments.out), "--tracking.mode", "off"]
    command += ["--cache", str(arguments.cache)] if arguments.cache else []
    command += ["--only", *arguments.only] if arguments.only else []
    if subprocess.run(command, cwd=Path(__file__).parents[1], check=False).returncode:
        raise SystemExit("The run did not end well; what it said stands above.")


def reached(store: Store, cell: CellRecord, mark: float) -> float:
    """Seconds of training until a look at the valid split first saw that NDCG@10; NaN for never.

    Of all seconds of its training, in proportion to the steps: looks are as far apart.
    """
    curve = store.curve(cell.id)
    seen = np.flatnonzero(1 - curve["valid_loss"] >= mark)
    return cell.timing["train"] * curve["step"][seen[0]] / curve["step"][-1] if len(seen) else np.nan


def spread(values: list[float]) -> str:
    """`.1712 ±.0009`: mean and standard deviation over seeds."""
    return f"{np.mean(values):.4f}" + (f" ±{np.std(values, ddof=1):.4f}" if len(values) > 1 else "")


def show(store: Store) -> None:
    """Print our rows, the published ones and the times."""
    lines: dict[str, list[CellRecord]] = defaultdict(list)
    for cell in store.records():
        if cell.status == "done":
            lines[cell.model].append(cell)
    print(f"\n{'':34s}{'NDCG@10':>15s}{'HR@10':>15s}{'valid':>15s}{'seconds':>9s}")
    for name, cells in lines.items():
        ndcg, hr = ([cell.value("test", "all", metric) for cell in cells] for metric in ("ndcg@10", "hr@10"))
        trained = cells[0].kind == "model"
        valid = spread([1 - cell.value("valid", "all", "loss") for cell in cells]) if trained else ""
        seconds = f"{np.median([c.timing['train'] for c in cells]):.0f}" if trained else ""
        print(f"{name:34s}{spread(ndcg):>15s}{spread(hr):>15s}{valid:>15s}{seconds:>9s}")
    print("as published")
    for name, ndcg, hr, source in PUBLISHED:
        print(f"{name:34s}{ndcg:>15.3f}{hr:>15.3f}  {source}")
    print("\nmedian seconds of training to an NDCG@10 on valid of", *(f"{mark:.3f}{'':4s}" for mark in MARKS))
    for name, cells in lines.items():
        if cells[0].kind == "model":
            times = [np.median([reached(store, cell, mark) for cell in cells]) for mark in MARKS]
            print(f"{name:50s}", *(f"{time:8.0f}" if time == time else "   never" for time in times))


def main() -> None:
    assert __doc__ is not None
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--path", required=True, help="the log: `user item` lines in order")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--only", nargs="*", default=[], help="some cells, such as model=gru")
    parser.add_argument("--out", type=Path, default=Path("results"))
    parser.add_argument("--cache", type=Path, help="where the prepared log is kept")
    arguments = parser.parse_args()
    run(arguments)
    show(Store(arguments.out / "ml1m"))


if __name__ == "__main__":
    main()
