"""The next-item target: what a user takes next, asked after each of its events."""

from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from lab.core.errors import InputError
from lab.core.setting_types import check_distinct, check_types
from lab.data.fold.categories import Categories
from lab.data.fold.queries import FoldView, Labels, Queries
from lab.data.fold.search import events_until
from lab.data.fold.seen_candidates import is_label_seen
from lab.data.log.event_order import leave_one_out_histories, with_distinct_times
from lab.data.log.histories import Histories
from lab.data.rows.batch import LabelArrays, Rows
from lab.data.rows.steps import Steps, lay_events
from lab.data.timeline import Timeline
from lab.evaluation.judge import Judge
from lab.evaluation.measures import Measures
from lab.models.head import Factors, Head
from lab.targets.base import Target, with_labels
from lab.targets.next_item.answers import DEPTH, NextAnswers
from lab.targets.next_item.catalogue_loss import Negatives, gbce, sampled_softmax, softmax_loss
from lab.targets.next_item.catalogue_rank import rank_labels
from lab.targets.next_item.measures import measures_of

NEEDS = {
    "negatives": ("sampled", "gbce"),
    "shared": ("sampled", "gbce"),
    "drawn": ("sampled",),
    "calibration": ("gbce",),
}
"""Which objectives a setting is for."""


