"""What baselines choose their settings by: a metric of each query, the one that the target's tables go by.

Where that follows from the labels' ranks alone they are counted without sorting the candidates; else the target's judge
is asked.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from lab.core.errors import InputError
from lab.data.fold.queries import FoldView, Labels, Queries
from lab.evaluation.judge import Judge
from lab.evaluation.measures import ALL, Measures, MetricSpec

OfRanks = Callable[[np.ndarray, np.ndarray, int], np.ndarray]
"""From the query and the rank, int64[M] each, of each label, and the number of queries, to float64[Q].

Labels go by query and rank; 0 is best; every query has one.
"""


def ndcg(cut: int) -> OfRanks:
    """NDCG@cut: see `lab.evaluation.ranking.ranking_metrics`."""
    gain = 1 / np.log2(np.arange(cut) + 2)

    def of_ranks(query: np.ndarray, rank: np.ndarray, queries: int) -> np.ndarray:
        ideal = np.concatenate([[0], np.cumsum(gain)])[np.minimum(np.bincount(query, minlength=queries), cut)]
        gained = np.where(rank < cut, gain[np.minimum(rank, cut - 1)], 0)
        return np.bincount(query, weights=gained, minlength=queries) / ideal

    return of_ranks


def recall(cut: int) -> OfRanks:
    """Labels among the first `cut`, over all labels of the query."""

    def of_ranks(query: np.ndarray, rank: np.ndarray, queries: int) -> np.ndarray:
        hits = np.bincount(query, weights=rank < cut, minlength=queries)
        return hits / np.bincount(query, minlength=queries)

    return of_ranks


def label_ranks(scores: np.ndarray, query: np.ndarray, label: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The query and the rank, int64[M] each, of each label, by query and rank; 0 is best.

    `scores` are [Q, C], `query` ascends. As in `lab.evaluation.ranking`, ties count against the labels.
    """
    own = scores[query, label]
    order = np.lexsort((label, -own, query))
    query, label, own = query[order], label[order], own[order]
    first = np.searchsorted(query, query)
    before = np.arange(len(query)) - first
    # Labels of the query up to the last that is level with this one are no worse, and are not to be counted twice.
    goes_on = (query[1:] == query[:-1]) & (own[1:] == own[:-1])
    ends = np.where(np.append(goes_on, False)[: len(query)], len(query), np.arange(len(query)))
    last = np.minimum.accumulate(ends[::-1])[::-1]
    rows = scores if len(query) == len(scores) else scores[query]
    ahead = np.count_nonzero(rows >= own[:, None], axis=1)
    return query, ahead - (last - first + 1) + before


@dataclass(frozen=True)
class TuningMetric:
    """The metric, and how it is found."""

    spec: MetricSpec
    of_ranks: OfRanks | None = None
    """The metric by the labels' ranks alone, where it is one."""
    judge: Callable[[FoldView, Queries, Labels], Judge] | None = None
    """Who is asked where it is not."""
    ranks: bool = True
    """Whether the judge takes scores of candidates; if not, numbers."""

    def by_ranks(self, scores: np.ndarray, query: np.ndarray, label: np.ndarray) -> np.ndarray:
        """float64[Q]: of scores [Q, C] by the labels of the queries, each of which has one."""
        assert self.of_ranks is not None
        return self.of_ranks(*label_ranks(scores, query, label), len(scores))

    def by_judge(
        self, view: FoldView, queries: Queries, labels: Labels, said: np.ndarray, log_probabilities: np.ndarray | None
    ) -> np.ndarray:
        """float64[Q], NaN where a query has none: of scores [Q, C] with their log probabilities, or of numbers [Q, K].

        Raises InputError where the judge has no such metric of queries, or leaves out a query that has a label.
        """
        assert self.judge is not None
        judge, index = self.judge(view, queries, labels), np.arange(len(queries))
        if log_probabilities is None:
            judge.add_answers(index, said)
        else:
            judge.add_scores(index, said, log_probabilities)
        table = judge.result().queries
        if self.spec.name not in table:
            raise InputError(
                f"{self.spec.name}: the target declares no metric of each query that settings could be chosen by, or "
                f"its judge gives no values of it; a metric of whole cells does not do."
            )
        values = np.asarray(table[self.spec.name][table["slice"] == ALL], np.float64)
        if len(values) != len(queries):
            raise InputError(
                f"{self.spec.name}: the target's judge has values for {len(values):,} of {len(queries):,} valid "
                f"queries that have a label, so that no setting can be chosen by it; judge all that have one."
            )
        return values

    def merits(self, values: np.ndarray) -> np.ndarray:
        """Each query's value as a number of which more is better; with better='nearest' by how near each is."""
        if self.spec.better == "nearest":
            return -np.abs(values - self.spec.best)
        return -values if self.spec.better == "lower" else values


OF_RANKINGS = TuningMetric(MetricSpec(name="ndcg@10", definition="see `lab.evaluation.ranking`"), ndcg(10))
"""What rankings are judged by where no target says otherwise."""


def tuned_by(measures: Measures) -> MetricSpec:
    """The metric that baselines choose by: the leading one, or, where only whole cells have that, the first declared
    of which each query has a value and one way is better. Where there is none, the leading one."""
    of_queries = (one for one in (measures.lead, *measures.metrics) if one.per == "query" and one.better != "neither")
    return next(of_queries, measures.lead)
