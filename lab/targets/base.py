"""What every target is: the labels of a query, the loss they give, and how predictions are judged."""

from dataclasses import dataclass, field
from typing import ClassVar

from jaxtyping import Array, Float, Int

from lab.data.categories import Categories
from lab.data.queries import FoldView, Labels, Queries


@dataclass(frozen=True, kw_only=True)
class Target:
    """Settings of a target; a subclass names itself and fills in the methods."""

    name: ClassVar[str]

    categories: Categories = field(default_factory=Categories)
    """What a category is."""

    def labels(self, view: FoldView, queries: Queries, horizon: int) -> Labels:
        """Labels of each query for the window (cutoff, cutoff + horizon], in microseconds."""
        raise TypeError(f"{type(self).__name__} defines no labels")

    def loss(
        self,
        logits: Float[Array, "B Q C"],
        query: Int[Array, "B L"],
        id: Int[Array, "B L"],
        weight: Float[Array, "B L"],
        smoothing: Float[Array, ""],
    ) -> tuple[Float[Array, ""], Float[Array, ""]]:
        """Sum of the labelled queries' losses, and how many those are."""
        raise TypeError(f"{type(self).__name__} defines no loss")
