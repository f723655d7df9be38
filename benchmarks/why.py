"""Why a model wins or loses: what one model of a finished run has learned, and
where it is better than a baseline.

For each horizon, in the newest fold:
- the learning curve: training and valid loss at each look, mean over seeds;
- by length of history (quarters of the test queries, by the events their users
  had at the cutoff): NDCG@10 of the model and of the baseline, mean over seeds,
  and the difference with its 95 % interval over users;
- in the same quarters, going back: the probability that the model gives to
  categories the user had touched, beside the share of the labels on them;
- calibration: categories by the probability they were given, and the share of
  the labels they got;
- what the habit group learned: its shared weights, and the categories whose own
  gate is farthest from the rest.

Probabilities and parameters are those of seed 0. Of next items nothing is said
but the first two: their probabilities are never held all at once.

Run:
    python -m benchmarks.why results/lstm_vs_transformer --model LSTM
"""

from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import tyro
from jaxtyping import Float

from benchmarks.interest import interval_text, per_query
from benchmarks.shared.command import command
from benchmarks.shared.finished import baseline_of, done_cells, experiment_at, leader, line_of, require_log
from lab.core.errors import InputError
from lab.core.words import plural
from lab.data.fold.queries import FoldView, Queries
from lab.data.fold.seen_candidates import seen_candidates
from lab.experiment.cell_record import CellRecord, line_name
from lab.features.weights import PACE
from lab.predicting.interests import label_shares, softmax
from lab.predicting.trained_cell import TrainedCell, load_cell
from lab.report.by_history import quartiles
from lab.results.conclusions import span
from lab.results.store import Store
from lab.running.backend import prepare_backend
from lab.statistics.intervals import over_users

EDGES = (0.0, 0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0)
"""Of the classes of probability, whose logarithms are about as far apart."""
SHOWN = 6
"""Categories named at either end."""


@dataclass(frozen=True)
class Asked:
    """Which model to look into."""

    results: tyro.conf.Positional[Path]
    """Folder of a finished run."""
    model: str | None = None
    """The model to look into. Default: the one that leads."""
    features: str | None = None
    """Its feature set. Default: the one with which it leads."""
    baseline: str | None = None
    """The baseline to compare it with. Default: decayed, or the best that the run has."""
    log: str | None = None
    """Where the log lies: a run keeps the names of its files alone."""
    file: Path | None = None
    """The experiment's file, where it has classes of its own."""
    cache: Path | None = None
    """Where prepared logs are kept. Default: $LAB_CACHE, or the user's cache folder."""


def main(asked: Asked) -> int:
    """Print what was learned, horizon by horizon."""
    store, cells = done_cells(asked.results)
    mine, baseline = choose_cells(cells, asked), baseline_of(cells, asked.baseline)
    experiment = experiment_at(asked.results, asked.log, asked.file)
    if not experiment.target.factored:
        require_log(experiment.source, "benchmarks.why", asked.results)
    where = {"source": experiment.source, "file": asked.file, "cache": asked.cache}
    prepare_backend(asked.cache)
    for horizon in sorted({one.horizon for one in mine}):
        seeds = [one for one in mine if one.horizon == horizon]
        theirs = [one for one in cells if (one.model, one.horizon, one.fold) == (baseline, horizon, 0)]
        print(f"\n{line_name(*line_of(mine[0]))}, next {span(horizon)}, seeds: {len(seeds)}")
        show_curve(store, seeds)
        if experiment.target.factored:
            show_lengths(store, seeds, theirs, None)
            continue
        trained = load_cell(asked.results, seeds[0].id, **where)
        predictions = predicted(trained)
        show_lengths(store, seeds, theirs, (trained.data.view, predictions))
        show_calibration(predictions)
        show_habit(trained)
    return 0


def choose_cells(cells: list[CellRecord], asked: Asked) -> list[CellRecord]:
    """The newest fold's cells of the line that is asked for. Raises InputError where the run has none."""
    trained = [one for one in cells if one.kind == "model" and one.fold == 0]
    fitting = [one for one in trained if asked.model in (None, one.model) and asked.features in (None, one.features)]
    if not fitting:
        wanted = " · ".join(filter(None, (asked.model, asked.features)))
        there = ", ".join(dict.fromkeys(f"{one.model} · {one.features}" for one in trained))
        raise InputError(f"{asked.results}: has no finished cell of {wanted}; it has {there or 'none of fold 0'}.")
    who = line_of(leader(fitting))
    return [one for one in fitting if line_of(one) == who]


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
    store: Store, seeds: list[CellRecord], theirs: list[CellRecord], of: tuple[FoldView, Predictions] | None
) -> None:
    """Print the metric, and of predictions the probability of going back, by length of history."""
    one, other, users = per_query(store, seeds, "all"), per_query(store, theirs, "all"), store.users(seeds[0].id)
    keys = sorted(one.keys() & other.keys())
    mine, against, user = (np.array([row[k] for k in keys]) for row in (one, other, {k: k[0] for k in keys}))
    asked = zip(users["user"].tolist(), users["cutoff"].tolist(), strict=True)
    length = dict(zip(asked, users["history"].tolist(), strict=True))
    history = np.array([length[key] for key in keys])
    back = going_back(*of, user) if of else ()
    print(
        f"  by length of history  queries    model {theirs[0].model:>10s}  difference"
        + "                    going back: said  happened" * bool(back)
    )
    for low, high in pairwise(quartiles(history)):
        here = (low <= history) & (history < high)
        more = interval_text(over_users((mine - against)[here], user[here]))
        named = f"{history[here].min():,} to {plural(int(history[here].max()), 'event')}"
        shares = "".join(f"{part[here].mean():{wide}.3f}" for part, wide in zip(back, (18, 10), strict=False))
        print(
            f"    {named:19s}{here.sum():8,d}{mine[here].mean():9.3f}{against[here].mean():11.3f}  {more:28s}{shares}"
        )


def going_back(view: FoldView, predictions: Predictions, user: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """float[U] twice, for these users: the probability of touched categories, and the labels' weight on them."""
    seen = seen_candidates(view, predictions.queries)
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
    command("why", Asked, main, __doc__)
