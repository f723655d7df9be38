"""What averaging a model's seeds gives, and what the longest horizon knows of
what is new.

Of every model and feature set of a finished run, at each horizon, a row for
- a single seed: the mean over the seeds;
- N seeds averaged: the mean of their probabilities, a deep ensemble;
- new as in N days: the same with what is new to a user shared out, in part, as
  by the longest horizon's ensemble (lab.predicting.ensemble); the part is the one with the
  lowest log loss there on the fold's valid cutoff.

Each has its NDCG@10 over all folds: over all categories, those the user had
touched (repeat) and the others (novel), on the valid cutoff, by which such a
thing is chosen, and on the test cutoff. There it also says what the row has more
than a baseline over all categories (95 % intervals over users, paired by query),
and how many times recent popularity's on novel ones. Nothing is trained; all is
predicted anew from the parameters that the run kept.

Run:
    python -m benchmarks.averaged results/open_ecommerce \\
        --log data/open_ecommerce

A run keeps the names of its files alone: --log says where they lie.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import tyro

from benchmarks.interest import interval_text, paired, per_query, times
from benchmarks.shared.command import command
from benchmarks.shared.finished import baseline_of, done_cells, experiment_at, line_of, require_log
from lab.core.errors import InputError
from lab.core.words import plural
from lab.data.fold.seen_candidates import seen_candidates
from lab.dataset.dataset import Dataset
from lab.experiment.cell_record import CellRecord, line_name
from lab.predicting.ensemble import novel_as, predictions
from lab.predicting.trained_cell import TrainedCell, load_cells
from lab.results.store import Store
from lab.running.backend import prepare_backend
from lab.statistics.intervals import over_users
from lab.targets.interest.measures import MEASURES
from lab.targets.interest.metrics import SLICES, InterestMetrics

PARTS = (0.0, 0.25, 0.5, 0.75, 1.0)
"""Which part of what is new may be shared out as by the longest horizon."""

Values = dict[str, dict[tuple[int, int], list[float]]]
"""Slice -> (user, cutoff) -> the metric, from each seed where these are apart."""
Row = tuple[str, float, str]
"""Split, horizon, name."""

METRIC = MEASURES.leading


@dataclass(frozen=True)
class Asked:
    """Which models to average."""

    results: tyro.conf.Positional[Path]
    """Folder of a finished run that asks for interest."""
    models: tuple[str, ...] = ()
    """Show only these models, by their names in the table. Default: all."""
    baseline: str | None = None
    """The baseline to compare each row with. Default: decayed, or the best that the run has."""
    log: str | None = None
    """Where the log lies: its file, folder or pattern."""
    file: Path | None = None
    """The experiment's file, where it has classes of its own."""
    cache: Path | None = None
    """Where prepared logs are kept. Default: $LAB_CACHE, or the user's cache folder."""


def main(asked: Asked) -> int:
    """Print the rows, model by model."""
    store, cells = done_cells(asked.results, asked.models)
    baseline = baseline_of(cells, asked.baseline)
    experiment = experiment_at(asked.results, asked.log, asked.file)
    if experiment.target.factored:
        raise InputError(
            f"{asked.results}: is of target {experiment.target.name}, whose answers are ranks, and these have no mean; "
            f"name a run of interest."
        )
    require_log(experiment.source, "benchmarks.averaged", asked.results)
    prepare_backend(asked.cache)
    where = {"source": experiment.source, "file": asked.file, "cache": asked.cache}
    print(f"{METRIC:60s}" + "".join(f"{name:>8s}" for name in SLICES))
    for who in dict.fromkeys(line_of(one) for one in cells if one.kind == "model"):
        mine = [one for one in cells if line_of(one) == who]
        for (split, horizon, row), values in in_order(rows(asked.results, mine, where)):
            others = [one for one in cells if one.kind == "baseline" and one.horizon == horizon]
            more = compared(store, others, values, baseline) if split == "test" else ""
            name = f"{line_name(*who)}, {horizon:g} days, {split}: {row}"
            print(f"{name:60s}{values_text(values)}{more}", flush=True)
    return 0


