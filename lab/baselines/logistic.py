"""A classical learner: logistic regression on what is known of each (query, candidate) pair."""

import warnings
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache
from typing import Any, ClassVar

import numpy as np

from lab.baselines.base import Baseline
from lab.baselines.labelled_queries import LabelledQueries
from lab.baselines.markov import Transitions, count_transitions
from lab.baselines.past_events import past, popularity_at
from lab.baselines.tuning import Axis, Choice, choose
from lab.core.errors import InputError
from lab.core.fingerprint_marks import not_fingerprinted
from lab.core.memory import Size, require_memory
from lab.core.number_limits import DAYS, Limits, number, whole
from lab.data.fold.queries import FoldView, Queries

PAIRS = 1 << 20
"""Pairs whose features are in memory at once."""

TOUCHED, FEATURE_BYTES = 20, 24
"""Pairs of a query that are not sampled, about, and bytes of a feature of a pair while coefficients are fitted."""

FLOOR = 1e-6
"""Added to shares before their logarithm is taken."""

TOLERANCE = 1e-9
"""Gradient of the mean loss at which a fit has converged. Labels are rare among pairs, and with them the mean loss is
small: at scikit-learn's default of 1e-4 a fit ends half-way."""


LEAST_PENALTY = 0.01
"""Beside the losses of thousands of labels a penalty below this is none. Without one, features that are nearly copies
of one another have weights of hundreds, and rounding moves scores on another machine."""


