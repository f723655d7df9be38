"""What is kept of the queries beside their metrics: how much of a user was known, and which shares came true."""

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest

from lab.baselines import Baseline, DecayedPersonal, LabelledQueries, LastCategory, RecentPopularity
from lab.baselines.calibrated_scorer import CalibratedScorer
from lab.baselines.personal import DecayedScorer
from lab.core.errors import FaultError
from lab.data.fold.categories import Categories
from lab.data.fold.limits import Limits
from lab.data.fold.queries import FoldView, Queries
from lab.data.fold.seen_candidates import seen_candidates
from lab.data.fold.view import build_view
from lab.data.timeline import DAY, Fold, Timeline
from lab.dataset.dataset import Dataset, build_dataset
from lab.evaluation.judge import Judge
from lab.results.store import Store
from lab.running.judging import fit_baseline, judge_baseline, judge_of_test, tuning_metrics
from lab.targets import Interest, NextItem
from lab.targets.next_item.metrics import log_probability
from tests.results.made import record
from tests.small_logs import small_histories
from tests.whole_path import fold_of, prepared, shop_events


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    return fold_of(prepared(shop_events(0), tmp_path_factory.mktemp("cache")), ("category",))


@pytest.fixture(scope="module")
def judge(data: Dataset) -> Judge:
    return judge_baseline(data, Interest(), LastCategory(), 0)


def test_how_a_baseline_was_tuned_is_told_and_kept(data: Dataset) -> None:
    fitted = fit_baseline(data, Interest(), DecayedPersonal(), 0)
    assert isinstance(fitted, CalibratedScorer)
    kept = {one.metric: one.value for one in tuning_metrics(fitted)}
    valid = data.splits["valid"]
    answered = int(valid.labels[0].answered.sum())
    assert {(one.split, one.slice) for one in tuning_metrics(fitted)} == {("valid", "all")}
    assert list(kept) == [
        "ndcg@10", "queries", "answered", "popularity_days", "own_share", "tau_days", "smoothing",
    ]  # fmt: skip
    assert kept["queries"] == kept["answered"] == answered > 1 and kept["smoothing"] == fitted.smoothing
    scorer = fitted.scorer
    assert isinstance(scorer, DecayedScorer)
    assert (kept["popularity_days"], kept["own_share"], kept["tau_days"]) == (
        scorer.popularity_days, scorer.own_share, scorer.days,
    )  # fmt: skip
    asked = LabelledQueries(valid.queries, valid.labels[0]).with_labels
    assert kept["ndcg@10"] == pytest.approx(asked.metric(data.view)(fitted.scores(data.view, asked.queries)).mean())
    said = f"own_share {scorer.own_share:.6g}, tau_days {scorer.days:.6g}, smoothing {fitted.smoothing:.6g}: ndcg@10 "
    assert fitted.tuning is not None
    assert said in fitted.tuning.text() and fitted.tuning.text().endswith(f" on {answered} valid queries")


def test_a_query_s_history_is_its_user_s_events_up_to_the_cutoff(data: Dataset, judge: Judge) -> None:
    users = judge.result().queries
    histories = data.view.histories
    for user, cutoff, history in zip(users["user"], users["cutoff"], users["history"], strict=True):
        own = histories.time[histories.offsets[user] : histories.offsets[user + 1]]
        assert history == (np.asarray(own) <= cutoff).sum()
    assert len(set(users["history"].tolist())) > 1


def test_shares_that_are_kept_add_up_and_give_the_calibration_error(
    data: Dataset, judge: Judge, tmp_path: Path
) -> None:
    judged = judge.result()
    metrics, users = judged.metrics, judged.queries
    store = Store(tmp_path)
    store.write(record(), judged=judged)
    kept = store.table(record().id, "reliability")
    for name in ("all", "repeat", "novel"):
        here = kept["slice"] == name
        queries = int((users["slice"] == name).sum())
        assert np.isclose(kept["predicted"][here].sum(), queries) and np.isclose(kept["observed"][here].sum(), queries)
        error = np.abs(kept["predicted"] - kept["observed"])[here].sum() / 2 / queries
        known = {(one.slice, one.metric): one.value for one in metrics}
        assert np.isclose(error, known[name, "calibration_error"])
        means = kept["predicted"][here] / np.maximum(kept["pairs"][here], 1)
        full = kept["pairs"][here] > 0
        assert ((kept["low"][here] <= means) & (means <= kept["high"][here]))[full].all()
    assert kept["pairs"][kept["slice"] == "all"].sum() == (users["slice"] == "all").sum() * data.view.candidates


def next_items(target: NextItem, limits: Limits = Limits()) -> Dataset:  # noqa: B008  # frozen
    """Forty users who each do twelve things with eight items within twelve days; cutoffs on the days 6 and 9."""
    rng = np.random.default_rng(0)
    events = [
        (user, "abcdefgh"[rng.integers(8)], None, day, "cancellation" if rng.random() < 0.1 else "purchase")
        for user in range(40)
        for day in np.sort(rng.uniform(0, 12, 12)).tolist()
    ]
    fold = Fold(0, 0, 6 * DAY, 9 * DAY, (3 * DAY,), DAY)
    view, _ = build_view(
        target.arrange(small_histories(events), Timeline()), fold, Categories(rule="item"), limits=limits
    )
    return build_dataset(view, Timeline(min_events=1), target, (), 16, 4)