def rows(results: Path, cells: Sequence[CellRecord], where: Mapping[str, Any]) -> dict[Row, Values]:
    """The rows of one model, their values at every query of valid and test in all folds."""
    found: dict[Row, Values] = defaultdict(empty)
    for fold in sorted({one.fold for one in cells}):
        members = load_cells(results, [one.id for one in cells if one.fold == fold], **where)
        horizons = sorted({one.cell.horizon for one in members})
        part: dict[float, Sequence[float]] = dict.fromkeys(horizons, PARTS)
        for split in ("valid", "test"):
            tried: dict[tuple[float, float], Values] = defaultdict(empty)
            losses: dict[tuple[float, float], list[np.ndarray]] = defaultdict(list)
            for h, name, index, probabilities in ensembles(members, split, part):
                result, keys = judge_predictions(members[0].data, split, place_of(members, h), index, probabilities)
                if isinstance(name, str):
                    note(found[split, h, name], keys, result)
                else:
                    note(tried[h, name], keys, result)
                    losses[h, name].append(result["novel"]["log_loss"])
            for h in horizons[:-1]:
                best = min(part[h], key=lambda one, h=h: float(np.nanmean(np.concatenate(losses[h, one]))))
                part[h] = (best,)
                for slice_name, values in tried[h, best].items():
                    found[split, h, f"..., new as in {horizons[-1]:g} days"][slice_name].update(values)
                if split == "valid":
                    print(f"  fold {fold}, {h:g} days: {best:g} of what is new as in {horizons[-1]:g} days", flush=True)
    return found


def in_order(found: Mapping[Row, Values]) -> list[tuple[Row, Values]]:
    """Valid first, then by horizon."""
    return sorted(found.items(), key=lambda one: (one[0][0] == "test", one[0][1]))


def ensembles(
    members: Sequence[TrainedCell], split: str, parts: Mapping[float, Sequence[float]]
) -> Iterator[tuple[float, str | float, np.ndarray, np.ndarray]]:
    """Horizon, row (of what is mixed: the part), queries and probabilities, block by block."""
    data, longest = members[0].data, max(parts)
    seeds = {h: [i for i, one in enumerate(members) if one.cell.horizon == h] for h in parts}
    for index, each in predictions(members, split):
        touched = seen_candidates(data.view, data.splits[split].queries[index])
        far = each[seeds[longest]].mean(axis=0)
        for h in parts:
            yield from ((h, "a single seed", index, each[i]) for i in seeds[h])
            mean = each[seeds[h]].mean(axis=0)
            yield h, f"{plural(len(seeds[h]), 'seed')} averaged", index, mean
            for part in parts[h] if h != longest else ():
                yield h, part, index, (1 - part) * mean + part * novel_as(mean, far, touched)


def place_of(members: Sequence[TrainedCell], horizon: float) -> int:
    """Which of the experiment's horizons it is."""
    return members[0].cell.experiment.horizons.index(horizon)


def judge_predictions(
    data: Dataset, split: str, horizon: int, index: np.ndarray, probabilities: np.ndarray
) -> tuple[dict[str, dict[str, np.ndarray]], list[tuple[int, int]]]:
    """Slice -> metric -> its values at the queries, and the user and cutoff of each."""
    queries = data.splits[split].queries[index]
    scores = np.log(np.maximum(probabilities, 1e-30)).astype(np.float32)
    metrics = InterestMetrics(data.view.candidates)
    metrics.add(scores, scores, data.splits[split].labels[horizon].take(index), seen_candidates(data.view, queries))
    users = data.view.histories.row_of(queries.user).tolist()
    return metrics.result().per_query, list(zip(users, queries.cutoff.tolist(), strict=True))


def empty() -> Values:
    return {name: defaultdict(list) for name in SLICES}


def note(values: Values, keys: Sequence[tuple[int, int]], result: Mapping[str, Mapping[str, np.ndarray]]) -> None:
    """Add the metric of each query that has one."""
    for name in SLICES:
        for key, value in zip(keys, result[name][METRIC].tolist(), strict=True):
            if not np.isnan(value):
                values[name][key].append(value)


def averaged(values: Values, part: str) -> dict[tuple[int, int], float]:
    """The mean over seeds at each query."""
    return {key: float(np.mean(own)) for key, own in values[part].items()}


def values_text(values: Values) -> str:
    return "".join(f"{np.mean(list(averaged(values, part).values())):8.4f}" for part in SLICES)


def compared(store: Store, others: Sequence[CellRecord], values: Values, baseline: str) -> str:
    """What it has more than a baseline over all categories, and how many times popularity's on novel ones."""
    theirs = per_query(store, [one for one in others if one.model == baseline], "all")
    value, base, user = paired(averaged(values, "all"), theirs)
    more = over_users(value - base, user, bca=False)
    popular = per_query(store, [one for one in others if one.model == "popularity"], "novel")
    ratio = times(averaged(values, "novel"), popular)
    return f"  {interval_text(more)} more than {baseline}, {ratio} x popularity on novel"


if __name__ == "__main__":
    command("averaged", Asked, main, __doc__)
