"""What a trained cell of next items names first at each query of the test, and where the item taken stands.

from lab.predicting.items import next_items
from lab.predicting.trained_cell import load_cell
from lab.predicting.users import user_ids, user_rows

trained = load_cell(Path("results/next_item"), "gru-ids-h14-f0-s0-0123456789ab")
table = next_items(trained, users=user_rows(trained, ["visitor-7", "visitor-12"]), first=5)
table["visitor"] = user_ids(trained, table["user"])
"""

from typing import TYPE_CHECKING

import numpy as np

from lab.core.errors import InputError
from lab.predicting.trained_cell import TrainedCell
from lab.predicting.users import Users, of_users
from lab.targets.next_item import NextItem
from lab.targets.next_item.answers import DEPTH, NextAnswers

if TYPE_CHECKING:
    import pandas as pd


def next_items(trained: TrainedCell, users: Users | None = None, first: int = 10) -> "pd.DataFrame":
    """A row for each query of the test and each of the first items, best first.

    user    row number in the prepared log, as in users.parquet; never a raw id, which `lab.predicting.user_ids` has
    known   how many of the user's events were known
    cutoff  the event up to which they were; left out where instants are no dates (leave-one-out, logs without times)
    place   1 for the best
    item    the name of the item there
    taken   the name of the item that was taken next; missing where none was within the horizon, or an unknown one
    rank    its place among all items, ties counting against it; missing where `taken` is

    `users` are row numbers (`lab.predicting.user_rows` has those of ids); None: everyone who is asked. The whole test
    is scored, whoever is named. Raises InputError for a cell of another target, for what names no user or one who is
    never asked, and for a number of items that is none, or more than are kept of a ranking.
    """
    if not isinstance(trained.cell.experiment.target, NextItem):
        name = trained.cell.experiment.target.name
        raise InputError(
            f"{trained.cell.id}: is of target {name}, which names no next items; see lab.predicting.interests."
        )
    if not isinstance(first, int | np.integer) or not 1 <= first <= DEPTH:
        raise InputError(f"first: {first!r} is no number of items that can be had; use 1 to {DEPTH}.")
    rows = trained.data.view.histories.row_of(trained.data.splits["test"].queries.user)
    chosen = np.flatnonzero(of_users(rows, users))
    answers: NextAnswers = trained.answers()
    return _frame(trained, chosen, NextAnswers(*(part[chosen] for part in answers)), first)


def _frame(trained: TrainedCell, chosen: np.ndarray, answers: NextAnswers, first: int) -> "pd.DataFrame":
    import pandas as pd

    view, queries = trained.data.view, trained.data.splits["test"].queries[chosen]
    histories, named = view.histories, answers.first[:, :first]
    table = {"user": histories.row_of(queries.user), "known": view.known_events(queries)}
    if histories.times is not None:
        table["cutoff"] = view.clock_at(queries).astype("datetime64[us]")
    taken = _label_of_query(trained)[chosen]
    query, place = np.nonzero(named >= 0)  # where few candidates are left, fewer stand there
    rank = pd.array(answers.rank[query] + 1, dtype="Int64")
    rank[taken[query] < 0] = pd.NA
    names = {
        "place": place + 1,
        "item": view.names[named[query, place]],
        "taken": np.append(view.names, np.array([None]))[taken[query]],
        "rank": rank,
    }
    return pd.DataFrame({name: values[query] for name, values in table.items()} | names)


def _label_of_query(trained: TrainedCell) -> np.ndarray:
    """int32[Q]: the label of each query of the test, -1 where it has none."""
    return trained.data.splits["test"].labels[trained.cell.experiment.horizons.index(trained.cell.horizon)].single
