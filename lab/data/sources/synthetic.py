"""SyntheticShop: the embedded default, a made-up shop that knows its own truth."""

import hashlib
import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import ClassVar

import numpy as np
import polars as pl

from lab.core.errors import InputError
from lab.data.schema import Behaviour
from lab.data.sources import shop_oracle, shop_visits, shop_world
from lab.data.sources.base import Scan, Source
from lab.data.sources.shop_settings import ShopSettings

VERSION = 1
"""Raised whenever the same settings give another log."""

SECOND = 1_000_000
"""Microseconds in a second."""


@dataclass(frozen=True)
class World:
    """Everything that follows from the settings."""

    shelves: shop_world.Catalogue
    stock: shop_world.Items
    crowd: shop_world.People
    seen: shop_visits.Visits


@dataclass(frozen=True, kw_only=True)
class SyntheticShop(ShopSettings, Source):
    """A made-up shop whose users' interests drift, switch and return; it needs no file.

    A user holds a few interests, each in one category, of lasting strength. Every night an interest may
    *drift* to a category much like its own, *switch* to one that tends to follow its own, or *come back*
    to where it began; a purchase settles it, and it moves on (a durable good is not bought twice in a
    row). What follows what is laid down by a map of five dimensions and a fixed turn of it, so it can be
    learned, and the order of a history tells what its counts do not. Visits are Poisson given all that,
    with seasons of the year and the week, and categories that rise and die; a share of visits follows no
    interest but what is popular. A visit is a burst of views of one category's items, then perhaps a cart
    and a purchase. Items arrive over time and newer ones are viewed more; prices belong to items, and
    a user has a budget. Users arrive, each at a time of their own, and leave for good.

    What a real log has that this one lacks: duplicates, missing values, bots, returns, quantities, texts,
    promotions and stock-outs, price changes, outside shocks, households that share an account, users who
    influence each other or are steered by what the shop shows them, visits across several categories, habits
    of a single item (refills), pauses of weeks, and tastes that no map of a few dimensions holds. Names mean
    nothing: which category follows which has to be seen in the log. All users follow one law of moving. A model
    that does well here has shown that it can learn order, recency and novelty, not that it will sell.
    """

    name: ClassVar[str] = "synthetic shop"
    licence: ClassVar[str | None] = "CC0-1.0"
    behaviours: ClassVar[tuple[Behaviour, ...]] = (Behaviour("view"), Behaviour("cart"), Behaviour("purchase"))

    @cached_property
    def world(self) -> World:
        """The world of these settings; built once. Raises InputError where it does not fit memory."""
        self.require_memory()
        shelves = shop_world.catalogue(self)
        crowd = shop_world.people(self, shelves)
        return World(shelves, shop_world.items(self, shelves), crowd, shop_visits.visits(self, shelves, crowd))

    def scan(self) -> Scan:
        """All events in time order. Users are whole numbers from 0, in no meaningful order."""
        world = self.world
        log = shop_visits.events(self, world.stock, world.crowd, world.seen)
        frame = pl.DataFrame(
            {
                "user": log.user,
                "item": pl.Series(world.stock.names, dtype=pl.String).gather(log.item),
                "time": self.first_instant + log.second * SECOND,
                "category": pl.Series(world.shelves.names, dtype=pl.String).gather(log.category),
                "behaviour": pl.Series([b.name for b in self.behaviours]).gather(log.behaviour),
                "price": world.stock.price[log.item],
                "row": np.arange(len(log.user), dtype=np.uint32),
            }
        )
        return Scan(frame.lazy(), self.behaviours, facts={"version": VERSION, **self.settings()})

    def fingerprint(self, cache: Path | None = None) -> str:
        """Hash of the settings and of the generator's version; nothing is read."""
        said = json.dumps({"source": self.name, "version": VERSION, **self.settings()}, sort_keys=True)
        return hashlib.sha256(said.encode()).hexdigest()

    def oracle(
        self, users: np.ndarray, cutoffs: np.ndarray, horizon: int, categories: np.ndarray, *, counts: bool = False
    ) -> np.ndarray:
        """float64[Q, C]: the truth's own prediction for each of Q queries, to rank C `categories` by.

        - users: [Q], raw ids as in `scan`, as numbers or as the text that histories keep;
          cutoffs: int64[Q], microseconds; horizon: microseconds.
        - default: the chance that the user touches a category in (cutoff, cutoff + horizon];
          with `counts`, the expected number of events there. Windows end with the log at the latest.

        It knows all settings and laws, every user's strength of interest, where each interest stands on
        the day of the cutoff, and who has left for good by then. It does not know what comes after the
        cutoff: neither moves, nor visits, nor who leaves. Since nothing before the cutoff tells more about
        the rest than that state does, no ranking by what came before has a higher expected hit rate at any
        depth: it is the upper bound to which tables compare (a ranking that also knew later moves would score
        higher, but nothing could ever reach it).

        Expected events are exact, except that a visit counts at its start (the rest of it follows within
        minutes). The chance of a touch takes one step that is not: where an interest lies, given that it
        is not in a category and has not touched it since the cutoff, is taken to be where it would lie
        without that last knowledge. That understates the chances of very active users by some hundredths at
        30 days; in tests, ranking by it keeps over 99.9 % of the gain that the exact chances would have.

        Raises InputError for a user or a category that this shop does not have.
        """
        columns, users = self._columns(categories), self._rows(users)
        found = np.empty((len(users), len(columns)))
        for cutoff in np.unique(cutoffs):
            asked = cutoffs == cutoff
            events, touched = self._outlook(users[asked], int(cutoff), horizon)
            found[asked] = (events if counts else touched)[:, columns]
        return found

    def _rows(self, users: np.ndarray) -> np.ndarray:
        try:
            rows = np.asarray(users).astype(np.int64)
        except ValueError as error:
            raise InputError(f"users: the shop's users are whole numbers ({error}).") from None
        if len(rows) and (rows.min() < 0 or rows.max() >= self.users):
            raise InputError(f"users: the shop has users 0 to {self.users - 1}, not {rows.min()} to {rows.max()}.")
        return rows

    def _columns(self, categories: np.ndarray) -> np.ndarray:
        place = {name: i for i, name in enumerate(self.world.shelves.names)}
        strange = [name for name in categories if name not in place]
        if strange:
            raise InputError(f"categories: the shop has no category {strange[0]!r}; it has {', '.join(place)}.")
        return np.array([place[name] for name in categories], np.int64)

    def _outlook(self, users: np.ndarray, cutoff: int, horizon: int) -> tuple[np.ndarray, np.ndarray]:
        world, since = self.world, (cutoff - self.first_instant) / SECOND
        return shop_oracle.outlook(self, world.shelves, world.crowd, world.seen, users, since, horizon / SECOND)
