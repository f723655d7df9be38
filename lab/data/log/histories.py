"""Every user's events in time order: one compressed-sparse-row store of flat columns."""

import mmap
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from lab.core.errors import FaultError
from lab.core.fingerprint_marks import computes_cells
from lab.data.schema import Behaviour

if TYPE_CHECKING:
    import polars as pl


COLUMNS = ("time", "original_time", "item", "behaviour", "category", "price", "quantity")
"""The flat columns, one value an event."""


@computes_cells("model", "baseline", "oracle")
@dataclass(frozen=True)
class Histories:
    """U users and N events, sorted by (user, time, original row); columns may be memory-mapped.

    Codes of items and categories index `item_names` and `category_names`, which cover the whole log in
    no meaningful order: what a model may know of them is fitted per fold (`lab.data.fold.vocabulary`).
    """

    offsets: np.ndarray
    """int64[U + 1]: user u's events are offsets[u]:offsets[u + 1]."""
    time: np.ndarray
    """int64[N], microseconds since 1970 UTC, ascending within a user: what orders events. For hours and days, see
    `clock`."""
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

    rows: np.ndarray | None = None
    """int32[U]: where these users stand in the whole log, for histories of some of them; None for all."""

    original_time: np.ndarray | None = None
    """int64[N], ascending within a user: the times before events that share one were moved apart
    (`lab.data.log.event_order`); None where nothing was."""

    @property
    def users(self) -> int:
        return len(self.offsets) - 1

    @property
    def events(self) -> int:
        return len(self.time)

    @property
    def clock(self) -> np.ndarray:
        """int64[N]: the time of each event, the same for events that share it, however they are ordered.

        How far events were moved apart tells how many follow; so whatever speaks of hours, days or gaps reads this.
        """
        return self.time if self.original_time is None else self.original_time

    @property
    def times(self) -> np.ndarray | None:
        """The times as they are on the clock; None where the log has none, or has been given others."""
        return self.clock if self.facts.get("timed", True) and "calendar" not in self.facts else None

    @property
    def span(self) -> tuple[int, int]:
        """The first and last instant of the log before any rule that is fitted, from which cutoffs follow.

        Of the calendar that events were given, where that is another than the clock's (`lab.data.log.event_order`).
        """
        calendar = self.facts.get("calendar", self.facts)
        return calendar["first"], calendar["last"]

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
        table = pl.read_parquet(self.folder / "users.parquet", glob=False)
        return table if self.rows is None else table[self.rows]

    def row_of(self, user: np.ndarray) -> np.ndarray:
        """The whole log's row numbers of users given by those of these histories."""
        return user if self.rows is None else self.rows[user]

    def of_users(self, rows: np.ndarray, offsets: np.ndarray, of: Callable[[np.ndarray], np.ndarray]) -> "Histories":
        """The histories of some users: their rows, their offsets, and what `of` takes of each flat column."""
        named = {name: getattr(self, name) for name in COLUMNS}
        taken = {name: None if column is None else of(column) for name, column in named.items()}
        return replace(self, offsets=offsets, rows=self.row_of(rows), **taken)

    def release(self) -> None:
        """Give back the memory of what was read of memory-mapped columns; they are read again when next asked for."""
        for column in (getattr(self, name) for name in COLUMNS):
            pages = getattr(column, "_mmap", None)
            if pages is not None and hasattr(mmap, "MADV_DONTNEED"):
                pages.madvise(mmap.MADV_DONTNEED)

    @cached_property
    def channel(self) -> np.ndarray:
        """int8[behaviours]: the count that an event of each behaviour changes.

        Its own, but that a cancellation takes back from the strongest of the others.
        """
        strongest = max((k for k, b in enumerate(self.behaviours) if b.sign > 0), default=0)
        return np.array([k if b.sign > 0 else strongest for k, b in enumerate(self.behaviours)], np.int8)
