"""Personal frequency, plain and decayed: what the user took before."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import ClassVar

import numpy as np

from lab.baselines.labelled_queries import LabelledQueries
from lab.baselines.past_events import past, popularity
from lab.baselines.popularity import WindowedBaseline
from lab.baselines.tuning import Axis, Choice, choose
from lab.core.fingerprint_marks import not_fingerprinted
from lab.core.number_limits import DAYS, SHARE, Limits
from lab.data.fold.queries import FoldView, Queries


@dataclass(frozen=True)
class FrequencyScorer:
    popularity_days: float
    choices: tuple[Choice, ...] = ()

    def scores(self, view: FoldView, queries: Queries) -> np.ndarray:
        own = past(view, queries).counts()
        return (own + popularity(view, queries, self.popularity_days) / 2).astype(np.float32)


@dataclass(frozen=True, kw_only=True)
class PersonalFrequency(WindowedBaseline):
    """score(c) = the user's own count of c, and below it half the recent popularity share.

    A share is less than one event, so popularity orders only what the user's counts leave equal: "personal
    top frequency" of Hu et al., "Modeling Personalized Item Frequency Information for Next-basket
    Recommendation" (SIGIR 2020), with a back-off.
    """

    name: ClassVar[str] = "personal"
    orders_taken: ClassVar[bool] = True

    def fit_scorer(
        self, view: FoldView, train: LabelledQueries, valid: LabelledQueries, horizon: int
    ) -> FrequencyScorer:
        window = self.choose_window(view, valid)
        return FrequencyScorer(window["popularity_days"], (window,))


@dataclass(frozen=True)
class DecayedScorer:
    days: float
    own_share: float
    popularity_days: float
    choices: tuple[Choice, ...] = ()

    def scores(self, view: FoldView, queries: Queries) -> np.ndarray:
        everyone = popularity(view, queries, self.popularity_days)
        return self.add_own(self.of_everyone(everyone), past(view, queries).decayed_shares(self.days), everyone)

    def of_everyone(self, everyone: np.ndarray) -> np.ndarray:
        """float32[Q, C]: the scores of those who have no past."""
        return ((1 - self.own_share) * everyone).astype(np.float32)

    def add_own(self, scores: np.ndarray, own: tuple[np.ndarray, np.ndarray], everyone: np.ndarray) -> np.ndarray:
        """Those scores with what the users took, changed in place; `own` are places of flat [Q, C], and shares."""
        place, share = own
        mixed = self.own_share * share + (1 - self.own_share) * everyone.reshape(-1)[place]
        scores.reshape(-1)[place] = mixed.astype(np.float32)
        return scores


@dataclass(frozen=True, kw_only=True)
class DecayedPersonal(WindowedBaseline):
    """score(c) = a * (share of c among the user's events, each weighing exp(-age / tau)) + (1 - a) * popularity.

    tau and a are chosen on valid by the target's leading metric, both together; a = 0, which is popularity, is always
    among them. Time-decayed counts are those of Hu et al. (SIGIR 2020) and of the recency-aware baselines of Li et
    al., "A Next Basket Recommendation Reality Check" (TOIS 2023), with the decay in time instead of in baskets.
    """

    name: ClassVar[str] = "decayed"
    orders_taken: ClassVar[bool] = True

    taus: tuple[float, ...] = (0.1, 0.25, 1.0, 3.0, 7.0, 14.0, 30.0, 60.0, 90.0, 180.0, 365.0, 730.0, 1460.0)
    """Time constants to choose from, in days; of several, where the search begins."""
    own_shares: tuple[float, ...] = (0.01, 0.03, 0.1, 0.2, 0.3, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99)
    """Shares a of the user's own counts to choose from; of several, where the search begins."""

    @staticmethod
    @not_fingerprinted
    def number_limits() -> Limits:
        """What each number can be."""
        return {**WindowedBaseline.number_limits(), "taus": DAYS, "own_shares": SHARE}

    def fit_scorer(self, view: FoldView, train: LabelledQueries, valid: LabelledQueries, horizon: int) -> DecayedScorer:
        window = self.choose_window(view, valid)
        days = window["popularity_days"]
        axes = Axis("own_share", self.own_shares, "share"), Axis("tau_days", self.taus)
        # Popularity alone, whatever the time constant: what it is a mixture of is never better.
        popular = [(0.0, self.taus[len(self.taus) // 2])] if len(self.own_shares) > 1 else []
        found = choose(view, valid, axes, lambda queries: _mixtures(view, queries, days), popular)
        return DecayedScorer(found["tau_days"], found["own_share"], days, (window, found))


def _mixtures(view: FoldView, queries: Queries, popularity_days: float) -> Callable[[float, float], np.ndarray]:
    """From a share and a time constant to the scores; what one of them settles is made once."""
    everyone = popularity(view, queries, popularity_days)
    own_shares = cache(past(view, queries).decayed_shares)

    @lru_cache(maxsize=1)
    def without_past(own_share: float) -> np.ndarray:
        return DecayedScorer(np.inf, own_share, popularity_days).of_everyone(everyone)

    def scores(own_share: float, days: float) -> np.ndarray:
        scorer = DecayedScorer(days, own_share, popularity_days)
        return scorer.add_own(without_past(own_share).copy(), own_shares(days), everyone)

    return scores
