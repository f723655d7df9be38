"""What each cleaning rule did to a log, and how that is said."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

BLANKED = "blanked"
"""What the description of a rule ends with that takes values out of rows, and leaves the rows."""


@dataclass(frozen=True)
class Removal:
    """What one rule did."""

    rule: str
    rows: int
    """Rows left out, or values blanked where `what` says so."""
    what: str

    def __str__(self) -> str:
        return f"{self.rows:,} by {self.rule}: {self.what}"

    @property
    def blanks(self) -> bool:
        """Whether the rows stayed, without the value."""
        return self.what.endswith(BLANKED)


def removals(facts: Mapping[str, Any]) -> list[Removal]:
    """What the rules did to a log, those that found nothing included, as the log's facts keep it."""
    return [Removal(**rule) for rule in facts.get("rules") or ()]


def removals_text(removed: Iterable[Removal]) -> str:
    """The rules that left out rows, in one line; empty where none did."""
    return "; ".join(str(one) for one in removed if one.rows and not one.blanks)
