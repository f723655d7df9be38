"""Next item: what a user takes next, asked after each of its events."""

from typing import TYPE_CHECKING

from lab.core.lazy import lazy_exports

if TYPE_CHECKING:
    from lab.targets.next_item.target import NextItem

__all__ = ["NextItem"]

__getattr__, __dir__ = lazy_exports(__name__, {"NextItem": "target"})
