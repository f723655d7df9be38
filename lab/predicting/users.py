"""Users of a trained cell's log: their own ids, their row numbers, and the queries that are theirs.

Ids stay in the cache of prepared logs, so that results, figures and tables can be shown around: these name a user by
the row number in the prepared log, in which users stand in the order of their ids as text.

rows = user_rows(trained, ["visitor-7", "visitor-12"])
table = next_items(trained, users=rows)
table["visitor"] = user_ids(trained, table["user"])
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from lab.core.errors import InputError

if TYPE_CHECKING:
    from lab.predicting.trained_cell import TrainedCell

Users = Sequence[int] | np.ndarray
"""Row numbers of users."""


def user_rows(trained: "TrainedCell", ids: Sequence[Any] | np.ndarray) -> np.ndarray:
    """int64[N]: the row numbers of users by their ids in the log, compared as text: 7 is "7".

    Raises InputError for an id that the log has not, or has no more after cleaning.
    """
    row = {name: number for number, name in enumerate(_names(trained))}
    wanted = [str(one) for one in _as_list(ids, "ids", "['7', '12']")]
    for one in wanted:
        if one not in row:
            raise InputError(f"ids: {one!r} is no user of the log as it was read and cleaned.")
    return np.array([row[one] for one in wanted], np.int64)


def user_ids(trained: "TrainedCell", rows: Users) -> np.ndarray:
    """str objects [N]: the ids in the log of users by row number. Raises InputError for a row that it has not."""
    names, numbers = _names(trained), _row_numbers(rows, "rows")
    for one in numbers:
        if not 0 <= one < len(names):
            raise InputError(f"rows: {one} is no row number of the log's users; they are 0 to {len(names) - 1:,}.")
    return names[np.array(numbers, np.int64)]


def of_users(rows: np.ndarray, users: Users | None) -> np.ndarray:
    """bool[Q]: which queries, of users in these rows of the log, are of the users named; all where None are.

    Raises InputError for what is no list of row numbers, an empty one, and a user who is never asked.
    """
    if users is None:
        return np.ones(len(rows), bool)
    named, asked = _row_numbers(users, "users"), np.unique(rows)
    some = f"name some of {', '.join(map(str, asked[:5]))}, ..."
    if not named:
        raise InputError(f"users: names nobody; {some}")
    strange = sorted(set(named) - set(asked.tolist()))
    if strange:
        raise InputError(f"users: row {strange[0]} is never asked; {some}")
    return np.isin(rows, named)


def _names(trained: "TrainedCell") -> np.ndarray:
    """str objects: the ids of all users of the log, by row number; a cell may have been loaded with some of them."""
    return replace(trained.data.view.histories, rows=None).user_names


def _row_numbers(users: Any, where: str) -> list[int]:
    for one in (listed := _as_list(users, where, "[3, 14]")):
        if not isinstance(one, int | np.integer) or isinstance(one, bool):
            raise InputError(
                f"{where}: {one!r} is no row number; lab.predicting.user_rows gives those of users by their ids in "
                "the log."
            )
    return [int(one) for one in listed]


def _as_list(values: Any, where: str, such: str) -> list[Any]:
    if np.ndim(values) != 1:
        raise InputError(f"{where}: {values!r} is not a list; write one such as {such}.")
    return list(values)
