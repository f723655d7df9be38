"""Interest: which categories a user touches in the window."""

from typing import TYPE_CHECKING

from lab.core.lazy import lazy_exports

if TYPE_CHECKING:
    from lab.targets.interest.target import Interest

__all__ = ["Interest"]

__getattr__, __dir__ = lazy_exports(__name__, {"Interest": "target"})
