"""What feature groups say of steps and events, checked where it arrives: a number for each, and nothing else."""

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from lab.core.errors import InputError
from lab.data.fold.queries import FoldView
from lab.data.rows.batch import Columns
from lab.data.rows.steps import Steps
from lab.features.base import FeatureGroup, State

Groups = Iterable[FeatureGroup]
States = Mapping[str, State]


def step_columns(groups: Groups, view: FoldView, steps: Steps, states: States) -> Columns:
    """Columns of the step-side groups. Raises InputError naming group and column, as the other two do."""
    mine = {group.name: group.transform(view, steps, states[group.name]) for group in groups if group.side == "step"}
    return {name: _checked(f"{name}: transform", columns, len(steps), "step") for name, columns in mine.items()}


def event_columns(groups: Groups, view: FoldView, states: States) -> Columns:
    """Columns of the candidate-side groups."""
    mine = {g.name: g.transform_events(view, states[g.name]) for g in groups if g.side == "candidate"}
    events = len(view.histories.time)
    return {name: _checked(f"{name}: transform_events", columns, events, "event") for name, columns in mine.items()}


def tables(groups: Groups, view: FoldView, steps: Steps, states: States) -> Columns:
    """Tables of the candidate-side groups."""
    mine = {g.name: g.tables(view, steps, states[g.name]) for g in groups if g.side == "candidate"}
    return {name: _checked(f"{name}: tables", columns, None, "row") for name, columns in mine.items()}


def _checked(what: str, columns: Any, rows: int | None, kind: str) -> dict[str, np.ndarray]:
    """Columns that have `rows` rows, one for each step or event, and hold finite numbers; None: any number of rows."""
    what = f"feature group {what}"
    if not isinstance(columns, Mapping):
        raise InputError(f'{what} gave a {type(columns).__name__}; give a dict of arrays, such as {{"number": array}}.')
    for name, column in columns.items():
        of, shape = f"{what} gave a column {name!r}", np.shape(column)
        if rows is not None and shape[:1] != (rows,):
            count = f"{shape[0]:,} rows" if shape else "no rows"
            raise InputError(f"{of} of {count} for {rows:,} {kind}s; give one row for each {kind}.")
        if not isinstance(column, np.ndarray) or column.dtype.kind not in "biuf":
            held = column.dtype if isinstance(column, np.ndarray) else type(column).__name__
            raise InputError(f"{of} of {held}; give a numpy array of numbers.")
        _check_finite(of, column, kind)
    return dict(columns)


def _check_finite(of: str, column: np.ndarray, kind: str) -> None:
    if column.dtype.kind == "f" and not np.isfinite(column).all():
        values = np.atleast_1d(column)
        bad = np.nonzero(~np.isfinite(values))
        rows = np.unique(bad[0])
        raise InputError(
            f"{of} that is not finite at {len(rows):,} of {len(values):,} {kind}s, first {values[bad][0]} at {kind} "
            f"{rows[0]:,}; give a number at each, 0 where there is nothing to say."
        )
