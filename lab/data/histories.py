"""Every user's events in time order: one compressed-sparse-row store of flat columns."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from lab.data.schema import Behaviour
from lab.errors import FaultError

if TYPE_CHECKING:
    import polars as pl


@dataclass(frozen=True)
class Histories:
    """U users and N events, sorted by (user, time, original row); columns may be memory-mapped.

    Codes of items and categories index `item_names` and `category_names`, which cover the whole log in
    no meaningful order: what a model may know of them is fitted per fold (`lab.data.vocabulary`).
    """

    offsets: np.ndarray
    """int64[U + 1]: user u's events are offsets[u]:offsets[u + 1]."""
    time: np.ndarray
    """int64[N], microseconds since 1970 UTC, ascending within a user."""
    item: np.ndarray
    """int32[N], codes into item_names."""
    behaviour: np.ndarray
    """int8[N], codes into behaviours."""
    category: np.ndarray | None
    """int32[N], codes into category_names, -1 where the log has none; None when it has no such column."""
    price: np.ndarray | None
    """float32[N], per unit, NaN where missing; None when the log has no such column."""
    quantity: np.ndarray | None
    """float32[N], NaN where missing; None when the log has no such column."""
    item_names: np.ndarray
    """str objects [I], sorted."""
    category_names: np.ndarray | None
    """str objects [C], sorted."""
    item_text: np.ndarray | None
    """str objects [I]: what each item was called when it first appeared; None without a text column."""
    behaviours: tuple[Behaviour, ...]
    fingerprint: str
    """Hash of everything above: two logs that agree in it give the same numbers."""
    facts: Mapping[str, Any]
    """What reading and cleaning found (counts, rules, quarantine), JSON-able, for the run to print."""
    folder: Path | None = None
    """Where the cache holds them, with what never leaves it: raw user ids and attributes."""

    @property
    def users(self) -> int:
        return len(self.offsets) - 1

    @property
    def events(self) -> int:
        return len(self.time)

    @cached_property
    def sign(self) -> np.ndarray:
        """int8[behaviours]: what one event of each behaviour adds to a count."""
        return np.array([b.sign for b in self.behaviours], np.int8)

    @cached_property
    def user_of_event(self) -> np.ndarray:
        """int32[N]: the user of each event."""
        return np.repeat(np.arange(self.users, dtype=np.int32), np.diff(self.offsets))

    @cached_property
    def user_names(self) -> np.ndarray:
        """str objects [U]: raw ids by row number. Private: not for results, figures or logs."""
        return self.user_attributes()["name"].to_numpy()

    def user_attributes(self) -> "pl.DataFrame":
        """One row a user: `name` (the raw id) and what else the source knows of users. Private likewise."""
        import polars as pl

        if self.folder is None:
            raise FaultError("histories: these were made in memory and have no users' names beside them.")
        return pl.read_parquet(self.folder / "users.parquet")

    @cached_property
    def channel(self) -> np.ndarray:
        """int8[behaviours]: the count that an event of each behaviour changes.

        Its own, but that a cancellation takes back from the strongest of the others.
        """
        strongest = max((k for k, b in enumerate(self.behaviours) if b.sign > 0), default=0)
        return np.array([k if b.sign > 0 else strongest for k, b in enumerate(self.behaviours)], np.int8)
