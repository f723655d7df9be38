"""What every baseline is: frozen settings, a fit on what was known at the valid cutoff, and scores."""

from dataclasses import dataclass
from typing import Any, ClassVar, Literal, Protocol

import numpy as np

from lab.core.errors import InputError
from lab.data.fold.queries import FoldView, Labels, Queries
from lab.data.fold.seen import seen_by
from lab.evaluation.ranking import label_ranks, rank_candidates, ranking_metrics

SMOOTHINGS = (0.001, 0.003, 0.01, 0.03, 0.1, 0.2, 0.4)
"""Shares of the uniform distribution tried on valid when scores become probabilities."""

TUNING_SCORES = 1 << 21
"""Settings are chosen on at most this many scores: beyond that, on answered valid queries evenly spaced."""


@dataclass(frozen=True)
class Asked:
    """Queries with their answers at one horizon."""

    queries: Queries
    labels: Labels
    repeats: bool = True
    """Whether what a user has taken is ranked like all else; if not, the test leaves it out, unless it is a label."""

    def __len__(self) -> int:
        return len(self.queries)

    def __getitem__(self, rows: np.ndarray) -> "Asked":
        """Those of the given rows, which ascend."""
        size = np.diff(self.labels.offsets)
        kept = np.isin(np.repeat(np.arange(len(self)), size), rows)
        offsets = np.append(0, np.cumsum(size[rows]))
        labels = Labels(offsets, self.labels.ids[kept], self.labels.weights[kept])
        return Asked(self.queries[rows], labels, self.repeats)

    def thinned(self, most: int) -> "Asked":
        """The queries that have a label, evenly spaced so that at most `most` remain, in their order."""
        answered = np.flatnonzero(np.diff(self.labels.offsets))
        step = max(1, -(-len(answered) // most))
        return self[answered[::step]]

    @property
    def labelled(self) -> tuple[np.ndarray, np.ndarray]:
        """The query, int64[M], and the candidate, int32[M], of each label."""
        return np.repeat(np.arange(len(self)), np.diff(self.labels.offsets)), self.labels.ids

    def left_out(self, view: FoldView) -> np.ndarray | None:
        """bool[Q, C]: the candidates that the test leaves out of such a query's ranking; None where it ranks all."""
        if self.repeats:
            return None
        out = seen_by(view, self.queries)
        out[self.labelled] = False
        return out

    def ndcg(self, view: FoldView, scores: np.ndarray) -> float:
        """Mean NDCG@10 of scores float32[Q, C], ranked as the test ranks: what settings are chosen by.

        Every query has a label.
        """
        is_label = np.zeros(scores.shape, bool)
        is_label[self.labelled] = True
        out = self.left_out(view)
        ranked = rank_candidates(
            scores if out is None else np.where(out, -np.inf, scores), is_label, np.zeros_like(is_label)
        )
        return float(ranking_metrics(label_ranks(ranked, "all"))["ndcg@10"].mean())


class Scorer(Protocol):
    """A fitted baseline. Its fields are what was fitted."""

    def scores(self, view: FoldView, queries: Queries) -> np.ndarray:
        """float32[Q, C], not negative; at each query from events with time <= its cutoff alone."""
        ...


@dataclass(frozen=True)
class Fitted:
    """A fitted baseline and how its scores become probabilities."""

    scorer: Scorer
    smoothing: float
    """The share of the uniform distribution in the probabilities, chosen on valid by log loss."""

    def scores(self, view: FoldView, queries: Queries) -> np.ndarray:
        """float32[Q, C], higher is better, not negative."""
        return self.scorer.scores(view, queries)

    def log_probabilities(self, scores: np.ndarray) -> np.ndarray:
        """float32[Q, C] of log((1 - e) * score / sum of scores + e / C); uniform where all scores are 0."""
        return np.log(_smooth(_shares(scores), self.smoothing)).astype(np.float32)


class Predictor(Protocol):
    """A fitted baseline of numbers. Its fields are what was fitted."""

    def predict(self, view: FoldView, queries: Queries) -> np.ndarray:
        """float[Q, K], as the target's answers; at each query from events with time <= its cutoff alone."""
        ...


@dataclass(frozen=True)
class FittedNumbers:
    """A fitted baseline that predicts numbers."""

    name: str
    predictor: Predictor

    def numbers(self, view: FoldView, queries: Queries) -> np.ndarray:
        """float[Q, K]. Raises InputError where a number is not finite, or the rows are not the queries."""
        found = np.asarray(self.predictor.predict(view, queries))
        if found.ndim != 2 or len(found) != len(queries) or found.dtype.kind not in "fiu":
            raise InputError(
                f"baseline {self.name}: its numbers have the shape {found.shape} and the type {found.dtype}; numbers "
                f"of the shape ({len(queries)}, K) are wanted, a row for each query."
            )
        if not np.isfinite(found).all():
            raise InputError(f"baseline {self.name}: predicts {found[~np.isfinite(found)][0]}; use finite numbers.")
        return found


@dataclass(frozen=True, kw_only=True)
class Baseline:
    """Settings of a baseline. A subclass states its formula and fits a Scorer, or a Predictor where it predicts
    numbers."""

    name: ClassVar[str]
    """What tables call it."""
    asked: ClassVar[tuple[str, ...]] = ("ticks", "events")
    """The targets it serves: those that ask on the calendar, those that ask after each event."""
    predicts: ClassVar[Literal["scores", "numbers"]] = "scores"
    """What it predicts: scores of all candidates, or the numbers of a target that asks for numbers."""
    targets: ClassVar[tuple[str, ...]] = ()
    """Names of the targets that it serves, where it serves not all that ask for what it predicts."""
    orders_taken: ClassVar[bool] = False
    """Whether it orders what the user took before and nothing else: all the rest it leaves to popularity."""

    def unsuited(self, target: Any) -> str:
        """Why it cannot serve a target (`lab.targets.Target`), to stand behind `baseline X`; empty where it can."""
        if self.targets and target.name not in self.targets:
            return f"serves target {' and '.join(self.targets)}, not {target.name}"
        if target.asks not in self.asked:
            return f"cannot be asked after each event, as target {target.name} does"
        if self.predicts == "scores" and not target.ranks:
            return f"ranks candidates, and target {target.name} predicts numbers"
        if self.predicts == "numbers" and not target.head.numbers:
            return f"predicts numbers, and target {target.name} ranks candidates"
        return ""

    def fit(self, view: FoldView, train: Asked, valid: Asked, horizon: int) -> Fitted:
        """Fit on events up to the valid cutoff, on training windows closed by then, and on valid labels.

        train and valid hold the queries of those splits with their labels at `horizon` (microseconds);
        training queries whose window closes after the valid cutoff are left out. What is chosen on valid is
        chosen by what the test will rank (`Asked.ndcg`). Raises InputError when no valid query has a label,
        since nothing can be chosen then.
        """
        valid = valid.thinned(max(1, TUNING_SCORES // view.candidates))
        if not len(valid):
            raise InputError(
                f"baseline {self.name}: no query at the valid cutoff has a label within the horizon, so its settings "
                f"cannot be chosen; use a longer horizon or a log with more users."
            )
        scorer = self.fit_scorer(view, _closed(view, train, horizon), valid, horizon)
        scores = checked(self.name, scorer.scores(view, valid.queries), len(valid), view.candidates)
        return Fitted(scorer, _best_smoothing(scores, valid, valid.left_out(view)))

    def predictor(self, view: FoldView, train: Asked, valid: Asked, horizon: int) -> FittedNumbers:
        """The same for a baseline that predicts numbers."""
        return FittedNumbers(self.name, self.fit_numbers(view, _closed(view, train, horizon), valid, horizon))

    def fit_scorer(self, view: FoldView, train: Asked, valid: Asked, horizon: int) -> Scorer:
        raise TypeError(f"{type(self).__name__} fits no scorer")

    def fit_numbers(self, view: FoldView, train: Asked, valid: Asked, horizon: int) -> Predictor:
        raise TypeError(f"{type(self).__name__} fits no predictor of numbers")


def _closed(view: FoldView, train: Asked, horizon: int) -> Asked:
    """The training queries whose windows close by the valid cutoff."""
    return train[np.flatnonzero(train.queries.cutoff + horizon <= view.fold.valid_cutoff)]


def checked(name: str, scores: np.ndarray, queries: int, candidates: int) -> np.ndarray:
    """The scores of a baseline of that name.

    Raises InputError where they are not one for each query and candidate, or one is below 0, infinite or no number.
    """
    if np.shape(scores) != (queries, candidates):
        raise InputError(
            f"baseline {name}: its scores have the shape {np.shape(scores)}; ({queries}, {candidates}) is wanted, a "
            f"row for each query and a column for each candidate."
        )
    wrong = ~(np.isfinite(scores) & (scores >= 0))
    if wrong.any():
        raise InputError(
            f"baseline {name}: scores a candidate {scores[wrong][0]:g}; a score is a finite number, 0 or more, that is "
            f"higher for what is likelier."
        )
    return scores


def _shares(scores: np.ndarray) -> np.ndarray:
    total = scores.sum(axis=1, keepdims=True, dtype=np.float64)
    return np.where(total > 0, scores / np.where(total > 0, total, 1), 1 / scores.shape[1])


def _smooth(shares: np.ndarray, smoothing: float) -> np.ndarray:
    return (1 - smoothing) * shares + smoothing / shares.shape[1]


def _best_smoothing(scores: np.ndarray, asked: Asked, left_out: np.ndarray | None) -> float:
    """The smoothing with the least log loss over the candidates that are not left out (bool[Q, C])."""
    shares, candidates = _shares(scores), scores.shape[1]
    of_label = shares[asked.labelled]
    loss = [np.log((1 - e) * of_label + e / candidates) for e in SMOOTHINGS]
    if left_out is not None:
        query, _ = asked.labelled
        ranked, count = shares.sum(axis=1, where=~left_out)[query], (~left_out).sum(axis=1)[query]
        loss = [
            log - np.log((1 - e) * ranked + e * count / candidates) for e, log in zip(SMOOTHINGS, loss, strict=True)
        ]
    return SMOOTHINGS[int(np.argmin([-(asked.labels.weights * log).sum() for log in loss]))]
