"""Who falls silent, and how many events a user has: two targets of one's own."""

from dataclasses import dataclass
from typing import ClassVar

import jax
import jax.numpy as jnp
import numpy as np

from lab import Experiment, Training, register
from lab.baselines import Baseline
from lab.data.fold.queries import Labels
from lab.data.fold.search import events_until
from lab.data.sources import SyntheticShop
from lab.evaluation.measures import Measures, MetricSpec
from lab.evaluation.numbers import NumbersJudge, absolute_error, brier, log_loss, poisson_deviance, roc_auc
from lab.models import RNN
from lab.models.head import Head
from lab.targets import Target
from lab.targets.numbers import asked_numbers


def events_within(view, queries, horizon):
    """float64[Q, 1]: events of each query's user in (cutoff, cutoff + horizon]."""
    histories = view.histories
    known, then = (
        events_until(histories.offsets, histories.time, queries.user, moment)
        for moment in (queries.cutoff, queries.cutoff + horizon)
    )
    return (then - known)[:, None].astype(np.float64)


@register
@dataclass(frozen=True, kw_only=True)
class Silent(Target):
    """Whether a user does nothing in the window."""

    name: ClassVar[str] = "silent"
    head: ClassVar[Head] = Head(scores=None, numbers=1)

    def labels(self, view, queries, horizon):
        return Labels.of_numbers((events_within(view, queries, horizon) == 0).astype(float))

    def loss(self, outputs, query, id, weight, smoothing, key):
        asked, silent = asked_numbers(outputs, query, id, weight)
        logit = outputs[..., 0]
        return (asked * (jax.nn.softplus(logit) - silent[..., 0] * logit)).sum(), asked.sum()

    def first_guess(self, labels):
        share = np.mean([np.nanmean(one.numbers(1)[1]) for one in labels])
        return np.log([share / (1 - share)])

    def measures(self):
        return Measures(
            metrics=(
                MetricSpec(
                    name="log_loss",
                    title="log loss",
                    definition="of the chance of silence",
                    better="lower",
                    unit="nats",
                    low=0,
                ),
                MetricSpec(name="brier", title="Brier score", definition="squared error of the chance", better="lower"),
                MetricSpec(name="roc_auc", title="ROC AUC", definition="of pairs in order", per="cell", low=0, high=1),
            ),
            leading=LEADING,
            things="users",
            population="every user who may be asked",
        )

    def judge(self, view, queries, labels):
        return NumbersJudge(
            view,
            queries,
            labels,
            per_query={"log_loss": log_loss, "brier": brier},
            per_cell={"roc_auc": roc_auc},
            predicted=lambda logit: 1 / (1 + np.exp(-np.asarray(logit, np.float64))),
        )

    def baselines(self):
        return (ByRecency(),)


LEADING = "log_loss"


@register
@dataclass(frozen=True, kw_only=True)
class ByRecency(Baseline):
    """The share of silent training windows by how long ago the last event was, in four parts."""

    name: ClassVar[str] = "by recency"
    predicts: ClassVar = "numbers"
    targets: ClassVar = ("silent",)

    def fit_numbers(self, view, train, valid, horizon):
        age, (_, silent) = ages(view, train.queries), train.labels.numbers(1)
        edges = np.quantile(age, [0.25, 0.5, 0.75])
        part = np.searchsorted(edges, age)
        yes, every = (np.bincount(part, weight, 4) for weight in (silent[:, 0], np.ones(len(part))))
        return Shares(edges, (yes + 1) / (every + 2))


@dataclass(frozen=True)
class Shares:
    edges: np.ndarray
    share: np.ndarray

    def predict(self, view, queries):
        share = self.share[np.searchsorted(self.edges, ages(view, queries))]
        return np.log(share / (1 - share))[:, None]


def ages(view, queries):
    histories = view.histories
    last = events_until(histories.offsets, histories.time, queries.user, queries.cutoff) - 1
    return queries.cutoff - np.asarray(histories.time)[last]


@register
@dataclass(frozen=True, kw_only=True)
class HowMany(Target):
    """How many events a user has in the window."""

    name: ClassVar[str] = "how_many"
    head: ClassVar[Head] = Head(scores=None, numbers=1)

    def labels(self, view, queries, horizon):
        return Labels.of_numbers(events_within(view, queries, horizon))

    def loss(self, outputs, query, id, weight, smoothing, key):
        asked, count = asked_numbers(outputs, query, id, weight)
        log_mean = outputs[..., 0]
        return (asked * (jnp.exp(log_mean) - count[..., 0] * log_mean)).sum(), asked.sum()

    def first_guess(self, labels):
        return np.log([np.mean([np.nanmean(one.numbers(1)[1]) for one in labels])])

    def measures(self):
        return Measures(
            metrics=(
                MetricSpec(name="mae", title="MAE", definition="absolute error", better="lower", unit="events", low=0),
                MetricSpec(name="deviance", definition="Poisson deviance", better="lower", low=0),
            ),
            leading="mae",
            things="users",
        )

    def judge(self, view, queries, labels):
        metrics = {"mae": absolute_error, "deviance": poisson_deviance}
        return NumbersJudge(view, queries, labels, per_query=metrics, predicted=np.exp)

    def baselines(self):
        return (LastWindow(),)


@register
@dataclass(frozen=True, kw_only=True)
class LastWindow(Baseline):
    """As many events as in the window before the cutoff, and a tenth."""

    name: ClassVar[str] = "last window"
    predicts: ClassVar = "numbers"
    targets: ClassVar = ("how_many",)

    def fit_numbers(self, view, train, valid, horizon):
        return Before(horizon)


@dataclass(frozen=True)
class Before:
    horizon: int

    def predict(self, view, queries):
        histories = view.histories
        then, now = (
            events_until(histories.offsets, histories.time, queries.user, moment)
            for moment in (queries.cutoff - self.horizon, queries.cutoff)
        )
        return np.log(now - then + 0.1)[:, None]


register(
    Experiment(
        name="own",
        source=SyntheticShop(users=120, days=120, categories=8, items=40),
        target=Silent(),
        horizons=(3, 14),
        features={"ids": ("category", "behaviour"), "timed": ("category", "time")},
        models=(RNN(width=8),),
        seeds=2,
        training=Training(steps=60, batch=8, row_length=64, overlap=16, evaluate_every=30, learning_rate=0.02),
    )
)