@dataclass(frozen=True)
class LogisticScorer:
    transitions: Transitions
    scales: tuple[float, ...]
    windows: tuple[float, ...]
    coefficients: np.ndarray
    """float64[F + 1], the intercept last, of features as `pair_features` gives them."""
    choices: tuple[Choice, ...] = ()

    def scores(self, view: FoldView, queries: Queries) -> np.ndarray:
        scores = np.empty((len(queries), view.candidates), np.float32)
        rows = max(1, PAIRS // view.candidates)
        for begin in range(0, len(queries), rows):
            some = slice(begin, begin + rows)
            scores[some] = self.of_features(self.features(view, queries[some]))
        return scores

    def features(self, view: FoldView, queries: Queries) -> np.ndarray:
        """float32[Q, C, F]."""
        return pair_features(view, queries, self.transitions, self.scales, self.windows)

    def of_features(self, features: np.ndarray) -> np.ndarray:
        """float32[Q, C]: the scores by the features."""
        return features @ self.coefficients[:-1].astype(np.float32) + np.float32(self.coefficients[-1])

    @staticmethod
    def chances(scores: np.ndarray) -> np.ndarray:
        return 1 / (1 + np.exp(-np.clip(scores, -60, 60)))


@dataclass(frozen=True, kw_only=True)
class Logistic(Baseline):
    """score(c) = b + w x, x the features of the pair (query, c); P(c is a label) = 1 / (1 + exp(-score(c))).

    By scores and not by chances, since in float32 all of those above a score of 17 are 1.

    Features, each once for all pairs and once more for candidates the user has touched: log(1 + the user's
    counts decayed at each scale), log of the user's share so decayed, recency 1 / (1 + days), log popularity
    share in each window, log of a Markov score, log(1 + the user's events), and whether touched at all.

    Trained on up to `cutoffs` training cutoffs, the latest whose windows do not overlap and close by the
    valid cutoff, with transitions counted up to each of them. Every label and every touched candidate is a
    training pair; of the others a seeded sample with weights that make up for it (King and Zeng 2001).
    scikit-learn's LogisticRegression on standardised features, to its optimum, with the penalty l / 2 * |w|^2
    beside the sum of the weighted losses; l is chosen on valid by the target's leading metric. On logs known here
    it ranks better than gradient boosting on the same features, at a tenth of the time.
    """

    name: ClassVar[str] = "logistic"
    asked: ClassVar = ("ticks",)

    scales: tuple[float, ...] = (7.0, 30.0, 90.0, 365.0)
    """Time constants of the user's counts, in days."""
    windows: tuple[float, ...] = (7.0, 30.0, 365.0)
    """Days of popularity."""
    cutoffs: int = 4
    """Training cutoffs to use at most."""
    queries: int = 2_500
    """Training queries to use at most, evenly spaced."""
    sampled: int = 60
    """Untouched candidates sampled for each training query, on average."""
    penalties: tuple[float, ...] = (0.1, 1.0, 10.0, 100.0, 1000.0)
    """Strengths of the penalty to choose from, l; of several, where the search begins."""
    seed: int = 0
    """Seed of that sample."""

    @staticmethod
    @not_fingerprinted
    def number_limits() -> Limits:
        """What each number can be."""
        counts = {"cutoffs": whole(1), "queries": whole(1), "sampled": whole(0), "seed": whole(0, 2**63 - 1)}
        return {"scales": DAYS, "windows": DAYS, "penalties": number(0, above=True), **counts}

    @not_fingerprinted
    def require_memory(self, queries: int, candidates: int) -> None:
        """The pairs of all training queries are held at once."""
        default = Logistic()
        sizes = [
            Size("baselines.logistic.queries", min(self.queries, queries), default.queries),
            Size("baselines.logistic.sampled", min(self.sampled, candidates), default.sampled),
        ]
        features = 4 * len(self.scales) + 2 * len(self.windows) + 8
        require_memory(sizes, lambda asked, sampled: asked * (sampled + TOUCHED) * features * FEATURE_BYTES)

    def fit_scorer(
        self, view: FoldView, train: LabelledQueries, valid: LabelledQueries, horizon: int
    ) -> LogisticScorer:
        fitted = _fits(*self._training_pairs(view, self._chosen(train, horizon)))
        transitions = count_transitions(view, view.fold.valid_cutoff)

        @cache
        def scorer(penalty: float) -> LogisticScorer:
            return LogisticScorer(transitions, self.scales, self.windows, fitted(penalty))

        def ranked(queries: Queries) -> Callable[[float], np.ndarray]:
            features = scorer(self.penalties[0]).features(view, queries)
            return lambda penalty: scorer(penalty).of_features(features)

        found = choose(
            view, valid, (Axis("penalty", self.penalties, least=LEAST_PENALTY),), ranked, chances=LogisticScorer.chances
        )
        return replace(scorer(found["penalty"]), choices=(found,))

    def _chosen(self, train: LabelledQueries, horizon: int) -> LabelledQueries:
        """The training queries to learn from: those with labels, at cutoffs a horizon apart, thinned."""
        chosen: list[int] = []
        for cutoff in np.unique(train.queries.cutoff)[::-1].tolist():
            if len(chosen) < self.cutoffs and (not chosen or cutoff + horizon <= chosen[-1]):
                chosen.append(cutoff)
        kept = train[np.flatnonzero(np.isin(train.queries.cutoff, chosen))].subsample(self.queries)
        if not len(kept):
            raise InputError(
                f"baseline {self.name}: no training query with a label has a window that closes by the valid cutoff; "
                f"use a shorter horizon or a longer log, or leave this baseline out."
            )
        return kept

    def _training_pairs(self, view: FoldView, train: LabelledQueries) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """float32[P, F] features, bool[P] labels and float64[P] weights of the pairs to learn from."""
        rng = np.random.default_rng(self.seed)
        parts = []
        rows = max(1, PAIRS // view.candidates)
        for cutoff in np.unique(train.queries.cutoff).tolist():
            transitions = count_transitions(view, cutoff)
            inside = np.flatnonzero(train.queries.cutoff == cutoff)
            for begin in range(0, len(inside), rows):
                parts.append(self._block(view, train[inside[begin : begin + rows]], transitions, rng))
        features, is_label, weight = (np.concatenate(column) for column in zip(*parts, strict=True))
        return features, is_label, weight

    def _block(
        self, view: FoldView, asked: LabelledQueries, transitions: Transitions, rng: np.random.Generator
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        features = pair_features(view, asked.queries, transitions, self.scales, self.windows)
        is_label = np.zeros(features.shape[:2], bool)
        is_label[np.repeat(np.arange(len(asked)), np.diff(asked.labels.offsets)), asked.labels.ids] = True
        certain = is_label | (features[:, :, -1] > 0)
        rate = min(1.0, self.sampled / view.candidates)
        sampled = ~certain & (rng.random(certain.shape) < rate)
        kept = certain | sampled
        return features[kept], is_label[kept], np.where(sampled[kept], 1 / rate, 1.0)


def pair_features(
    view: FoldView, queries: Queries, transitions: Transitions, scales: tuple[float, ...], windows: tuple[float, ...]
) -> np.ndarray:
    """float32[Q, C, F]: see `Logistic`; the last one is 1 for a touched candidate, else 0."""
    own = past(view, queries)
    popular = [popularity_at(view, queries.cutoff, days) for days in windows]
    counts = [own.counts(days) for days in (*scales, np.inf)]
    events = counts[-1].sum(axis=1, keepdims=True)
    followed = transitions.scores(own.runs(), popular[-1], last=20, decay=0.8, prior=100.0)
    columns = [np.log1p(count) for count in counts]
    columns += [_log_share(count / np.maximum(count.sum(axis=1, keepdims=True), FLOOR)) for count in counts]
    columns += [_log_share(share) for share in (*popular, followed)]
    columns += [own.recency(), np.broadcast_to(np.log1p(events), own.shape)]
    plain = np.stack([column.astype(np.float32) for column in columns], axis=2)
    touched = own.touched().astype(np.float32)[:, :, None]
    return np.concatenate([plain, plain * touched, touched], axis=2)


def _log_share(share: np.ndarray) -> np.ndarray:
    """log of a share relative to the floor, from 0 up."""
    return np.log1p(share / FLOOR)


def _fits(features: np.ndarray, is_label: np.ndarray, weight: np.ndarray) -> Callable[[float], np.ndarray]:
    """From a penalty to float64[F + 1]: coefficients for the features as they come, fitted on standardised ones.

    Each fit begins where the one before it ended.
    """
    from sklearn.linear_model import LogisticRegression

    if is_label.all():
        raise InputError("baseline logistic: every candidate is a label of every training query; there is no choice.")
    centre, scale = features.mean(axis=0, dtype=np.float64), features.std(axis=0, dtype=np.float64)
    scale = np.where(scale > 0, scale, 1)
    standard = (features - centre) / scale
    # By Newton's method, whose steps are few and cheap where features are: see TOLERANCE.
    learner: Any = LogisticRegression(solver="newton-cholesky", tol=TOLERANCE, warm_start=True)

    def fit(penalty: float) -> np.ndarray:
        if penalty == np.inf:
            share = np.average(is_label, weights=weight)
            return np.append(np.zeros(len(scale)), np.log(share / (1 - share)))
        learner.set_params(C=1 / penalty)
        _quietly(learner, standard, is_label, weight)
        slope = learner.coef_[0] / scale
        return np.append(slope, learner.intercept_[0] - slope @ centre)

    return fit


def _quietly(learner: Any, *data: np.ndarray) -> None:
    """Fit on features, labels and weights, in one thread, without the solver's warnings."""
    from scipy.linalg import LinAlgWarning
    from sklearn.exceptions import ConvergenceWarning
    from threadpoolctl import threadpool_limits

    features, is_label, weight = data
    # One thread: the order of partial sums, and with it the last bits, depends on how many run.
    with threadpool_limits(1), warnings.catch_warnings():
        # Where features are copies of one another and the penalty is next to nothing, the solver goes on by descent.
        warnings.simplefilter("ignore", LinAlgWarning)
        warnings.simplefilter("ignore", ConvergenceWarning)
        learner.fit(features, is_label, sample_weight=weight)
