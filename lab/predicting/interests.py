"""How interests evolve: what a trained model expected of each user at every tick, beside what then happened.

    from lab.predicting.interests import evolution
    from lab.predicting.trained_cell import load_cell

    trained = load_cell(Path("results/lstm_vs_transformer"), "lstm-full-h7-f0-s0-0123456789ab")
    table = evolution(trained)      # or evolution(trained, users=[3, 14])

A prediction at a tick is made from the events up to it: the same history cut off there gives the same
prediction, and whether there is one at all. The parameters are of course what training made of the windows
that closed by the valid cutoff: up to there a model is shown what it has learned from.
"""

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from lab.data.fold.queries import FoldView, Labels
from lab.data.rows.batch import Columns
from lab.data.rows.entries import trace_entries
from lab.data.rows.layout import PackedRows
from lab.data.rows.packing import cut_per_query, pack
from lab.data.rows.recent_histories import recent_histories
from lab.data.rows.steps import Steps, lay_steps
from lab.dataset.columns import event_columns, step_columns, tables
from lab.dataset.dataset import Dataset
from lab.predicting.trained_cell import TrainedCell
from lab.predicting.users import Users, of_users

if TYPE_CHECKING:
    import pandas as pd


def evolution(trained: TrainedCell, users: Users | None = None) -> "pd.DataFrame":
    """A row for each user, tick up to the test cutoff, and category.

    user       row number in the prepared log; never a raw id, which `lab.predicting.user_ids` has
    cutoff     the tick: events up to it are known
    category   one of the model's candidates
    predicted  its probability, summing to 1 over a user's categories at a tick
    happened   its share of what the user did in the window after the tick; NaN where that was nothing

    `users` are row numbers (`lab.predicting.user_rows` has those of ids); None: everyone who is asked at some tick
    (of a log in shards: in the first). Raises InputError for what names no user, for one who is never asked, and for
    a cell of next items, which `lab.predicting.next_items` is for.
    """
    view = trained.data.view
    steps = _steps(trained, view, users)
    horizon = view.fold.horizons[trained.cell.experiment.horizons.index(trained.cell.horizon)]
    labels = trained.cell.experiment.target.labels(view, steps.queries, horizon)
    shares = softmax(trained.scores(*_pack_alone(trained, view, steps, labels)))
    return _frame(view, steps, shares, label_shares(labels, view.candidates))


def _steps(trained: TrainedCell, view: FoldView, users: Users | None) -> Steps:
    """The users' steps, asked at every tick."""
    steps = lay_steps(view, trained.cell.experiment.timeline, "test", every_tick=True)
    return replace(steps, asked=steps.asked[of_users(view.histories.row_of(steps.queries.user), users)])


def _pack_alone(trained: TrainedCell, view: FoldView, steps: Steps, labels: Labels) -> tuple[PackedRows, Columns]:
    """Rows in which every query has a history of its own, that ends there: a later step cannot even move its place."""
    data: Dataset = trained.data
    length = trained.cell.experiment.training.row_length
    groups, states = data.groups.values(), data.states
    known = tables(groups, view, steps, states) | {"head": data.splits["test"].tables["head"]}
    if view.history is not None:
        view, steps = recent_histories(view, steps)
    segments = cut_per_query(steps, length)
    packed = PackedRows(
        view=view,
        steps=steps,
        segments=segments,
        packing=pack(segments.length, length),
        length=length,
        entries=trace_entries(view, steps, segments),
        labels=(labels,),
        step_columns=step_columns(groups, view, steps, states),
        event_columns=event_columns(groups, view, states),
    )
    return packed, known


def softmax(logits: np.ndarray) -> np.ndarray:
    """float32[Q, C] of logits [Q, C]."""
    raised = np.exp(logits - logits.max(axis=1, keepdims=True))
    return raised / raised.sum(axis=1, keepdims=True)


def label_shares(labels: Labels, candidates: int) -> np.ndarray:
    """float32[Q, C]: the labels' weights, a row of NaN where there is none."""
    counts = np.diff(labels.offsets)
    shares = np.zeros((len(labels), candidates), np.float32)
    shares[np.repeat(np.arange(len(labels)), counts), labels.ids] = labels.weights
    shares[counts == 0] = np.nan
    return shares


def _frame(view: FoldView, steps: Steps, predicted: np.ndarray, happened: np.ndarray) -> "pd.DataFrame":
    import pandas as pd

    queries, count = steps.queries, view.candidates
    codes = np.tile(np.arange(count), len(queries))
    return pd.DataFrame(
        {
            "user": np.repeat(view.histories.row_of(queries.user), count),
            "cutoff": np.repeat(queries.cutoff.astype("datetime64[us]"), count),
            "category": pd.Categorical.from_codes(codes, categories=list(map(str, view.names))),  # pyright: ignore[reportArgumentType]
            "predicted": predicted.ravel(),
            "happened": happened.ravel(),
        }
    )
