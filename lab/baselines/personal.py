"""Personal frequency, plain and decayed: what the user took before."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from lab.baselines.base import Asked
from lab.baselines.known import past, popularity
from lab.baselines.popularity import Windowed
from lab.data.fold.queries import FoldView, Queries


@dataclass(frozen=True)
class FrequencyScorer:
    popularity_days: float

    def scores(self, view: FoldView, queries: Queries) -> np.ndarray:
        own = past(view, queries).counts()
        return (own + popularity(view, queries, self.popularity_days) / 2).astype(np.float32)


@dataclass(frozen=True, kw_only=True)
class PersonalFrequency(Windowed):
    """score(c) = the user's own count of c, and below it half the recent popularity share.

    A share is less than one event, so popularity orders only what the user's counts leave equal: "personal
    top frequency" of Hu et al., "Modeling Personalized Item Frequency Information for Next-basket
    Recommendation" (SIGIR 2020), with a back-off.
    """

    name: ClassVar[str] = "personal"
    orders_taken: ClassVar[bool] = True

    def fit_scorer(self, view: FoldView, train: Asked, valid: Asked, horizon: int) -> FrequencyScorer:
        return FrequencyScorer(self.chosen_window(view, valid))


@dataclass(frozen=True)
class DecayedScorer:
    days: float
    own_share: float
    popularity_days: float

    def scores(self, view: FoldView, queries: Queries) -> np.ndarray:
        own = shares(past(view, queries).counts(self.days))
        return self.mix(own, popularity(view, queries, self.popularity_days))

    def mix(self, own: np.ndarray, everyone: np.ndarray) -> np.ndarray:
        return (self.own_share * own + (1 - self.own_share) * everyone).astype(np.float32)


@dataclass(frozen=True, kw_only=True)
class DecayedPersonal(Windowed):
    """score(c) = a * (share of c among the user's events, each weighing exp(-age / tau)) + (1 - a) * popularity.

    tau and a are chosen on valid by NDCG@10: first tau at a = 0.7, then a. Time-decayed counts are those of
    Hu et al. (SIGIR 2020) and of the recency-aware baselines of Li et al., "A Next Basket Recommendation
    Reality Check" (TOIS 2023), with the decay in time instead of in baskets.
    """

    name: ClassVar[str] = "decayed"
    orders_taken: ClassVar[bool] = True

    taus: tuple[float, ...] = (0.25, 1.0, 3.0, 7.0, 14.0, 30.0, 60.0, 90.0, 180.0, 365.0, 730.0)
    """Time constants to choose from, in days."""
    own_shares: tuple[float, ...] = (0.3, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95)
    """Shares a of the user's own counts to choose from."""

    def fit_scorer(self, view: FoldView, train: Asked, valid: Asked, horizon: int) -> DecayedScorer:
        window = self.chosen_window(view, valid)
        everyone = popularity(view, valid.queries, window)
        own = past(view, valid.queries)

        def quality(scorer: DecayedScorer) -> float:
            return valid.ndcg(view, scorer.mix(shares(own.counts(scorer.days)), everyone))

        best = max((DecayedScorer(tau, 0.7, window) for tau in self.taus), key=quality)
        return max((DecayedScorer(best.days, share, window) for share in self.own_shares), key=quality)


def shares(counts: np.ndarray) -> np.ndarray:
    """Rows scaled to sum to 1; rows of zeros stay."""
    return counts / np.maximum(counts.sum(axis=1, keepdims=True), np.finfo(float).tiny)
