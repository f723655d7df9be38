"""The feature groups, each in its own file, imported when first asked for."""

from typing import TYPE_CHECKING

from lab.core.lazy import lazy_exports

if TYPE_CHECKING:
    from lab.features.base import FeatureGroup
    from lab.features.behaviour import Behaviour
    from lab.features.category import Category
    from lab.features.habit import Habit
    from lab.features.item import Item
    from lab.features.popularity import Popularity
    from lab.features.price import Price
    from lab.features.time import Time
    from lab.features.together import Together

__all__ = ["Behaviour", "Category", "FeatureGroup", "Habit", "Item", "Popularity", "Price", "Time", "Together"]

__getattr__, __dir__ = lazy_exports(
    __name__,
    {
        "Behaviour": "behaviour",
        "Category": "category",
        "FeatureGroup": "base",
        "Habit": "habit",
        "Item": "item",
        "Popularity": "popularity",
        "Price": "price",
        "Time": "time",
        "Together": "together",
    },
)