def values(judge: Judge) -> dict[str, float]:
    return {one.metric: one.value for one in judge.result().metrics if one.slice == "all"}


@dataclass(frozen=True)
class Sharp:
    """Gives what users have taken, and a little one other item, nearly all there is."""

    def scores(self, view: FoldView, queries: Queries) -> np.ndarray:
        scores = np.full((len(queries), view.candidates), 0.5, np.float32) + seen_candidates(
            view, queries
        ) * np.float32(50)
        scores[:, 3] += 1
        return scores


@dataclass(frozen=True, kw_only=True)
class Watched(Baseline):
    """A baseline of one's own that keeps what it is given to choose by."""

    name: ClassVar[str] = "watched"
    asked: ClassVar = ("events",)
    given: list[LabelledQueries]

    def fit_scorer(self, view: FoldView, train: LabelledQueries, valid: LabelledQueries, horizon: int) -> Sharp:
        self.given.append(valid)
        return Sharp()


@pytest.mark.parametrize("repeats", [True, False])
def test_baselines_are_tuned_and_judged_among_the_same_candidates(repeats: bool) -> None:
    target, given = NextItem(repeats=repeats), []
    data, watched = next_items(target), Watched(given=given)
    judge = judge_baseline(data, target, watched, 0)
    (valid,) = given
    out = valid.excluded(data.view)
    assert (out is None) == repeats
    if out is not None:
        wanted = seen_candidates(data.view, valid.queries)
        wanted[valid.label_pairs] = False
        np.testing.assert_array_equal(out, wanted)
    # Slowly: the log loss of the test among what its ranking keeps.
    split = data.splits["test"]
    test = LabelledQueries(split.queries, split.labels[0], repeats)
    fitted = watched.fit(data.view, valid, valid, 3 * DAY)
    p = np.exp(fitted.log_probabilities(fitted.scores(data.view, test.queries)).astype(np.float64))
    out = test.excluded(data.view)
    kept = np.ones_like(p, bool) if out is None else ~out
    losses = [-np.log(p[q, label] / p[q, kept[q]].sum()) for q, label in zip(*test.label_pairs, strict=True)]
    assert values(judge)["log_loss"] == pytest.approx(np.mean(losses), rel=1e-5)


def test_a_log_probability_is_among_what_is_left_out_or_not() -> None:
    log_p = np.log(np.array([[0.5, 0.2, 0.2, 0.1], [0.25, 0.25, 0.25, 0.25]], np.float32))
    label, left_out = np.array([1, 0], np.int32), np.array([[True, True, False, False], [False] * 4])
    np.testing.assert_allclose(np.exp(log_probability(log_p, label, None)), [0.2, 0.25], rtol=1e-6)
    # The label itself stays, whatever is said of it: 0.2 of 0.2 + 0.2 + 0.1.
    np.testing.assert_allclose(np.exp(log_probability(log_p, label, left_out)), [0.4, 0.25], rtol=1e-6)
    # However little is left: what is left out may have all but e^-300 of it.
    sharp = np.array([[0, -300, -300, -301]], np.float32)
    exact = -np.log(2 + np.exp(-1))
    assert log_probability(sharp, label[:1], left_out[:1])[0] == pytest.approx(exact, rel=1e-6)


def test_no_probability_for_all_that_is_left_is_a_fault() -> None:
    target = NextItem(repeats=False)
    data = next_items(target)
    judge, index = judge_of_test(data, target, 0), np.arange(len(data.splits["test"].queries))
    scores = np.ones((len(index), data.view.candidates), np.float32)
    with pytest.raises(FaultError, match="log probabilities: NaN for query"):
        judge.add_scores(index, scores, np.full_like(scores, -np.inf))


@pytest.mark.parametrize("limits", [Limits(), Limits(share=0.5)])
def test_popularity_is_of_known_events(limits: Limits) -> None:
    """Those up to the valid cutoff, a cancellation taking one away, of the users that are learned from."""
    target = NextItem()
    data = next_items(target, limits)
    view, log = data.view, data.view.histories
    known = np.zeros(view.candidates)
    for user in range(log.users):
        if view.sample is None or view.sample[user]:
            for event in range(log.offsets[user], log.offsets[user + 1]):
                if log.time[event] <= 6 * DAY and view.candidate[event] >= 0:
                    known[view.candidate[event]] += log.behaviours[log.behaviour[event]].sign
    labels = data.splits["test"].labels[0].ids
    found = values(judge_baseline(data, target, RecentPopularity(), 0))
    assert found["popularity@label"] == pytest.approx(known[labels].mean() / known.mean(), rel=1e-12)
