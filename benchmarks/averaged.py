"""What averaging a model's seeds gives, and what the longest horizon knows of what is new.

Of every model and feature set of a finished run, at each horizon, NDCG@10 over all folds of

- a single seed, the mean over the seeds;
- the mean of the seeds' probabilities, a deep ensemble;
- the same with what is new to a user shared out, in part, as by the longest horizon's ensemble (`lab.ensemble`): the
  part that has the lowest log loss there on the fold's valid cutoff.

On the valid cutoff, by which such a thing is chosen, and on the test cutoff, there with what each has more than a
baseline over all categories (95 % intervals over users, paired by query), and as a multiple of recent popularity's on
novel ones. Nothing is trained; all is predicted anew from the parameters that the run kept.

Run: python -m benchmarks.averaged results/open_ecommerce [--log PATH --baseline decayed --models LSTM]
"""

import sys
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import tyro

from benchmarks.interest import METRIC, SLICES, paired, per_query, said
from lab.backend import prepare_backend
from lab.cell_record import CellRecord
from lab.data.dataset import Dataset
from lab.data.seen import seen_by
from lab.ensemble import novel_as, predictions
from lab.errors import InputError
from lab.evaluation.metrics import InterestMetrics
from lab.leaving import ended
from lab.pins import read_pin
from lab.settings import experiment_of
from lab.statistics.intervals import over_users
from lab.store import Store
from lab.trained_cell import TrainedCell, load_cells

PARTS = (0.0, 0.25, 0.5, 0.75, 1.0)
"""Which part of what is new may be shared out as by the longest horizon."""

Values = dict[str, dict[tuple[int, int], list[float]]]
"""Slice -> (user, cutoff) -> the metric, from each seed where these are apart."""
Row = tuple[str, float, str]
"""Split, horizon, name."""


def main(
    results: tyro.conf.Positional[Path],
    models: tuple[str, ...] = (),
    baseline: str = "decayed",
    log: str | None = None,
    cache: Path | None = None,
) -> None:
    """Print what it gives.

    Args:
        results: Folder of a finished run.
        models: Of these models. Default: all.
        baseline: What it is compared with.
        log: Where the log lies, if not where the pin has it.
        cache: Where prepared logs are kept.
    """
    prepare_backend(cache)
    store = Store(results)
    declared: Any = experiment_of(read_pin(results / "pin.json")["experiment"]).source
    where = {"source": replace(declared, path=log) if log else None, "cache": cache}
    done = [one for one in store.records() if one.status == "done" and one.model in (models or (one.model,))]
    if not any(one.kind == "model" for one in done):
        raise InputError(
            f"{results}: no finished cell of a model lies there; give the folder of a run on this machine."
        )
    known = [one for one in store.records() if one.status == "done" and one.kind == "baseline"]
    print(f"{METRIC:60s}" + "".join(f"{name:>8s}" for name in SLICES))
    for who in dict.fromkeys((one.model, one.features, one.variant) for one in done if one.kind == "model"):
        mine = [one for one in done if (one.model, one.features, one.variant) == who]
        for (split, horizon, row), values in in_order(rows(results, mine, where)):
            others = [one for one in known if one.horizon == horizon]
            more = compared(store, others, values, baseline) if split == "test" else ""
            name = f"{' · '.join(filter(None, who))}, {horizon:g} days, {split}: {row}"
            print(f"{name:60s}{shown(values)}{more}", flush=True)


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
                result, keys = judged(members[0].data, split, place_of(members, h), index, probabilities)
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
        touched = seen_by(data.view, data.splits[split].queries[index])
        far = each[seeds[longest]].mean(axis=0)
        for h in parts:
            yield from ((h, "a single seed", index, each[i]) for i in seeds[h])
            mean = each[seeds[h]].mean(axis=0)
            yield h, f"{len(seeds[h])} seeds averaged", index, mean
            for part in parts[h] if h != longest else ():
                yield h, part, index, (1 - part) * mean + part * novel_as(mean, far, touched)


def place_of(members: Sequence[TrainedCell], horizon: float) -> int:
    """Which of the experiment's horizons it is."""
    return members[0].cell.experiment.horizons.index(horizon)


def judged(
    data: Dataset, split: str, horizon: int, index: np.ndarray, probabilities: np.ndarray
) -> tuple[dict[str, dict[str, np.ndarray]], list[tuple[int, int]]]:
    """Slice -> metric -> its values at the queries, and the user and cutoff of each."""
    queries = data.splits[split].queries[index]
    scores = np.log(np.maximum(probabilities, 1e-30)).astype(np.float32)
    metrics = InterestMetrics(data.view.candidates)
    metrics.add(scores, scores, data.splits[split].labels[horizon].take(index), seen_by(data.view, queries))
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


def shown(values: Values) -> str:
    return "".join(f"{np.mean(list(averaged(values, part).values())):8.4f}" for part in SLICES)


def compared(store: Store, others: Sequence[CellRecord], values: Values, baseline: str) -> str:
    """What it has more than a baseline over all categories, and how many times popularity's on novel ones."""

    def against(name: str, part: str) -> Iterator[np.ndarray]:
        theirs = per_query(store, [one for one in others if (one.model, one.features) == (name, "")], part)
        yield from paired(averaged(values, part), theirs)

    value, base, user = against(baseline, "all")
    more = over_users(value - base, user, np.random.default_rng(0), bca=False)
    value, base, _ = against("popularity", "novel")
    return f"  {said(more)} more than {baseline}, {value.mean() / base.mean():.2f} x popularity on novel"


if __name__ == "__main__":
    sys.exit(ended(lambda: tyro.cli(main) or 0))
