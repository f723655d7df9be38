"""The targets, each in its own file, imported when first asked for."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lab.targets.base import Target
    from lab.targets.interest import Interest

_HOMES = {"Interest": "interest", "Target": "base"}

__all__ = ["Interest", "Target"]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
