"""Why a model wins or loses: what one model of a finished run has learned, and where it is better than a baseline.

For each horizon, in the newest fold:
- the learning curve: training and valid loss at each look, mean over seeds;
- by length of history (quarters of the test queries, by the events their users had at the cutoff): NDCG@10 of the
  model and of the baseline, mean over seeds, and the difference with its 95 % interval over users;
- in the same quarters, going back: the probability that the model gives to categories the user had touched, beside
  the share of the labels that fell on them;
- calibration: categories by the probability they were given, and the share of the labels they got;
- what the habit group learned: its shared weights, and the categories whose own gate is farthest from the rest.
Probabilities and parameters are those of seed 0.

Run: python -m benchmarks.why results/lstm_vs_transformer [--model LSTM --features full --baseline decayed]
"""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import tyro

from lab.cell_record import CellRecord
from lab.data.search import events_until
from lab.data.seen import seen_by
from lab.features.weights import PACE
from lab.pins import read_pin
from lab.settings import experiment_of
from lab.statistics.intervals import over_users
from lab.store import Store
from lab.trained_cell import TrainedCell, load_cell

METRIC = "ndcg@10"
QUARTERS = 4
EDGES = (0.0, 0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0)
"""Of the classes of probability, whose logarithms are about as far apart."""
SHOWN = 6
"""Categories named at either end."""


def main(
    results: tyro.conf.Positional[Path],
    model: str = "LSTM",
    features: str = "full",
    baseline: str = "decayed",
    log: str | None = None,
    cache: Path | None = None,
) -> None:
    """Print what was learned.

    Args:
        results: Folder of a finished run.
        model: Of this model.
        features: On this feature set.
        baseline: What it is compared with.
        log: Where the log lies, if not where the pin has it.
        cache: Where prepared logs are kept.
    """
    store = Store(results)
    declared: Any = experiment_of(read_pin(results / "pin.json")["experiment"]).source
    source = replace(declared, path=log) if log else None
    records = [one for one in store.records() if one.status == "done" and one.fold == 0]
    mine = [one for one in records if (one.model, one.features) == (model, features)]
    for horizon in sorted({one.horizon for one in mine}):
        seeds = [one for one in mine if one.horizon == horizon]
        theirs = [one for one in records if (one.model, one.horizon) == (baseline, horizon)]
        print(f"\n{model} · {features}, {horizon:g} days, seeds: {len(seeds)}")
        show_curve(store, seeds)
        trained = load_cell(results, seeds[0].id, source=source, cache=cache)
        show_lengths(store, trained, seeds, theirs, baseline)
        show_calibration(trained)
        show_habit(trained)


def show_curve(store: Store, seeds: list[CellRecord]) -> None:
    """Print losses at each look, mean over seeds."""
    curves: Any = pd.concat([pd.read_csv(store.folder(one.id) / "curve.csv") for one in seeds]).groupby("step").mean()
    best = curves["valid_loss"].idxmin()
    print("  learning curve       " + "".join(f"{step:>9d}" for step in curves.index))
    for name, title in (("loss", "training loss"), ("valid_loss", "valid loss")):
        print(f"    {title:19s}" + "".join(f"{value:9.3f}" for value in curves[name]))
    print(f"    valid loss is lowest after {best} steps")


