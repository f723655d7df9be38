"""What every baseline is: frozen settings, a fit on what was known at the valid cutoff, and scores."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from lab.baselines.asked import Asked
from lab.baselines.fitted import Fitted, Scorer
from lab.baselines.smoothing import calibrated
from lab.data.queries import FoldView
from lab.errors import InputError


@dataclass(frozen=True, kw_only=True)
class Baseline:
    """Settings of a baseline. A subclass states its formula and fits a Scorer."""

    name: ClassVar[str]
    """What tables call it."""
    asked: ClassVar[tuple[str, ...]] = ("ticks", "events")
    """The targets it serves: those that ask on the calendar, those that ask after each event."""
    orders_taken: ClassVar[bool] = False
    """Whether it orders what the user took before and nothing else: all the rest it leaves to popularity."""

    def fit(self, view: FoldView, train: Asked, valid: Asked, horizon: int) -> Fitted:
        """Fit on events up to the valid cutoff, on training windows closed by then, and on valid labels.

        train and valid hold the queries of those splits with their labels at `horizon` (microseconds);
        training queries whose window closes after the valid cutoff are left out, and valid ones without a label. What
        is chosen on valid is chosen by what the test will rank (`Asked.metric`). Raises InputError when no valid query
        has a label, since nothing can be chosen then.
        """
        closed = train.queries.cutoff + horizon <= view.fold.valid_cutoff
        valid = valid.answered
        if not len(valid):
            raise InputError(
                f"baseline {self.name}: no query at the valid cutoff has a label within the horizon, so its settings "
                f"cannot be chosen; use a longer horizon or a log with more users."
            )
        return calibrated(self.name, self.fit_scorer(view, train[np.flatnonzero(closed)], valid, horizon), view, valid)

    def fit_scorer(self, view: FoldView, train: Asked, valid: Asked, horizon: int) -> Scorer:
        """The same but for the probabilities; `valid` are all answered queries, too many to be scored at once."""
        raise TypeError(f"{type(self).__name__} fits nothing")
