"""Between which values a number that a person sets must lie: stated by its class, checked before it is used.

    @staticmethod
    @not_fingerprinted
    def number_limits() -> Limits:
        return {"hidden": whole(1, 4_096), "days": DAYS}

A list or mapping of numbers has the limits of each of them. None, where it is allowed, has none.
"""

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from lab.core.errors import InputError
from lab.core.fingerprint_marks import not_fingerprinted

MOST_DAYS = 1_000_000
"""The longest span that may be asked, longer than any calendar; microseconds of far more do not fit 64 bits."""

MOST = 10**9
"""Of what may be as many as there are: larger numbers say nothing more, and do not fit 32 bits."""


@dataclass(frozen=True)
class Limit:
    """From `low` to `high`, both possible unless `above` leaves out `low`."""

    low: float
    high: float
    what: str
    above: bool = False
    finite: bool = False
    """Whether only finite numbers are judged: the class itself refuses the others, with better words."""

    def holds(self, value: float) -> bool:
        """Whether a number lies within; NaN does not."""
        if self.finite and not math.isfinite(value):
            return True
        return (value > self.low if self.above else value >= self.low) and value <= self.high

    def __str__(self) -> str:
        if math.isinf(self.low):
            return (
                f"{self.what} of at most {self.high:,.0f}" if self.high < 1e15 else f"{self.what} below {self.high:g}"
            )
        begin = f"above {self.low:,g}" if self.above else f"from {self.low:,.0f}"
        return f"{self.what} {begin} {'and at most' if self.above else 'to'} {_shown(self.high)}"


Limits = Mapping[str, Limit]


def whole(low: int, high: int = MOST) -> Limit:
    """A count."""
    return Limit(low, high, "a whole number")


def at_most(high: float, finite: bool = False) -> Limit:
    """Any number of which the class itself checks how small it can be, and where `finite`, whether it is finite."""
    return Limit(-math.inf, high, "a number", finite=finite)


def number(low: float, high: float = MOST, above: bool = False) -> Limit:
    """Any number."""
    return Limit(low, high, "a number", above)


SHARE = number(0, 1)
DAYS = Limit(0, MOST_DAYS, "a number of days", above=True)


@not_fingerprinted
def check_numbers(settings: Any, where: str = "") -> None:
    """Raise InputError for the first number of a dataclass that lies outside the limits that its class states."""
    stated: Callable[[], Limits] = getattr(type(settings), "number_limits", dict)
    for name, limit in stated().items():
        for value in _numbers(getattr(settings, name)):
            if not limit.holds(value):
                raise InputError(
                    f"{where}.{name}".removeprefix(".") + f": {_shown(value)} is not possible; use {limit}."
                )


def _shown(value: float) -> str:
    return f"{value:,.0f}" if abs(value) < 1e15 and value == int(value) else f"{value:g}"


def _numbers(value: Any) -> Iterator[float]:
    if isinstance(value, Mapping):
        yield from value.values()
    elif isinstance(value, tuple | list):
        yield from value
    elif value is not None:
        yield value
