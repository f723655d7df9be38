r"""Next items on MovieLens-1M beside what papers have: leave-one-out, all 3,416
items ranked, what was taken left out.

Runs experiments/ml1m.py (or goes on with it; finished cells are kept) and
prints, for each of its encoders, NDCG@10 and HR@10 of the test over seeds, and
the same NDCG@10 on valid, by which everything was chosen. Only cells that the
experiment plans as it stands now are read; what lies beside them, of older code
or other settings, is not.

`share, s` is the median over seeds of a cell's share of training: the seconds
in which it was trained together with others, compiling and looks at the valid
split included, divided by their number. Where two seeds train at once on two
cores, that is half of the seconds that passed; alone on both a model would take
something between. The share until an NDCG@10 that papers report is taken in
proportion to the steps, by the looks at the valid split, as if compiling, which
comes first, were spread over all of them: so it is too low, most of all for
early looks. A seed that never gets there counts as infinitely long in the
median. --figure draws each seed's accuracy on valid against those seconds, and
beside it whatever epochs `benchmarks.peers --log ml-1m.txt --curves FILE.csv`
wrote, whose seconds passed on a clock and which ranks what a user took before
too. The dashed lines are what was wanted, .126 within 8 minutes and .160 within
25, each with a stroke at its time. What papers report is of the test, where a
model of the lab has a little less than on valid: the times are to that height,
not to that accuracy on the test.

Run:
    python -m benchmarks.published --path ml-1m.txt --only model=gru
    python -m benchmarks.published --path ml-1m.txt \
        --figure seconds.png --beside gru.csv sasrec.csv

Without --path it prints what is published alone. The log: ml-1m.txt as
https://github.com/kang205/SASRec has it under data/ (for research only).
"""

import csv
import subprocess
import sys
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from math import inf, isinf
from pathlib import Path
from statistics import median

import numpy as np
from rich.console import Console

from benchmarks.shared.command import command, require, require_folder
from benchmarks.shared.courses import Line, draw
from lab.commands.command_line import parse
from lab.core.errors import InputError
from lab.experiment.cell_record import CellRecord
from lab.experiment.loading import load_experiment
from lab.results.store import Store
from lab.running.run_settings import RunSettings
from lab.running.runner import Run

ROOT = Path(__file__).resolve().parents[1]
EXPERIMENT = "experiments/ml1m.py"

COLLECTED = "as collected by the project"
"""Of numbers that were not looked up at their source again."""
TABLE = "table of facebookresearch/generative-recommenders, README.md"
RECBOLE = "RUCAIBox/RecBole, benchmark/hyper/sequential"
RECTOOLS = "RecTools, https://rectools.readthedocs.io, Transformers HSTU tutorial"
PUBLISHED = (
    ("GRU4Rec", 0.155, 0.278, f"{RECBOLE}/GRU4Rec-ml-1m_seq.md (.1545)"),
    ("GRU4Rec", 0.165, 0.281, f"arXiv 2309.07602, by the {TABLE}"),
    ("SASRec, one sampled negative", 0.126, 0.239, f"its own loss (arXiv 1808.09781), later runs, {COLLECTED}"),
    ("SASRec", 0.129, 0.247, f"{RECBOLE}/SASRec-ml-1m_seq.md"),
    ("SASRec, sampled softmax", 0.160, 0.285, f"arXiv 2402.17152, {TABLE}"),
    ("SASRec, softmax", 0.178, 0.306, f"{RECTOOLS}, {COLLECTED}"),
    ("gSASRec", 0.173, 0.300, f"arXiv 2308.07192, {COLLECTED}"),
    ("BERT4Rec", 0.152, 0.282, COLLECTED),
    ("BERT4Rec", 0.154, 0.284, f"arXiv 2309.07602, by the {TABLE}"),
    ("HSTU *", 0.172, 0.310, f"arXiv 2402.17152, {TABLE}"),
    ("HSTU, large *", 0.189, 0.329, f"arXiv 2402.17152, {TABLE}"),
    ("HSTU, large *", 0.216, 0.364, f"{RECTOOLS}, {COLLECTED}"),
)
"""Name, NDCG@10, HR@10 and where it stands; a star for what reads times."""
NOTE = """\
* reads when each event was. ml-1m.txt has no times, and the lab's encoders know the order alone; its HSTU is one layer
of HSTU's attention on the states of a GRU, and not the published stack.
Papers prepare the log in ways of their own: RecBole's rows leave out ratings below 3 and what is rare (3,124 items),
look back 50 events and rank what was taken before too; generative-recommenders have 3,706 items."""