@dataclass(frozen=True, kw_only=True)
class NextItem(Target):
    """Which item a user takes next, asked after each event; all known items are ranked.

    The horizon is how long after the cutoff a model is asked without learning anew: with 7 days, every event of the
    test's first 7 days is predicted from its user's last events before it (a row at most, three quarters of one at
    least), by what was learned up to the cutoff.
    """

    name: ClassVar[str] = "next_item"
    asks: ClassVar = "events"
    head: ClassVar = Head(scores="factors")
    scores_grow_with: ClassVar = "negatives"

    categories: Categories = field(default_factory=lambda: Categories(rule="item"))
    """What is predicted: rule=item for items; given for the log's categories."""
    behaviours: tuple[str, ...] = ()
    """Predict the next event among these behaviours (default: any but cancellations)."""
    objective: Literal["softmax", "sampled", "gbce"] = "softmax"
    """Loss over all candidates; over some drawn at random, with log-Q correction; or gBCE over such."""
    negatives: int = 256
    """sampled, gbce: how many candidates are drawn against the labels."""
    shared: bool = True
    """sampled, gbce: whether all labels of an update are held against the same ones."""
    drawn: Literal["uniform", "popularity"] = "uniform"
    """sampled: how they are drawn: all alike, or in proportion to their events."""
    calibration: float = 0.75
    """gbce: t, 0 for plain binary cross-entropy, 1 for probabilities as of softmax (arXiv 2308.07192)."""
    tied: bool = True
    """Whether candidates are scored by the vectors with which the item group (category, where categories are
    predicted) reads them; by vectors of their own where a feature set is without it."""
    repeats: bool = True
    """Whether what a user took before may come again; if not, it is no candidate, and nobody is asked for it."""
    stop_by: Literal["ndcg", "loss"] = "ndcg"
    """What early stopping and the choice of the best parameters go by on valid: 1 - NDCG@10, or the log loss."""

    def __post_init__(self) -> None:
        check_types(self, "target")
        check_distinct(self.behaviours, "target.behaviours")
        if self.negatives < 1:
            raise InputError(f"target.negatives: {self.negatives} draws nothing; use 1 or more.")
        if not 0 <= self.calibration <= 1:
            raise InputError(f"target.calibration: {self.calibration:g} is no share; use 0 to 1.")
        for name, needs in NEEDS.items():
            value, default = getattr(self, name), NextItem.__dataclass_fields__[name].default
            if value != default and self.objective not in needs:
                usable = " or ".join(f"target.objective='{one}'" for one in needs)
                raise InputError(f"target.{name}: {value!r} needs {usable}; '{self.objective}' makes no use of it.")

    @property
    def uses_smoothing(self) -> bool:
        return self.objective == "softmax"

    def arrange(self, histories: Histories, timeline: Timeline) -> Histories:
        self._check_behaviours(histories)
        if timeline.leaves_one_out:
            histories = leave_one_out_histories(
                histories, self._counts(histories), self.behaviours, timeline.min_events
            )
        return with_distinct_times(histories)

    def lay_steps(self, view: FoldView, timeline: Timeline, split: str) -> Steps:
        return lay_events(view, timeline, split)

    def add_labels(self, view: FoldView, steps: Steps, split: str) -> tuple[Steps, tuple[Labels, ...]]:
        fold, event = view.fold, self._next(view, steps.queries)
        candidate = np.append(view.candidate, -1)[event]
        taken = self._taken(view, steps.queries, candidate)
        if split == "train":
            self._check_negatives(view)
            found = _until(view, event, candidate, taken, fold.closes_by("train"))
            return with_labels(steps, [found] * len(fold.horizons))
        closes = [fold.opens(split) + horizon for horizon in fold.horizons]
        return steps, tuple(_until(view, event, candidate, taken, moment) for moment in closes)

    def independent_windows(self, view: FoldView, answered: Queries, horizon: int) -> float:
        # Of some behaviours, one event may answer many queries.
        return len(np.unique(self._next(view, answered))) if self.behaviours else len(answered)

    def tied_group(self, view: FoldView) -> str:
        return ("item" if view.items else "category") if self.tied else ""

    @property
    def excludes_taken(self) -> bool:
        return not self.repeats

    def needs_touched(self, split: str) -> bool:
        return self.excludes_taken and split != "train"

    def _taken(self, view: FoldView, queries: Queries, candidate: np.ndarray) -> np.ndarray:
        """bool[Q]: where the next event's candidate is one that its user took before, and such are left out."""
        if not self.excludes_taken:
            return np.zeros(len(candidate), bool)
        return is_label_seen(view, queries, candidate)

    def _next(self, view: FoldView, queries: Queries) -> np.ndarray:
        """int64[Q]: the next event of each query's user that counts; N where there is none."""
        histories = view.histories
        known = events_until(histories.offsets, histories.time, queries.user, queries.cutoff)
        event = self._from(view)[known]
        return np.where(event < histories.offsets[queries.user + 1], event, histories.events)

    def _from(self, view: FoldView) -> np.ndarray:
        """int64[N + 1]: for each event, itself or the first after it that counts, whoever's; N where there is none."""
        events = view.histories.events
        place = np.where(self._counts(view.histories), np.arange(events), events)
        return np.append(np.minimum.accumulate(place[::-1])[::-1], events)

    def _counts(self, histories: Histories) -> np.ndarray:
        """bool[N]: the events that are predicted."""
        known = histories.behaviours
        counts = np.array([b.sign > 0 and (not self.behaviours or b.name in self.behaviours) for b in known])
        return counts[np.asarray(histories.behaviour)]

    def scores_held(self, queries: int, candidates: int) -> int:
        """Those of negatives that all labels share; of others, and of all candidates, a block at a time."""
        return queries * self.negatives if self.objective != "softmax" and self.shared else 0

    def _check_negatives(self, view: FoldView) -> None:
        if self.objective != "softmax" and self.negatives > view.candidates:
            raise InputError(
                f"target.negatives: {self.negatives:,} are to be drawn of {view.candidates:,} candidates; use fewer, "
                f"or target.objective='softmax', which looks at all."
            )

    def _check_behaviours(self, histories: Histories) -> None:
        used = np.bincount(np.asarray(histories.behaviour), minlength=len(histories.behaviours))
        names = [b.name for b, events in zip(histories.behaviours, used, strict=True) if b.sign > 0 and events]
        for name in self.behaviours:
            if name not in names:
                raise InputError(
                    f"target.behaviours: the log has no behaviour {name!r} to predict; it has {', '.join(names)}."
                )

    def loss(
        self,
        outputs: Factors,
        query: Int[Array, "B L"],
        id: Int[Array, "B L"],
        weight: Float[Array, "B L"],
        smoothing: Float[Array, ""],
        key: Array | None,
    ) -> tuple[Float[Array, ""], Float[Array, ""]]:
        hidden = jax.vmap(lambda h, q: h[q])(outputs.hidden, query).reshape(-1, outputs.hidden.shape[-1])
        id, weight = id.reshape(-1), weight.reshape(-1)
        count = weight.sum()
        if self.objective == "softmax" or key is None:
            return softmax_loss(hidden, outputs.kernel, outputs.bias, id, weight, smoothing), count
        negatives = Negatives(self.negatives, self.shared, self.drawn == "popularity")
        if self.objective == "sampled":
            return sampled_softmax(outputs._replace(hidden=hidden), id, weight, negatives, key), count
        return gbce(outputs._replace(hidden=hidden), id, weight, negatives, self.calibration, key), count

    def answers(self, outputs: Factors, rows: Rows, label: LabelArrays | None) -> NextAnswers:
        assert label is not None
        hidden, (batch, slots) = outputs.hidden, outputs.hidden.shape[:2]
        # Padding labels have weight 0 and go nowhere.
        place = jnp.where(label.weight > 0, label.query, slots)
        ids = jax.vmap(lambda q, i: jnp.full(slots, -1, jnp.int32).at[q].set(i, mode="drop"))(place, label.id)
        # What each query's user has taken before; C, which stands for none, where an entry says nothing.
        taken = None if self.repeats else jnp.where(rows.alive, rows.entry.candidate[:, None], len(outputs.kernel))
        flat = jax.tree.map(lambda a: a.reshape(batch * slots, *a.shape[2:]), (hidden, ids, taken))
        found = rank_labels(flat[0], outputs.kernel, outputs.bias, flat[1], flat[2], min(DEPTH, len(outputs.kernel)))
        return NextAnswers(*(part.reshape(batch, slots, *part.shape[1:]) for part in found))

    def shortfall(
        self, answers: NextAnswers, query: Int[Array, "B L"], id: Int[Array, "B L"], weight: Float[Array, "B L"]
    ) -> tuple[Float[Array, ""], Float[Array, ""]]:
        rank, log_p = (jax.vmap(lambda a, q: a[q])(part, query) for part in (answers.rank, answers.log_probability))
        if self.stop_by == "loss":
            short = -log_p
        else:
            gain = jnp.where((rank >= 0) & (rank < 10), 1 / jnp.log2(rank.astype(jnp.float32) + 2), 0.0)
            # Ranks alone would not tell that scores are no numbers.
            short = jnp.where(jnp.isnan(log_p), jnp.nan, 1 - gain)
        # A label that weighs nothing points at some query, of which there may be nothing to say.
        return jnp.where(weight > 0, weight * short, 0.0).sum(), weight.sum()

    def measures(self) -> Measures:
        return measures_of(self.thing, self.repeats, self.stop_by)

    def judge(self, view: FoldView, queries: Queries, labels: Labels) -> Judge:
        from lab.baselines.past_events import recent_counts  # on the host alone
        from lab.targets.next_item.judge import NextItemJudge

        return NextItemJudge(view, queries, labels, recent_counts(view, view.fold.valid_cutoff), self.repeats)

    def baselines(self) -> tuple[Any, ...]:
        from lab.baselines import default_baselines  # on the host alone

        return default_baselines(self.asks, taken=self.repeats)

    @property
    def thing(self) -> Literal["item", "category"]:
        """What is predicted."""
        return "item" if self.categories.rule == "item" else "category"


def _until(view: FoldView, event: np.ndarray, candidate: np.ndarray, taken: np.ndarray, moment: int) -> Labels:
    """The labels of queries by the next event of each and its candidate, up to a moment and of what was not taken."""
    there = event < view.histories.events
    there[there] &= np.asarray(view.histories.clock)[event[there]] <= moment
    named = there & (candidate >= 0)
    asked = named & ~taken
    return Labels(
        offsets=np.append(0, np.cumsum(asked)),
        ids=candidate[asked],
        weights=np.ones(int(asked.sum()), np.float32),
        cold=int((there & ~named).sum()),
        taken=int((named & ~asked).sum()),
    )
