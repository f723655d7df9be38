"""The targets, each in its own file, imported when first asked for."""

from typing import TYPE_CHECKING

from lab.core.lazy import lazy_exports

if TYPE_CHECKING:
    from lab.targets.base import Target
    from lab.targets.interest import Interest
    from lab.targets.next_item import NextItem

__all__ = ["Interest", "NextItem", "Target"]

__getattr__, __dir__ = lazy_exports(
    __name__, {"Interest": "interest.target", "NextItem": "next_item.target", "Target": "base"}
)
