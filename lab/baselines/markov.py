"""Markov: what users took after what this user took last."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from lab.baselines.labelled_queries import LabelledQueries
from lab.baselines.past_events import Past, past, popularity, whole_past
from lab.baselines.popularity import WindowedBaseline
from lab.baselines.tuning import Axis, Choice, choose
from lab.core.fingerprint_marks import not_fingerprinted
from lab.core.number_limits import SHARE, Limits, number, whole
from lab.data.fold.queries import FoldView, Queries

USERS_AT_ONCE = 1 << 16
"""Users whose pasts are in memory at once while transitions are counted."""


@dataclass(frozen=True)
class Transitions:
    """How often b followed a in the users' histories, runs of one candidate counted once."""

    counts: Any
    """scipy.sparse.csr_array float64[C, C], row a, column b (its types do not know its own products)."""
    total: np.ndarray
    """float64[C]: transitions out of a."""

    def scores(self, own: Past, everyone: np.ndarray, last: int, decay: float, prior: float) -> np.ndarray:
        """float64[Q, C]: see `Markov`. `own` are runs, `everyone` is the popularity [Q, C]."""
        from scipy.sparse import csr_array

        back = own.steps_back()
        used = back < last
        query, origin = own.query[used], own.candidate[used]
        weight = decay ** back[used]
        weight = weight / np.bincount(query, weights=weight, minlength=own.shape[0])[query]
        smoothed = weight / (self.total[origin] + prior)
        followed: Any = csr_array((smoothed, (query, origin)), shape=own.shape) @ self.counts
        # What no transition speaks for goes to popularity: all of it where the user has no past.
        left = 1 - np.bincount(query, weights=smoothed * self.total[origin], minlength=own.shape[0])
        return followed.toarray() + left[:, None] * everyone


def count_transitions(view: FoldView, moment: int) -> Transitions:
    """Count the transitions of all users (those learned from) up to an instant, whatever a query may see of its own."""
    from scipy.sparse import csr_array

    size = view.candidates
    counts: Any = csr_array((size, size))
    for first in range(0, view.histories.users, USERS_AT_ONCE):
        users = np.arange(first, min(first + USERS_AT_ONCE, view.histories.users), dtype=np.int32)
        users = users if view.sample is None else users[view.sample[users]]
        runs = whole_past(view, users, moment).runs()
        inside = runs.query[1:] == runs.query[:-1]
        pair = (runs.candidate[:-1][inside], runs.candidate[1:][inside])
        counts = counts + csr_array((np.ones(len(pair[0])), pair), shape=(size, size))
    return Transitions(counts, np.asarray(counts.sum(axis=1)).ravel())


@dataclass(frozen=True)
class MarkovScorer:
    transitions: Transitions
    last: int
    decay: float
    prior: float
    popularity_days: float
    choices: tuple[Choice, ...] = ()

    def scores(self, view: FoldView, queries: Queries) -> np.ndarray:
        return self.follow(past(view, queries).runs(), popularity(view, queries, self.popularity_days))

    def follow(self, own: Past, everyone: np.ndarray) -> np.ndarray:
        return self.transitions.scores(own, everyone, self.last, self.decay, self.prior).astype(np.float32)


@dataclass(frozen=True, kw_only=True)
class Markov(WindowedBaseline):
    """score(b) = mean over the user's last m candidates a_1, a_2, ... (latest first) of P(b | a_i), weighing d^(i - 1).

    P(b | a) = (n(a, b) + k * popularity(b)) / (n(a) + k): first-order transitions between consecutive
    distinct candidates, counted over all users up to the valid cutoff, shrunk to recent popularity. d and k
    are chosen on valid by the target's leading metric, both together. First-order chains as in Rendle et al.,
    "Factorizing Personalized Markov Chains" (WWW 2010), not factorised.
    """

    name: ClassVar[str] = "markov"

    last: int = 20
    """How many of the latest candidates speak, m."""
    decays: tuple[float, ...] = (0.0, 0.3, 0.6, 0.8, 0.9, 1.0)
    """Weights of one step further back to choose from, d (0: the last candidate alone)."""
    priors: tuple[float, ...] = (1.0, 10.0, 100.0, 1000.0)
    """Strengths of the popularity, in transitions, to choose from, k; of several, where the search begins."""

    @staticmethod
    @not_fingerprinted
    def number_limits() -> Limits:
        """What each number can be."""
        own = {"last": whole(1, 1_000_000), "decays": SHARE, "priors": number(0, above=True)}
        return {**WindowedBaseline.number_limits(), **own}

    def fit_scorer(self, view: FoldView, train: LabelledQueries, valid: LabelledQueries, horizon: int) -> MarkovScorer:
        window = self.choose_window(view, valid)
        days = window["popularity_days"]
        transitions = count_transitions(view, view.fold.valid_cutoff)

        def ranked(queries: Queries) -> Callable[[float, float], np.ndarray]:
            own, everyone = past(view, queries).runs(), popularity(view, queries, days)
            return lambda prior, decay: MarkovScorer(transitions, self.last, decay, prior, days).follow(own, everyone)

        found = choose(view, valid, (Axis("prior", self.priors), Axis("decay", self.decays, "share")), ranked)
        return MarkovScorer(transitions, self.last, found["decay"], found["prior"], days, (window, found))