def show_lengths(
    store: Store, trained: TrainedCell, seeds: list[CellRecord], theirs: list[CellRecord], baseline: str
) -> None:
    """Print the metric and the probability of going back by length of history."""
    split = trained.data.splits["test"]
    view, queries = trained.data.view, split.queries
    events = events_until(view.histories.offsets, view.histories.time, queries.user, queries.cutoff)
    events = events - view.histories.offsets[queries.user]
    length = pd.Series(events, index=view.histories.row_of(queries.user))
    back = going_back(trained)
    table: Any = pd.DataFrame({"mine": per_user(store, seeds), "theirs": per_user(store, theirs)})
    table = table.join(length.rename("events")).join(back)
    table["quarter"] = pd.qcut(table["events"], QUARTERS, duplicates="drop")
    print(f"  by length of history  queries    model {baseline:>8s}  difference                    "
          "going back: said  happened")  # fmt: skip
    for _, part in table.groupby("quarter", observed=True):
        more = over_users((part["mine"] - part["theirs"]).to_numpy(), part.index.to_numpy(), np.random.default_rng(0))
        interval = "" if more is None else f"{more.mean:+.4f} ({more.low:+.4f} to {more.high:+.4f})"
        named = f"{part['events'].min():,} to {part['events'].max():,} events"
        print(f"    {named:19s}{len(part):8,d}{part['mine'].mean():9.3f}{part['theirs'].mean():9.3f}  {interval:28s}"
              f"{part['said'].mean():18.3f}{part['happened'].mean():10.3f}")  # fmt: skip


def per_user(store: Store, cells: list[CellRecord]) -> pd.Series:
    """The metric over all categories of each user, mean over seeds; one fold asks each user once."""
    tables = [pd.DataFrame(store.users(one.id)) for one in cells]
    whole: Any = pd.concat([table[table["slice"] == "all"] for table in tables])
    return whole.groupby("user")[METRIC].mean()


def going_back(trained: TrainedCell) -> pd.DataFrame:
    """For each test query with labels: the probability of touched categories, and the labels' weight on them."""
    shares, weights, answered = predictions(trained)
    queries = trained.data.splits["test"].queries[answered]
    seen = seen_by(trained.data.view, queries)
    index = trained.data.view.histories.row_of(queries.user)
    return pd.DataFrame({"said": (shares * seen).sum(1), "happened": (weights * seen).sum(1)}, index=index)


def predictions(trained: TrainedCell) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """float[Q, C] probabilities and label weights of the test queries that have labels, and int[Q] which these are."""
    split, data = trained.data.splits["test"], trained.data
    logits = trained.scores(split.packed, split.tables)
    shares = np.exp(logits - logits.max(1, keepdims=True))
    shares /= shares.sum(1, keepdims=True)
    labels = split.labels[trained.cell.experiment.horizons.index(trained.cell.horizon)]
    counts = np.diff(labels.offsets)
    weights = np.zeros_like(shares, shape=(len(labels), data.view.candidates))
    weights[np.repeat(np.arange(len(labels)), counts), labels.ids] = labels.weights
    answered = np.flatnonzero(counts)
    return shares[answered], weights[answered], answered


def show_calibration(trained: TrainedCell) -> None:
    """Print what categories of each class of probability were given and got."""
    shares, weights, _ = predictions(trained)
    place = np.searchsorted(EDGES[1:-1], shares.ravel(), side="right")
    count, said, happened = (
        np.bincount(place, values, len(EDGES) - 1) for values in (None, shares.ravel(), weights.ravel())
    )
    print("  probability up to    " + "".join(f"{edge:>9g}" for edge in EDGES[1:]))
    for name, values in (("said", said), ("happened", happened)):
        print(f"    {name:19s}" + "".join(f"{v:9.5f}" for v in values / np.maximum(count, 1)))


def show_habit(trained: TrainedCell) -> None:
    """Print the shared weights of counts, and the categories whose rhythm differs most."""
    params = trained.program.learner.flat.unravel(trained.params)
    found = [value for name, value in params.items() if "own" in value]
    if not found:
        return
    habit, names = found[0], trained.data.view.names
    print("  habit: shared weights moved by " + " ".join(f"{v:+.2f}" for v in np.asarray(habit["weight"]) * PACE))
    own = np.asarray(habit["own"])[:, -1]
    order = np.argsort(own, kind="stable")
    for title, some in (("least", order[:SHOWN]), ("most", order[::-1][:SHOWN])):
        print(f"    {title} wanted again: " + "; ".join(f"{names[i]} {own[i]:+.2f}" for i in some))


if __name__ == "__main__":
    tyro.cli(main)
