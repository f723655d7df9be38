"""What every baseline is: frozen settings, a fit on what was known at the valid cutoff, and scores."""

from dataclasses import dataclass
from typing import Any, ClassVar, Literal, Protocol

import numpy as np

from lab.baselines.calibrated_scorer import CalibratedScorer, Scorer, Tuning, chosen_settings
from lab.baselines.labelled_queries import LabelledQueries
from lab.baselines.smoothing import calibrate
from lab.core.errors import InputError
from lab.core.fingerprint_marks import not_fingerprinted
from lab.data.fold.queries import FoldView, Queries


class Predictor(Protocol):
    """A fitted baseline of numbers. Its fields are what was fitted; it may have `choices`, as a scorer may."""

    def predict(self, view: FoldView, queries: Queries) -> np.ndarray:
        """float[Q, K], as the target's answers; at each query from events with time <= its cutoff alone."""
        ...


@dataclass(frozen=True)
class FittedNumbers:
    """A fitted baseline that predicts numbers."""

    name: str
    predictor: Predictor
    tuning: Tuning | None = None
    """How it was tuned, where it has settings that are chosen on valid."""

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

    @not_fingerprinted
    def require_memory(self, queries: int, candidates: int) -> None:
        """Raise InputError where fitting on so many training queries does not fit memory. A subclass says how much."""

    def why_unsuited(self, target: Any) -> str:
        """Why it cannot serve a target (`lab.targets.Target`), to stand behind `baseline X`; empty where it can."""
        if self.targets and target.name not in self.targets:
            return f"serves target {' and '.join(self.targets)}, not {target.name}"
        if target.asks not in self.asked:
            return f"cannot be asked after each event, as target {target.name} does"
        if self.predicts == "scores" and not target.ranks_candidates:
            return f"ranks candidates, and target {target.name} predicts numbers"
        if self.predicts == "numbers" and not target.head.numbers:
            return f"predicts numbers, and target {target.name} ranks candidates"
        return ""

    def fit(self, view: FoldView, train: LabelledQueries, valid: LabelledQueries, horizon: int) -> CalibratedScorer:
        """Fit on events up to the valid cutoff, on training windows closed by then, and on valid labels.

        train and valid hold the queries of those splits with their labels at `horizon` (microseconds);
        training queries whose window closes after the valid cutoff are left out, and valid ones without a label. What
        is chosen on valid is chosen by what the test will rank (`LabelledQueries.metric`). Raises InputError when no
        valid query has a label, since nothing can be chosen then.
        """
        valid = valid.with_labels
        if not len(valid):
            raise InputError(
                f"baseline {self.name}: no query at the valid cutoff has a label within the horizon, so its settings "
                f"cannot be chosen; use a longer horizon or a log with more users."
            )
        return calibrate(
            self.name, self.fit_scorer(view, _closed_windows(view, train, horizon), valid, horizon), view, valid
        )

    def predictor(self, view: FoldView, train: LabelledQueries, valid: LabelledQueries, horizon: int) -> FittedNumbers:
        """The same for a baseline that predicts numbers, which is handed the valid queries without a label too."""
        found = self.fit_numbers(view, _closed_windows(view, train, horizon), valid, horizon)
        last, answered = next(reversed(getattr(found, "choices", ())), None), int(valid.labels.answered.sum())
        if last is None:
            return FittedNumbers(self.name, found)
        tuning = Tuning(chosen_settings(found), valid.by.spec.name, last.value, last.queries, answered)
        return FittedNumbers(self.name, found, tuning)

    def fit_scorer(self, view: FoldView, train: LabelledQueries, valid: LabelledQueries, horizon: int) -> Scorer:
        """The same but for the probabilities; `valid` are all answered queries, too many to be scored at once."""
        raise TypeError(f"{type(self).__name__} fits no scorer")

    def fit_numbers(self, view: FoldView, train: LabelledQueries, valid: LabelledQueries, horizon: int) -> Predictor:
        raise TypeError(f"{type(self).__name__} fits no predictor of numbers")


def _closed_windows(view: FoldView, train: LabelledQueries, horizon: int) -> LabelledQueries:
    """The training queries whose windows close by the valid cutoff."""
    return train[np.flatnonzero(train.queries.cutoff + horizon <= view.fold.valid_cutoff)]
