"""What baselines choose their settings by: the metric that the target's tables go by, whatever that is."""

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest

from lab.baselines import Baseline, DecayedPersonal, LabelledQueries, Logistic, RecentPopularity
from lab.baselines.base import FittedNumbers
from lab.baselines.calibrated_scorer import CalibratedScorer
from lab.baselines.tuning import Axis, Choice, choose
from lab.core.errors import InputError
from lab.data.fold.queries import FoldView, Labels, Queries
from lab.dataset.dataset import Dataset
from lab.evaluation.judge import CellEvaluation
from lab.evaluation.measures import Measures, MetricSpec
from lab.evaluation.numbers import NumbersJudge, absolute_error
from lab.models.head import Head
from lab.running.judging import fit_baseline, judge_of_test, tuning_metric, tuning_metrics
from lab.targets import Interest, NextItem, Target
from lab.targets.interest.judge import InterestJudge
from lab.targets.rankings import of_ranks
from tests.running.own_targets import events_within
from tests.whole_path import fold_of, prepared, shop_events


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    return fold_of(prepared(shop_events(0), tmp_path_factory.mktemp("cache")), ("category",))


@dataclass(frozen=True, kw_only=True)
class Led(Interest):
    """Interest that goes by another of its metrics."""

    leading: str

    def measures(self) -> Measures:
        return replace(super().measures(), leading=self.leading)


def valid_of(data: Dataset) -> LabelledQueries:
    split = data.splits["valid"]
    return LabelledQueries(split.queries, split.labels[0]).with_labels


def on_valid(data: Dataset, target: Target, fitted: CalibratedScorer, metric: str) -> np.ndarray:
    """What the target's judge says of the valid queries."""
    valid = valid_of(data)
    judge = target.judge(data.view, valid.queries, valid.labels)
    scores = fitted.scores(data.view, valid.queries)
    judge.add_scores(np.arange(len(valid)), scores, fitted.log_probabilities(scores))
    table = judge.result().queries
    return table[metric][table["slice"] == "all"]


@pytest.mark.parametrize("target", [Interest(), NextItem(), NextItem(repeats=False)], ids=["all", "next", "new"])
def test_what_is_found_without_the_judge_is_what_the_judge_says(data: Dataset, target: Target) -> None:
    rng, valid = np.random.default_rng(0), valid_of(data)
    if isinstance(target, NextItem):  # one label a query
        first = valid.labels.offsets[:-1]
        ones = np.arange(len(valid) + 1), valid.labels.ids[first], np.ones(len(valid), np.float32)
        valid = replace(valid, labels=Labels(*ones), repeats=target.repeats)
    scores = rng.integers(0, 4, (len(valid), data.view.candidates)).astype(np.float32)
    judge = target.judge(data.view, valid.queries, valid.labels)
    judge.add_scores(np.arange(len(valid)), scores, scores)
    table = judge.result().queries
    known = [one.name for one in target.measures().metrics if of_ranks(judge, one.name)]
    cuts = {"ndcg": (5, 10, 20), "hr": (5, 10, 20), "recall": (5, 10, 20)}
    next_ones = [f"{name}@{k}" for name, own in cuts.items() for k in own] + ["mrr"]
    assert known == (["ndcg@5", "ndcg@10", "recall@10"] if type(target) is Interest else next_ones)
    for name in known:
        by = replace(valid.by, of_ranks=of_ranks(judge, name))
        found = replace(valid, by=by).metric(data.view)(scores)
        assert found.tolist() == table[name][table["slice"] == "all"].tolist(), name


@pytest.mark.parametrize("leading", ["recall@10", "accuracy@1", "map@10"])
def test_a_target_s_own_leading_metric_is_what_settings_are_chosen_by(data: Dataset, leading: str) -> None:
    target = Led(leading=leading)
    baseline = DecayedPersonal(taus=(0.1, 1.0, 1000.0), own_shares=(0.1, 0.9), windows=(30.0,))
    fitted = fit_baseline(data, target, baseline, 0)
    assert isinstance(fitted, CalibratedScorer) and fitted.tuning is not None
    assert fitted.tuning.metric == leading and {one.metric for one in tuning_metrics(fitted)} >= {leading, "queries"}
    assert fitted.tuning.value == pytest.approx(on_valid(data, target, fitted, leading).mean())
    for share in (0.1, 0.9):
        for tau in (0.1, 1.0, 1000.0):
            other = fit_baseline(data, target, replace(baseline, taus=(tau,), own_shares=(share,)), 0)
            assert isinstance(other, CalibratedScorer) and other.tuning is not None
            assert other.tuning.value <= fitted.tuning.value + 1e-12


@pytest.mark.parametrize("baseline", [RecentPopularity(), Logistic(penalties=(1.0, 100.0))], ids=lambda one: one.name)
def test_a_metric_of_probabilities_of_which_less_is_better(data: Dataset, baseline: Baseline) -> None:
    """The log loss: of a fixed smoothing while settings are chosen, so that their order is what matters."""
    target = Led(leading="log_loss")
    fitted = fit_baseline(data, target, baseline, 0)
    assert isinstance(fitted, CalibratedScorer) and fitted.tuning is not None and fitted.tuning.metric == "log_loss"
    assert fitted.tuning.value > 0
    ((name, chosen),) = ((n, v) for n, v in fitted.tuning.settings.items() if n != "smoothing")
    for value in (1.0, 14.0, 1000.0):
        fixed = {"windows": (value,)} if name == "popularity_days" else {"penalties": (value,)}
        other = fit_baseline(data, target, replace(baseline, **fixed), 0)
        assert isinstance(other, CalibratedScorer) and other.tuning is not None
        assert other.tuning.value >= fitted.tuning.value - 1e-9, (chosen, value)


