"""Recent popularity: what everybody took lately, alike for every user."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from lab.baselines.base import Baseline
from lab.baselines.labelled_queries import LabelledQueries
from lab.baselines.past_events import popularity
from lab.baselines.tuning import Axis, Choice, choose
from lab.core.fingerprint_marks import not_fingerprinted
from lab.core.number_limits import DAYS, Limits
from lab.data.fold.queries import FoldView, Queries


@dataclass(frozen=True)
class PopularityScorer:
    days: float
    choices: tuple[Choice, ...] = ()

    def scores(self, view: FoldView, queries: Queries) -> np.ndarray:
        return popularity(view, queries, self.days).astype(np.float32)


@dataclass(frozen=True, kw_only=True)
class WindowedBaseline(Baseline):
    """A baseline that leans on recent popularity."""

    windows: tuple[float, ...] = (1.0, 3.0, 7.0, 14.0, 30.0, 60.0, 90.0, 180.0, 365.0)
    """Days of popularity to choose from, by the popularity's own value on valid; of several, where the search begins:
    it goes on beyond the first or last while that is better."""

    @staticmethod
    @not_fingerprinted
    def number_limits() -> Limits:
        """What each number can be."""
        return {"windows": DAYS}

    def choose_window(self, view: FoldView, valid: LabelledQueries) -> Choice:
        """The window, `popularity_days`, by whose popularity the valid queries are ranked best."""
        axes = (Axis("popularity_days", self.windows),)
        return choose(view, valid, axes, lambda queries: lambda days: PopularityScorer(days).scores(view, queries))


@dataclass(frozen=True, kw_only=True)
class RecentPopularity(WindowedBaseline):
    """score(c) = share of c among all users' events in the last w days before the cutoff.

    w is chosen on valid by the target's leading metric; among candidates that nobody took in the window,
    all-time counts decide. The non-personal baseline of Ji et al., "A Re-visit of the Popularity Baseline in
    Recommender Systems" (SIGIR 2020), who show that counting all of the past understates it.
    """

    name: ClassVar[str] = "popularity"

    def fit_scorer(
        self, view: FoldView, train: LabelledQueries, valid: LabelledQueries, horizon: int
    ) -> PopularityScorer:
        window = self.choose_window(view, valid)
        return PopularityScorer(window["popularity_days"], (window,))