GOALS = {0.126: 8.0, 0.160: 25.0}
"""NDCG@10 to which the time is told, and the minutes within which it was wanted."""


@dataclass(frozen=True)
class Asked:
    """Which cells to train and show."""

    path: Path | None = None
    """The log: `user item` lines in order."""
    seeds: int = 3
    """Seeds of each encoder."""
    only: tuple[str, ...] = ()
    """Train and show only some cells, such as model=gru. Default: all."""
    out: Path = Path("results")
    """Folder under which the results go."""
    cache: Path | None = None
    """Where the prepared log is kept. Default: $LAB_CACHE, or the user's cache folder."""
    figure: Path | None = None
    """Where to draw accuracy against seconds, as PNG."""
    beside: tuple[Path, ...] = ()
    """Files that benchmarks.peers --curves wrote, whose epochs are drawn too."""

    def __post_init__(self) -> None:
        require(self, seeds=1)
        check(self)


def arguments_of(asked: Asked) -> list[str]:
    """What `python -m lab.run` is told after the file."""
    told = ["--source.path", here(asked.path), "--seeds", str(asked.seeds), "--out", here(asked.out)]
    told += ["--tracking.mode", "off"]
    told += ["--cache", here(asked.cache)] if asked.cache else []
    return [*told, *(["--only", *asked.only] if asked.only else [])]


def run(arguments: Sequence[str]) -> int:
    """The experiment, as its own command; its exit code."""
    return subprocess.run([sys.executable, "-m", "lab.run", EXPERIMENT, *arguments], cwd=ROOT, check=False).returncode


def planned(arguments: Sequence[str]) -> tuple[Store, list[CellRecord]]:
    """The results folder of that command, and the cells that it plans by the settings, log and code of now."""
    declared, about = load_experiment(ROOT / EXPERIMENT)
    experiment, options = parse(declared, f"python -m lab.run {EXPERIMENT}", about, arguments)
    ready = Run(
        experiment, RunSettings(options.out, options.cache, options.tracking, Console(quiet=True), options.only)
    )
    return ready.store, [cell.record("missing") for cell in ready.cells]


def looks(store: Store, cell: CellRecord) -> tuple[np.ndarray, np.ndarray]:
    """Seconds of its share until each look at the valid split, in proportion to the steps, and the NDCG@10 seen."""
    curve = store.curve(cell.id)
    return cell.timing["train"] * curve["step"] / curve["step"][-1], 1 - curve["valid_loss"]


def reached(store: Store, cell: CellRecord, mark: float) -> float:
    """Seconds of its share until a look at the valid split first saw that NDCG@10; infinity for never."""
    seconds, ndcg = looks(store, cell)
    seen = np.flatnonzero(ndcg >= mark)
    return float(seconds[seen[0]]) if len(seen) else inf


def epochs_of(path: Path) -> list[Line]:
    """Each contender that `benchmarks.peers` kept."""
    with path.open(newline="") as file:
        rows = list(csv.DictReader(file))
    names = dict.fromkeys(row["model"] for row in rows)

    def column(name: str, of: str) -> list[float]:
        return [float(row[of]) for row in rows if row["model"] == name]

    return [(name, column(name, "since"), column(name, "ndcg")) for name in names]


def typical(times: Sequence[float]) -> str:
    """`1,234 (2 of 3)`: the median, where a miss is infinite, and how many reached it."""
    middle, there = median(times), sum(not isinf(time) for time in times)
    return f"{'never' if isinf(middle) else f'{middle:,.0f}'} ({there} of {len(times)})"


