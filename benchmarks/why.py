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
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import tyro
from jaxtyping import Float

from benchmarks.interest import paired, per_query, said
from lab.cell_record import CellRecord
from lab.data.queries import FoldView, Queries
from lab.data.seen import seen_by
from lab.evolution import label_shares, softmax
from lab.features.weights import PACE
from lab.pins import read_pin
from lab.report.by_history import quartiles
from lab.settings import experiment_of
from lab.statistics.intervals import over_users
from lab.store import Store
from lab.trained_cell import TrainedCell, load_cell

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
        predictions = predicted(trained)
        show_lengths(store, trained.data.view, predictions, seeds, theirs)
        show_calibration(predictions)
        show_habit(trained)


def show_curve(store: Store, seeds: list[CellRecord]) -> None:
    """Print losses at each look, mean over seeds."""
    curves: Any = pd.concat([pd.read_csv(store.folder(one.id) / "curve.csv") for one in seeds]).groupby("step").mean()
    best = curves["valid_loss"].idxmin()
    print("  learning curve       " + "".join(f"{step:>9d}" for step in curves.index))
    for name, title in (("loss", "training loss"), ("valid_loss", "valid loss")):
        print(f"    {title:19s}" + "".join(f"{value:9.3f}" for value in curves[name]))
    print(f"    valid loss is lowest after {best} steps")


class Predictions(NamedTuple):
    """Of the test queries that have labels."""

    queries: Queries
    shares: Float[np.ndarray, "Q C"]
    """Probabilities that the model gives."""
    weights: Float[np.ndarray, "Q C"]
    """Shares of the labels."""


def predicted(trained: TrainedCell) -> Predictions:
    split = trained.data.splits["test"]
    labels = split.labels[trained.cell.experiment.horizons.index(trained.cell.horizon)]
    answered = np.flatnonzero(np.diff(labels.offsets))
    shares = softmax(trained.scores(split.packed, split.tables))
    weights = label_shares(labels, trained.data.view.candidates)
    return Predictions(split.queries[answered], shares[answered], weights[answered])


def show_lengths(
    store: Store, view: FoldView, predictions: Predictions, seeds: list[CellRecord], theirs: list[CellRecord]
) -> None:
    """Print the metric and the probability of going back by length of history."""
    mine, against, user = paired(per_query(store, seeds, "all"), per_query(store, theirs, "all"))
    users = store.users(seeds[0].id)
    length = dict(zip(users["user"].tolist(), users["history"].tolist(), strict=True))
    history = np.array([length[one] for one in user])
    expected, happened = going_back(view, predictions, user)
    print(
        f"  by length of history  queries    model {theirs[0].model:>8s}  difference                    "
        "going back: said  happened"
    )
    for low, high in pairwise(quartiles(history)):
        here = (low <= history) & (history < high)
        more = said(over_users((mine - against)[here], user[here], np.random.default_rng(0)))
        named = f"{history[here].min():,} to {history[here].max():,} events"
        print(
            f"    {named:19s}{here.sum():8,d}{mine[here].mean():9.3f}{against[here].mean():9.3f}  {more:28s}"
            f"{expected[here].mean():18.3f}{happened[here].mean():10.3f}"
        )


def going_back(view: FoldView, predictions: Predictions, user: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """float[U] twice, for these users: the probability of touched categories, and the labels' weight on them."""
    seen = seen_by(view, predictions.queries)
    row = {one: i for i, one in enumerate(view.histories.row_of(predictions.queries.user).tolist())}
    order = [row[one] for one in user]
    return (predictions.shares * seen).sum(1)[order], (predictions.weights * seen).sum(1)[order]


def show_calibration(predictions: Predictions) -> None:
    """Print what categories of each class of probability were given and got."""
    shares, weights = predictions.shares.ravel(), predictions.weights.ravel()
    place = np.searchsorted(EDGES[1:-1], shares, side="right")
    count, expected, happened = (np.bincount(place, values, len(EDGES) - 1) for values in (None, shares, weights))
    print("  probability up to    " + "".join(f"{edge:>9g}" for edge in EDGES[1:]))
    for name, values in (("said", expected), ("happened", happened)):
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
