"""What a baseline is handed to learn from and to choose by: queries with their answers."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from lab.data.fold.queries import FoldView, Labels, Queries
from lab.data.fold.seen_candidates import seen_candidates
from lab.evaluation.tuning_metric import tuning_metric


@dataclass(frozen=True)
class LabelledQueries:
    """Queries with their answers at one horizon."""

    queries: Queries
    labels: Labels
    repeats: bool = True
    """Whether what a user has taken is ranked like all else; if not, the test leaves it out, unless it is a label."""

    def __len__(self) -> int:
        return len(self.queries)

    def __getitem__(self, rows: np.ndarray) -> "LabelledQueries":
        """Those of the given rows, in their order."""
        return LabelledQueries(self.queries[rows], self.labels.take(rows), self.repeats)

    @property
    def with_labels(self) -> "LabelledQueries":
        """The queries that have a label."""
        return self[np.flatnonzero(self.labels.answered)]

    def subsample(self, most: int) -> "LabelledQueries":
        """The queries that have a label, evenly spaced so that at most `most` remain, in their order."""
        answered = np.flatnonzero(np.diff(self.labels.offsets))
        step = max(1, -(-len(answered) // most))
        return self[answered[::step]]

    @property
    def label_pairs(self) -> tuple[np.ndarray, np.ndarray]:
        """The query, int64[M], and the candidate, int32[M], of each label."""
        return np.repeat(np.arange(len(self)), np.diff(self.labels.offsets)), self.labels.ids

    def excluded(self, view: FoldView) -> np.ndarray | None:
        """bool[Q, C]: the candidates that the test leaves out of such a query's ranking; None where it ranks all."""
        if self.repeats:
            return None
        out = seen_candidates(view, self.queries)
        out[self.label_pairs] = False
        return out

    def metric(self, view: FoldView) -> Callable[[np.ndarray], np.ndarray]:
        """What settings are chosen by: from scores float32[Q, C] to the metric of each query, float64[Q].

        It is that which tables of rankings go by, more being better, of candidates ranked as the test ranks them. Every
        query has a label. Of many queries or candidates ask for some at a time, as `lab.baselines.tuning` does.
        """
        out = self.excluded(view)
        return lambda scores: tuning_metric(
            scores if out is None else np.where(out, -np.inf, scores), *self.label_pairs
        )
