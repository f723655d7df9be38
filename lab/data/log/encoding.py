"""A cleaned log as the arrays of histories: users, items and categories renumbered in the order of their names."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl

from lab.core.errors import InputError
from lab.data.log.log import Log, resolution
from lab.data.log.odd_ids import count_odd_names
from lab.data.schema import Behaviour
from lab.data.sources.base import Scan


@dataclass(frozen=True)
class BuiltLog:
    """What the histories' cache holds: the arrays of `Histories`, and what stays in the cache alone."""

    arrays: dict[str, np.ndarray]
    """offsets, time, item, behaviour, and category, price, quantity where the log has them."""
    items: pl.DataFrame
    """name, and text where the log has it, one row an item."""
    categories: pl.DataFrame | None
    """name, one row a category."""
    users: pl.DataFrame
    """name (the raw id) and attributes, one row a user."""
    quarantine: pl.DataFrame
    """file, row, column, value, reason."""
    behaviours: tuple[Behaviour, ...]
    facts: dict[str, Any]


def encode_log(log: Log, scan: Scan, quarantine: pl.DataFrame, facts: dict[str, Any]) -> BuiltLog:
    """Renumber what is left: users, items and categories that still have events, in the order of their names."""
    arrays, names = {"time": log["time"], "behaviour": log["behaviour"].astype(np.int8)}, {}
    user, names["user"] = _compact(log, "user")
    arrays["offsets"] = np.concatenate([[0], np.cumsum(np.bincount(user, minlength=len(names["user"])))]).astype(
        np.int64
    )
    for name in ("item", "category"):
        if name in log:
            arrays[name], names[name] = _compact(log, name)
    arrays |= {name: log[name] for name in ("price", "quantity") if name in log}
    items = pl.DataFrame({"name": pl.Series(names["item"], dtype=pl.String)})
    if "text" in log:
        items = items.with_columns(pl.Series("text", _first_text(log, arrays["item"], len(items)), dtype=pl.String))
    categories = pl.DataFrame({"name": pl.Series(names["category"], dtype=pl.String)}) if "category" in log else None
    facts |= _time_facts(arrays, user) | {"users": len(names["user"]), "items": len(items), "events": len(log)}
    coded = {"user": user} | {name: arrays[name] for name in ("item", "category") if name in arrays}
    facts["blanks"] = {name: count_odd_names(names[name], codes) for name, codes in coded.items()}
    facts["categories"] = None if categories is None else len(categories)
    used = np.bincount(arrays["behaviour"], minlength=len(log.behaviours))
    facts["behaviours"] = {behaviour.name: int(n) for behaviour, n in zip(log.behaviours, used, strict=True)}
    users, missed = _user_table(names["user"], scan)
    facts |= {"attributes": {**facts["attributes"], "missed": missed}} if "attributes" in facts else {}
    return BuiltLog(arrays, items, categories, users, quarantine, log.behaviours, facts)


def _compact(log: Log, name: str) -> tuple[np.ndarray, np.ndarray]:
    """Codes without gaps and their names; -1 stays -1."""
    codes, names = log[name], log.names[name]
    used = np.zeros(len(names) + 1, bool)
    used[codes] = True
    used = used[:-1]
    if used.all():
        return codes, names
    new = np.append(np.cumsum(used, dtype=np.int32) - 1, np.int32(-1)).astype(np.int32)
    return new[codes], names[used]


def _first_text(log: Log, item: np.ndarray, items: int) -> list[str | None]:
    """What each item was called at its first event, None where nothing: never what only later events call it."""
    by_time = np.argsort(log["time"], kind="stable")
    first = np.empty(items, np.int64)
    # The last assignment wins, so the first event comes last.
    first[item[by_time[::-1]]] = by_time[::-1]
    return np.array([*log.names["text"], None], object)[log["text"][first]].tolist()


def _time_facts(arrays: Mapping[str, np.ndarray], user: np.ndarray) -> dict[str, Any]:
    """Ties, the resolution of time and what the rules left of its span, which the run prints."""
    time = arrays["time"]
    same = np.zeros(len(time) + 1, bool)
    same[1:-1] = (time[1:] == time[:-1]) & (user[1:] == user[:-1])
    tied = (same[1:] | same[:-1]).mean()
    kept = [int(time.min()), int(time.max())]
    return {"tied": float(tied), "resolution": resolution(time), "kept": kept}


def _user_table(names: np.ndarray, scan: Scan) -> tuple[pl.DataFrame, int]:
    """Raw ids and attributes, by row number, and how many users have none.

    Raises InputError when the second table names a user twice.
    """
    users = pl.DataFrame({"name": pl.Series(names, dtype=pl.String)})
    if scan.attributes is None:
        return users, 0
    known = scan.attributes.collect().filter(pl.col("user").is_not_null())
    twice = known.filter(known["user"].is_duplicated())
    if len(twice):
        raise InputError(f"source.attributes: the second table has user {twice['user'][0]!r} more than once.")
    missed = len(users.join(known, left_on="name", right_on="user", how="anti"))
    return users.join(known, left_on="name", right_on="user", how="left", maintain_order="left"), missed
