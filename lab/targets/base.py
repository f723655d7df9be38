"""What every target is: what is asked, the labels and the loss they give, and what is kept of a prediction."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar, Literal, Protocol

import numpy as np
from jaxtyping import Array, Float, Int

from lab.data.fold.categories import Categories
from lab.data.fold.queries import FoldView, Labels, Queries
from lab.data.log.histories import Histories
from lab.data.rows.batch import LabelArrays, Rows
from lab.data.rows.steps import Steps, lay_steps
from lab.data.timeline import Timeline
from lab.evaluation.judge import Judge
from lab.evaluation.measures import Measures
from lab.models.head import Head


class Truth(Protocol):
    """What is known of the answers by who made the log: the row `oracle` of a table."""

    def answers(self, view: FoldView, queries: Queries, horizon: int) -> Any:
        """What to expect, as a baseline of the target says it: scores float32[Q, C], or the target's answers."""
        ...


@dataclass(frozen=True, kw_only=True)
class Target:
    """Settings of a target; a subclass names itself and fills in labels, loss, measures and judge.

    What a network gives for a batch is `outputs`, as `head` asks for it: logits [B, Q, C], their factors, numbers
    [B, Q, K], or scores and numbers (`lab.models.head`). What is kept of them are `answers`, arrays [B, Q, ...]: the
    outputs themselves, unless there are too many.
    """

    name: ClassVar[str]
    asks: ClassVar[Literal["ticks", "events"]] = "ticks"
    """Where histories are asked: on the calendar, or after each event."""
    head: ClassVar[Head] = Head()
    """What it asks of a network."""
    scores_grow_with: ClassVar[str] = ""
    """The setting of its own, a number, in proportion to which `scores_held` grows; empty for none."""

    categories: Categories = field(default_factory=Categories)
    """What a category is."""

    @property
    def ranks_candidates(self) -> bool:
        """Whether candidates are scored, so that baselines that rank them, and groups that score them, have a part."""
        return self.head.scores is not None

    @property
    def factored(self) -> bool:
        """Whether the scores of all candidates are never held at once."""
        return self.head.scores == "factors"

    @property
    def uses_smoothing(self) -> bool:
        """Whether the loss makes use of label smoothing."""
        return False

    def arrange(self, histories: Histories, timeline: Timeline) -> Histories:
        """The histories as this target asks them."""
        return histories

    def lay_steps(self, view: FoldView, timeline: Timeline, split: str) -> Steps:
        """The steps of a split, and which of them are asked."""
        return lay_steps(view, timeline, split)

    def add_labels(self, view: FoldView, steps: Steps, split: str) -> tuple[Steps, tuple[Labels, ...]]:
        """Labels for each horizon; training asks only where a window has closed and is not silent.

        Valid and test keep every query, so that what happens after the cutoff cannot even move one.
        """
        queries, horizons = steps.queries, view.fold.horizons
        if split != "train":
            return steps, tuple(self.labels(view, queries, h) for h in horizons)
        closed = [queries.cutoff + h <= view.fold.closes_by("train") for h in horizons]
        labels = [_labels_where(self.labels(view, queries[ok], h), ok) for h, ok in zip(horizons, closed, strict=True)]
        return with_labels(steps, labels)

    def labels(self, view: FoldView, queries: Queries, horizon: int) -> Labels:
        """Labels of each query for the window (cutoff, cutoff + horizon], in microseconds."""
        raise TypeError(f"{type(self).__name__} defines no labels")

    def independent_windows(self, view: FoldView, answered: Queries, horizon: int) -> float:
        """How many label windows the answered training queries would have if none overlapped.

        Ticks are often closer than a horizon is long, and then one event is a label of several queries. Nothing of the
        view may count that is no label of these queries: what is found here moves the trained parameters.
        """
        return len(answered) * min(1.0, view.fold.query_every / horizon)

    def tied_group(self, view: FoldView) -> str:
        """The step-side group whose vectors of the candidates score them too; empty for none."""
        return ""

    @property
    def excludes_taken(self) -> bool:
        """Whether the test leaves out of a query's ranking what its user took before, unless it is a label."""
        return False

    def scores_held(self, queries: int, candidates: int) -> int:
        """How many scores of so many queries the loss holds at once."""
        return 0 if self.factored else queries * candidates

    def needs_touched(self, split: str) -> bool:
        """Whether it needs to know what each query's user has touched, beyond what models look at."""
        return False

    def loss(
        self,
        outputs: Any,
        query: Int[Array, "B L"],
        id: Int[Array, "B L"],
        weight: Float[Array, "B L"],
        smoothing: Any,
        key: Array | None,
    ) -> tuple[Float[Array, ""], Float[Array, ""]]:
        """Sum of the labelled queries' losses, and how many those are. `key`: for what is drawn at random."""
        raise TypeError(f"{type(self).__name__} defines no loss")

    def answers(self, outputs: Any, rows: Rows, label: LabelArrays | None) -> Any:
        """What is kept of the outputs, each [B, Q, ...]; labels are given where the target is `factored`."""
        return outputs

    def shortfall(
        self, answers: Any, query: Int[Array, "B L"], id: Int[Array, "B L"], weight: Float[Array, "B L"]
    ) -> tuple[Float[Array, ""], Float[Array, ""]]:
        """What training stops by, smaller being better: its sum over the labelled queries, and how many those are."""
        return self.loss(answers, query, id, weight, np.zeros((), np.float32), None)

    def first_guess(self, labels: Sequence[Labels]) -> np.ndarray:
        """float32[K]: the numbers that a network begins at, from the training labels of each horizon.

        Such as the logit of their mean: a network then learns what is different about a user.
        """
        return np.zeros(self.head.numbers, np.float32)

    def measures(self) -> Measures:
        """Its metrics, slices, remarks and panels, and the metric that tables go by."""
        raise TypeError(f"{type(self).__name__} defines no measures")

    def judge(self, view: FoldView, queries: Queries, labels: Labels) -> Judge:
        """Who judges what models, baselines and a source's truth say of the test queries, for one horizon's labels."""
        raise TypeError(f"{type(self).__name__} defines no judge")

    def baselines(self) -> tuple[Any, ...]:
        """The baselines beside every model of an experiment that names none (`lab.baselines.Baseline`)."""
        return ()

    def truth(self, source: Any) -> "Truth | None":
        """What a source that made its log itself knows of the answers; None where it does not know these."""
        return None


def with_labels(steps: Steps, labels: list[Labels]) -> tuple[Steps, tuple[Labels, ...]]:
    """The steps with those queries alone that have a label for some horizon, and the labels of these."""
    some = np.flatnonzero(np.any([answer.answered for answer in labels], axis=0))
    return replace(steps, asked=steps.asked[some]), tuple(answer.take(some) for answer in labels)


def _labels_where(labels: Labels, where: np.ndarray) -> Labels:
    """The labels of the queries that are `where`, and none for the others."""
    size = np.zeros(len(where), np.int64)
    size[where] = np.diff(labels.offsets)
    return replace(labels, offsets=np.append(0, np.cumsum(size)))