class Backwards(InterestJudge):
    """Calls by a known name what is no such thing: 1 where the metric is 0."""

    def result(self) -> CellEvaluation:
        found = super().result()
        return replace(found, queries={**found.queries, "ndcg@10": 1 - found.queries["ndcg@10"]})


class Turned(Interest):
    def judge(self, view: FoldView, queries: Queries, labels: Labels) -> Backwards:
        return Backwards(view, queries, labels)


def test_a_judge_of_one_s_own_is_asked_itself(data: Dataset) -> None:
    assert of_ranks(judge_of_test(data, Turned(), 0), "ndcg@10") is None
    usual, turned = (fit_baseline(data, one, RecentPopularity(), 0) for one in (Interest(), Turned()))
    assert (
        isinstance(usual, CalibratedScorer) and isinstance(turned, CalibratedScorer) and usual.tuning and turned.tuning
    )
    assert turned.tuning.value == pytest.approx(on_valid(data, Turned(), turned, "ndcg@10").mean())
    assert usual.tuning.settings["popularity_days"] != turned.tuning.settings["popularity_days"]


@dataclass(frozen=True)
class Rate:
    days: float
    choices: tuple[Choice, ...] = ()

    def predict(self, view: FoldView, queries: Queries) -> np.ndarray:
        return np.full((len(queries), 1), self.days)


@dataclass(frozen=True, kw_only=True)
class Constant(Baseline):
    """One number for everybody."""

    name: ClassVar[str] = "constant"
    predicts: ClassVar = "numbers"
    values: tuple[float, ...] = (0.5, 1.0, 2.0)

    def fit_numbers(self, view: FoldView, train: LabelledQueries, valid: LabelledQueries, horizon: int) -> Rate:
        def said(queries: Queries) -> Callable[[float], np.ndarray]:
            return lambda value: Rate(value).predict(view, queries)

        found = choose(view, valid, (Axis("value", self.values),), said)
        return Rate(found["value"], (found,))


@dataclass(frozen=True, kw_only=True)
class HowMany(Target):
    """How many events a user has in the window."""

    name: ClassVar[str] = "how_many"
    head: ClassVar[Head] = Head(scores=None, numbers=1)
    leading: str = "mae"

    def labels(self, view: FoldView, queries: Queries, horizon: int) -> Labels:
        return Labels.of_numbers(events_within(view, queries, horizon))

    def measures(self) -> Measures:
        error = MetricSpec(name="mae", definition="absolute error", better="lower", low=0)
        bias = MetricSpec(name="ratio", definition="of sums", better="nearest", best=1.0, per="cell")
        return Measures(metrics=(bias, error), leading=self.leading)

    def judge(self, view: FoldView, queries: Queries, labels: Labels) -> NumbersJudge:
        return NumbersJudge(view, queries, labels, per_query={"mae": absolute_error})


def numbers_of(data: Dataset) -> tuple[Dataset, np.ndarray]:
    """The same fold asked how many, and the answers on valid."""
    labels: dict[str, Any] = {
        name: replace(
            split, labels=tuple(HowMany().labels(data.view, split.queries, h) for h in data.view.fold.horizons)
        )
        for name, split in data.splits.items()
    }
    return replace(data, splits=labels), labels["valid"].labels[0].numbers(1)[1][:, 0]


@pytest.mark.parametrize("leading", ["mae", "ratio"])
def test_numbers_are_tuned_by_their_own_metric(data: Dataset, leading: str) -> None:
    """The mean absolute error of one number is least at the median; a metric of whole cells cannot be raced by."""
    asked, truth = numbers_of(data)
    fitted = fit_baseline(asked, HowMany(leading=leading), Constant(), 0)
    assert isinstance(fitted, FittedNumbers) and fitted.tuning is not None
    chosen = fitted.tuning.settings["value"]
    assert fitted.tuning.value == pytest.approx(np.abs(truth - chosen).mean())
    assert all(np.abs(truth - value).mean() >= fitted.tuning.value for value in (chosen / 2, chosen * 2))
    assert {one.metric: one.value for one in tuning_metrics(fitted)} == {
        "mae": fitted.tuning.value, "queries": len(truth), "answered": len(truth), "value": chosen,
    }  # fmt: skip


def test_without_a_metric_of_queries_nothing_can_be_chosen(data: Dataset) -> None:
    class Bare(HowMany):
        def measures(self) -> Measures:
            return Measures(metrics=(MetricSpec(name="ratio", definition="of sums", per="cell"),), leading="ratio")

    asked, _ = numbers_of(data)
    assert tuning_metric(asked, Bare(), 0).spec.name == "ratio"
    with pytest.raises(InputError, match="ratio: the target declares no metric of each query"):
        fit_baseline(asked, Bare(), Constant(), 0)


def test_no_metric_of_rankings_is_named_outside_targets_and_evaluation() -> None:
    root = Path(__file__).parents[2] / "lab"
    named = [
        path.relative_to(root).as_posix()
        for path in sorted(root.rglob("*.py"))
        if path.relative_to(root).parts[0] not in ("targets", "evaluation")
        and re.search("ndcg", path.read_text(), re.I)
    ]
    assert not named
