"""What can be set of the made-up shop, and the random streams that follow from its seed."""

from dataclasses import dataclass, fields
from datetime import date
from functools import cached_property
from typing import Any

import numpy as np

from lab.core.errors import InputError
from lab.core.fingerprint_marks import not_fingerprinted
from lab.core.memory import Size, require_memory
from lab.core.number_limits import Limits, at_most
from lab.core.setting_types import check_types
from lab.data.timeline import DAY


@dataclass(frozen=True, kw_only=True)
class ShopSettings:
    """What can be set of the shop; the world follows from it, to the last bit."""

    users: int = 2_000
    """People who ever come."""
    days: int = 180
    """Days that the log covers."""
    categories: int = 60
    """Categories the shop sells."""
    items: int = 3_000
    """Items it ever sells, at least one a category; two in five arrive while the log runs."""
    events_per_user: float = 80.0
    """Events of an average user over the whole log, about; single users differ widely."""
    interests: int = 3
    """Interests that a user holds at one time, each in one category, some stronger than others."""
    drift: float = 0.008
    """Chance per day that an interest drifts to a category much like its own."""
    switch: float = 0.008
    """Chance per day that an interest switches to one that tends to follow its own."""
    comeback: float = 0.015
    """Chance per day that an interest returns to the category in which that user's interest began."""
    durable: float = 0.8
    """Chance that a purchase settles its interest, which then moves on to what tends to follow."""
    wander: float = 0.05
    """Share of visits that follow no interest of the user, only what is popular."""
    churn: float = 0.002
    """Chance per day that a user leaves for good."""
    arrivals: float = 0.5
    """Users arrive evenly over this first share of the days."""
    seasons: float = 0.6
    """Strength of yearly and weekly seasons and of rising and dying categories, from 0 (none) to 1."""
    start: str = "2024-01-01"
    """First day of the log, an ISO date (UTC)."""
    seed: int = 0
    """Seed of the whole world."""

    @staticmethod
    @not_fingerprinted
    def number_limits() -> Limits:
        """What each number can be: categories are counted in 16 bits."""
        return {"categories": at_most(np.iinfo(np.int16).max)}

    def __post_init__(self) -> None:
        check_types(self, "source")
        least = {"users": 1, "days": 1, "categories": 2, "items": self.categories, "interests": 1, "seed": 0}
        for name, low in least.items():
            value = getattr(self, name)
            if value < low:
                raise InputError(f"source.{name}: {value!r} is not a whole number of at least {low}.")
        for name in ("drift", "switch", "comeback", "durable", "wander", "churn", "arrivals", "seasons"):
            if not 0 <= getattr(self, name) <= 1:
                raise InputError(f"source.{name}: {getattr(self, name)!r} is not between 0 and 1.")
        if self.drift + self.switch + self.comeback > 1:
            raise InputError(
                f"source.drift, source.switch and source.comeback: {self.drift} + {self.switch} + {self.comeback} "
                "is over 1, and an interest makes at most one move a day; make them smaller."
            )
        if not 0 < self.events_per_user < float("inf"):
            raise InputError(f"source.events_per_user: {self.events_per_user!r} is not a positive number of events.")
        self._check_reach()

    def _check_reach(self) -> None:
        if self.interests > self.categories:
            raise InputError(
                f"source.interests: {self.interests} interests need as many categories and there are "
                f"{self.categories}; use at most that."
            )
        _ = self.first_instant

    def require_memory(self) -> None:
        """Raise InputError where what follows from the settings does not fit memory."""
        names = ("users", "days", "categories", "items", "events_per_user", "interests")
        default: dict[str, Any] = {f.name: f.default for f in fields(ShopSettings)}
        require_memory([Size(f"source.{name}", getattr(self, name), default[name]) for name in names], bytes_of_shop)

    @cached_property
    def first_instant(self) -> int:
        """The first midnight, in microseconds since 1970 UTC."""
        try:
            return (date.fromisoformat(self.start) - date(1970, 1, 1)).days * DAY
        except (TypeError, ValueError):
            raise InputError(f"source.start: {self.start!r} is not a date; write one like 2024-01-01.") from None

    def settings(self) -> dict[str, float | int | str]:
        """Every setting by name."""
        return {f.name: getattr(self, f.name) for f in fields(ShopSettings)}


@not_fingerprinted
def bytes_of_shop(
    users: float, days: float, categories: float, items: float, events_per_user: float, interests: float
) -> float:
    """About how many bytes a shop takes at most while its log is made, as measured up to 7 million events."""
    people = users * (250 * events_per_user + 2 * days * interests + 100 * interests)
    return people + 100 * days * categories + 64 * categories**2 + 160 * items


def stream(shop: ShopSettings, part: str) -> np.random.Generator:
    """The random stream of one part of the world: a change of one part leaves the draws of the others as they were."""
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence([shop.seed, *part.encode()])))
