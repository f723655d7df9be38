"""What runs on several logs say together, read from their pins: a mean per line and log, ranks, interquartile means."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float

from lab.core.errors import InputError
from lab.core.words import plural
from lab.evaluation.measures import ALL, MetricSpec
from lab.experiment.cell_record import line_name
from lab.pins.pin import measures_of, metrics_of, read_pin
from lab.results.cells_table import csv_bytes
from lab.results.conclusions import probability
from lab.statistics.across_runs import improvement, interquartile_mean, over_runs
from lab.statistics.intervals import Interval
from lab.statistics.ranks import FEWEST_LINES, FEWEST_LOGS, Ranking, mean_ranks, rank

Task = tuple[str, float, int]
"""Target, horizon in days, fold."""
Runs = Mapping[str, Mapping[Task, np.ndarray]]
"""By line and task, the metric of each seed's run."""


@dataclass(frozen=True)
class Across:
    """Lines that are complete on every log."""

    metric: MetricSpec
    """The leading metric, on which all agree."""
    logs: tuple[str, ...]
    names: tuple[str, ...]
    left_out: tuple[str, ...]
    """Lines that some log lacks, or lacks cells of."""
    runs: tuple[Runs, ...]
    """A log each."""

    @cached_property
    def values(self) -> Float[np.ndarray, "L K"]:
        """The mean of each line on each log: over seeds, then over tasks, so that a log counts once."""
        return np.array([[np.mean([t.mean() for t in log[name].values()]) for name in self.names] for log in self.runs])

    @cached_property
    def merits(self) -> Float[np.ndarray, "L K"]:
        """The same as numbers of which more is better."""
        return _merit(self.metric, self.values)

    @cached_property
    def ranks(self) -> Float[np.ndarray, "K"]:
        """The mean rank of each line."""
        return mean_ranks(self.merits)

    @cached_property
    def ranking(self) -> Ranking | None:
        """Which lines rank apart; None with too few logs or lines."""
        return rank(self.merits)

    def interquartile(self, name: str) -> tuple[float, Interval | None]:
        """The interquartile mean of a line's runs over all tasks of all logs, and its interval over seeds."""
        tasks = [runs for log in self.runs for runs in log[name].values()]
        return interquartile_mean(tasks), over_runs(tasks, np.random.default_rng(0))

    def improvement(self, a: str, b: str) -> float:
        """The chance that a random run of a beats one of b on a random task of a random log."""
        each = [np.mean([self._beats(log[a][t], log[b][t]) for t in log[a] if t in log[b]]) for log in self.runs]
        return float(np.mean(each))

    def _beats(self, a: np.ndarray, b: np.ndarray) -> float:
        return improvement(*(_merit(self.metric, runs)[:, None] for runs in (a, b)))


def _merit(metric: MetricSpec, values: np.ndarray) -> np.ndarray:
    return np.vectorize(metric.merit, otypes=[float])(values)


def read_across(folders: Sequence[Path]) -> Across:
    """Read the pins of several results folders, by their targets' leading metric.

    Raises InputError where two are of one log, where they ask other things, or no line is on all.
    """
    pins = [_pin(folder) for folder in folders]
    names = [folder.resolve().name if folder.is_dir() else folder.resolve().parent.name for folder in folders]
    _refuse_twice(folders, [pin["data"]["fingerprint"] for pin in pins])
    _refuse_unlike(folders, [_asked_settings(pin) for pin in pins])
    metric = measures_of(pins[0]).lead
    logs = [_runs(pin["cells"], metric.name) for pin in pins]
    everywhere = [name for name in logs[0] if all(name in log for log in logs)]
    if not everywhere:
        raise InputError(f"{', '.join(map(str, folders))}: no row of one table is complete in all the others.")
    others = dict.fromkeys(name for log in logs for name in log if name not in everywhere)
    return Across(metric, tuple(names), tuple(everywhere), tuple(others), tuple(logs))


def _pin(folder: Path) -> dict[str, Any]:
    """The pin of a results folder, or that file itself."""
    path = folder / "pin.json" if folder.is_dir() else folder
    if not path.is_file():
        lacking = "has no pin.json, which a run leaves at its end" if folder.is_dir() else "there is no such folder"
        raise InputError(f"{folder}: {lacking}; name folders that runs left, such as results/NAME.")
    return read_pin(path)


