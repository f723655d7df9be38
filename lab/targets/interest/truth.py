"""What a source that made its log itself knows of users' interests."""

from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import numpy as np

from lab.data.fold.queries import FoldView, Queries


@runtime_checkable
class KnowsInterest(Protocol):
    """A source that knows what to expect of each user."""

    def oracle(self, users: np.ndarray, cutoffs: np.ndarray, horizon: int, categories: np.ndarray) -> np.ndarray:
        """float64[Q, C]: the chance that each user (raw ids) touches each category in the window."""
        ...


@dataclass(frozen=True)
class InterestTruth:
    """The chances as scores."""

    source: KnowsInterest

    def answers(self, view: FoldView, queries: Queries, horizon: int) -> Any:
        """float32[Q, C]: the chance of each category in (cutoff, cutoff + horizon], in microseconds."""
        users = view.histories.user_names[queries.user]
        return np.asarray(self.source.oracle(users, queries.cutoff, horizon, view.names), np.float32)
