"""Recent popularity: what everybody took lately, alike for every user."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from lab.baselines.base import Asked, Baseline, mean_ndcg
from lab.baselines.known import popularity
from lab.data.queries import FoldView, Queries

WINDOWS = (1.0, 3.0, 7.0, 14.0, 30.0, 60.0, 90.0, 180.0, 365.0)


@dataclass(frozen=True)
class PopularityScorer:
    days: float

    def scores(self, view: FoldView, queries: Queries) -> np.ndarray:
        return popularity(view, queries, self.days).astype(np.float32)


@dataclass(frozen=True, kw_only=True)
class RecentPopularity(Baseline):
    """score(c) = share of c among all users' events in the last w days before the cutoff.

    w is chosen on valid by NDCG@10; among candidates that nobody took in the window, all-time counts
    decide. The non-personal baseline of Ji et al., "A Re-visit of the Popularity Baseline in Recommender
    Systems" (SIGIR 2020), who show that counting all of the past understates it.
    """

    name: ClassVar[str] = "popularity"

    windows: tuple[float, ...] = WINDOWS
    """Days to choose from."""

    def fit_scorer(self, view: FoldView, train: Asked, valid: Asked, horizon: int) -> PopularityScorer:
        tried = [PopularityScorer(days) for days in self.windows]
        return max(tried, key=lambda scorer: mean_ndcg(scorer.scores(view, valid.queries), valid.labels))