def _refuse_twice(folders: Sequence[Path], fingerprints: Sequence[str]) -> None:
    first: dict[str, Path] = {}
    for folder, fingerprint in zip(folders, fingerprints, strict=True):
        if fingerprint in first:
            raise InputError(
                f"{first[fingerprint]} and {folder} are of the same log, and a log counts once; name one of the two."
            )
        first[fingerprint] = folder


def _asked_settings(pin: Mapping[str, Any]) -> dict[str, Any]:
    """The settings that say what is asked of each user, whatever the log."""
    target, timeline = pin["experiment"]["target"], pin["experiment"]["timeline"]
    measures = measures_of(pin)
    return {
        "target": target["type"],
        "timeline.protocol": timeline.get("protocol", "calendar"),
        "asked": measures.population,
        "the leading metric": measures.leading,
    }


def _refuse_unlike(folders: Sequence[Path], asked: Sequence[Mapping[str, Any]]) -> None:
    for folder, other in zip(folders, asked, strict=True):
        apart = [name for name, value in other.items() if value != asked[0][name]]
        if apart:
            name = apart[0]
            raise InputError(
                f"{folders[0]} and {folder} ask other things, and their ranks say nothing together: {name} is "
                f"{asked[0][name]} and {other[name]}."
            )


def _runs(cells: Sequence[Mapping[str, Any]], metric: str) -> Runs:
    """The runs of each line whose cells are all done, the oracle left out."""
    found: dict[str, dict[Task, list[float]]] = {}
    broken: set[str] = set()
    for cell in cells:
        if cell["kind"] == "oracle":
            continue
        name = line_name(cell["model"], cell["features"], cell.get("variant", ""))
        value = metrics_of(cell).get(("test", ALL, metric), float("nan"))
        if cell["status"] != "done" or value != value:
            broken.add(name)
        found.setdefault(name, {}).setdefault((cell["target"], cell["horizon"], cell["fold"]), []).append(value)
    return {name: {t: np.array(v) for t, v in tasks.items()} for name, tasks in found.items() if name not in broken}


def ranks_csv(across: Across) -> bytes:
    """A row for each line: its mean rank, its interquartile mean with interval, and its mean on each log."""
    rows = []
    for i, name in enumerate(across.names):
        middle, interval = across.interquartile(name)
        limits = (interval.low, interval.high) if interval else (None, None)
        rows.append((name, across.ranks[i], middle, *limits, *across.values[:, i]))
    return csv_bytes(("line", "rank", "interquartile_mean", "low", "high", *across.logs), rows)


def pairs_csv(across: Across) -> bytes:
    """A row for each two lines: how often one beats the other, how far their mean ranks are apart, and p of it."""
    found, rows = across.ranking, []
    for i, j in combinations(range(len(across.names)), 2):
        a, b = across.names[i], across.names[j]
        tested = (found.critical, found.nemenyi_p[i, j], bool(found.apart[i, j])) if found else (None, None, None)
        alone = found.wilcoxon_p[i, j] if found else None
        rows.append((a, b, across.improvement(a, b), across.ranks[j] - across.ranks[i], *tested, alone))
    columns = ("a", "b", "improvement", "ranks_apart", "critical", "nemenyi_p", "told_apart", "wilcoxon_holm_p")
    return csv_bytes(columns, rows)


def findings(across: Across) -> list[str]:
    """What the ranks say, and what they cannot, in sentences."""
    found, logs = across.ranking, len(across.logs)
    left_out = f"Left out, for not being complete in every folder: {', '.join(across.left_out)}."
    start = [left_out] if across.left_out else []
    if found is None:
        few = f"{plural(logs, 'log')} and {plural(len(across.names), 'row')} are too few to tell ranks apart"
        return [*start, f"{few}; it takes {FEWEST_LOGS} and {FEWEST_LINES}."]
    friedman = f"Over {logs} logs, Friedman's p is {probability(found.friedman_p)}"
    if not found.apart.any():
        return [*start, f"{friedman}: no two rows can be told apart by their ranks."]
    best = int(found.mean.argmin())
    below = [name for name, apart in zip(across.names, found.apart[best], strict=True) if apart]
    lead = f"{across.names[best]} ranks above {', '.join(below)}" if below else "the first can be told from none"
    return [*start, f"{friedman}; mean ranks that are {found.critical:.2f} apart differ (Nemenyi, 5 %): {lead}."]
