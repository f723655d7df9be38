"""Last category: what the user took most recently, first."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from lab.baselines.labelled_queries import LabelledQueries
from lab.baselines.past_events import past, popularity
from lab.baselines.popularity import WindowedBaseline
from lab.baselines.tuning import Choice
from lab.data.fold.queries import FoldView, Queries


@dataclass(frozen=True)
class LastScorer:
    popularity_days: float
    choices: tuple[Choice, ...] = ()

    def scores(self, view: FoldView, queries: Queries) -> np.ndarray:
        own = past(view, queries).touches()
        latest = np.full(own.shape, -1, np.int64)
        latest[own.query, own.candidate] = np.arange(len(own.query))  # the last touch of a pair stays
        query, candidate = np.nonzero(latest >= 0)
        order = np.lexsort((-latest[query, candidate], query))
        query, candidate = query[order], candidate[order]
        seen = np.bincount(query, minlength=len(queries))
        recency_rank = np.arange(len(query)) - (np.cumsum(seen) - seen)[query]
        scores = popularity(view, queries, self.popularity_days) / (1 + seen)[:, None]
        scores[query, candidate] = 1 / (1 + recency_rank)
        return scores.astype(np.float32)


@dataclass(frozen=True, kw_only=True)
class LastCategory(WindowedBaseline):
    """score(c) = 1 / (1 + r), c the r-th most recent distinct candidate of the user (the last one: r = 0).

    Below all n of those, recent popularity: its share / (1 + n). Events at one instant are in the log's
    order. The recency baseline of repeat consumption: Anderson et al., "The Dynamics of Repeat
    Consumption" (WWW 2014).
    """

    name: ClassVar[str] = "last"
    orders_taken: ClassVar[bool] = True

    def fit_scorer(self, view: FoldView, train: LabelledQueries, valid: LabelledQueries, horizon: int) -> LastScorer:
        window = self.choose_window(view, valid)
        return LastScorer(window["popularity_days"], (window,))