def spread(values: Sequence[float]) -> str:
    """`.1712 ±.0009`: mean and standard deviation over seeds."""
    return f"{np.mean(values):.4f}" + (f" ±{np.std(values, ddof=1):.4f}" if len(values) > 1 else "")


def show(store: Store, planned: Sequence[CellRecord]) -> None:
    """Print our rows, the published ones and the times, of those planned cells that are done."""
    lines: dict[str, list[CellRecord]] = defaultdict(list)
    for cell in store.plan(planned):
        if cell.status == "done":
            lines[cell.model].append(cell)
    print(f"\n{'':34s}{'seeds':>6s}{'NDCG@10':>15s}{'HR@10':>15s}{'valid NDCG@10':>15s}{'share, s':>10s}")
    for name, cells in lines.items():
        ndcg, hr = ([cell.value("test", "all", metric) for cell in cells] for metric in ("ndcg@10", "hr@10"))
        trained = cells[0].kind == "model"
        seeds = str(len(cells)) if trained else ""
        valid = spread([1 - cell.value("valid", "all", "loss") for cell in cells]) if trained else ""
        share = f"{median(c.timing['train'] for c in cells):,.0f}" if trained else ""
        print(f"{name:34s}{seeds:>6s}{spread(ndcg):>15s}{spread(hr):>15s}{valid:>15s}{share:>10s}")
    if left := len(planned) - sum(map(len, lines.values())):
        print(f"left out: {left} of {len(planned)} planned cells are not done")
    show_published()
    print("\nmedian seconds of a cell's share of the machine until an NDCG@10 on valid, and how many seeds reached it:")
    print(f"{'':34s}" + "".join(f"{mark:>18.3f}" for mark in GOALS))
    for name, cells in lines.items():
        if cells[0].kind == "model":
            times = [typical([reached(store, cell, mark) for cell in cells]) for mark in GOALS]
            print(f"{name:34s}" + "".join(f"{time:>18s}" for time in times))


def show_published() -> None:
    """Print what papers and other libraries have, each with its source."""
    print(f"{'as published':40s}{'NDCG@10':>15s}{'HR@10':>15s}")
    for name, ndcg, hr, source in PUBLISHED:
        print(f"{name:40s}{ndcg:>15.3f}{hr:>15.3f}  {source}")
    print(NOTE)


def main(asked: Asked) -> int:
    """Run what is missing, then show what is there."""
    if asked.path is None:
        show_published()
        return 0
    arguments = arguments_of(asked)
    if code := run(arguments):
        print("The run did not end well; what it said stands above.", file=sys.stderr)
        return code
    store, cells = planned(arguments)
    show(store, cells)
    if asked.figure is not None:
        done = [cell for cell in store.plan(cells) if cell.status == "done" and cell.kind == "model"]
        own = [(f"{cell.model} (lab)", *looks(store, cell)) for cell in done]
        draw([*own, *(line for path in asked.beside for line in epochs_of(path))], asked.figure, GOALS)
    return 0


def check(asked: Asked) -> None:
    """Raise InputError for what would be of no use, or would fail after the training."""
    if asked.path is None and (asked.figure or asked.only):
        raise InputError("--figure, --only: give --path too, the log of the run that they are of.")
    if asked.beside and asked.figure is None:
        raise InputError("--beside: name by --figure where to draw.")
    if asked.figure is not None:
        require_folder("--figure", asked.figure.parent)
    for path in asked.beside:
        if not path.is_file() or not path.read_text("utf-8").startswith("model,"):
            raise InputError(f"--beside: {path} is no CSV file that `benchmarks.peers --curves` wrote.")


def here(path: Path | None) -> str:
    """The path, whole: the run has the repository's root for its folder, and this process the caller's."""
    assert path is not None
    return str(path.expanduser().resolve())


if __name__ == "__main__":
    command("published", Asked, main, __doc__)
