"""The feature groups, each in its own file, imported when first asked for."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lab.features.base import FeatureGroup
    from lab.features.behaviour import Behaviour
    from lab.features.category import Category
    from lab.features.habit import Habit
    from lab.features.item import Item
    from lab.features.popularity import Popularity
    from lab.features.price import Price
    from lab.features.time import Time

_HOMES = {
    "Behaviour": "behaviour",
    "Category": "category",
    "FeatureGroup": "base",
    "Habit": "habit",
    "Item": "item",
    "Popularity": "popularity",
    "Price": "price",
    "Time": "time",
}

__all__ = ["Behaviour", "Category", "FeatureGroup", "Habit", "Item", "Popularity", "Price", "Time"]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
