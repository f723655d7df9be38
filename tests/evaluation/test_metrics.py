"""Every metric against scikit-learn, and the rules that scikit-learn does not know by hand."""

import warnings
from collections.abc import Collection, Iterator
from typing import Any

import numpy as np
import pytest
import sklearn.metrics
from hypothesis import given, settings
from hypothesis import strategies as st

from lab.core.errors import FaultError
from lab.data.fold.queries import Labels
from lab.targets.interest.metrics import SLICES, InterestMetrics, InterestResult
from tests.small_logs import small_labels

sk: Any = sklearn.metrics  # scikit-learn carries no types, and those guessed are wrong

Case = tuple[np.ndarray, np.ndarray, Labels, np.ndarray]


def measure(scores, log_probabilities, labels, seen) -> InterestResult:
    metrics = InterestMetrics(scores.shape[1])
    metrics.add(scores, log_probabilities, labels, seen)
    return metrics.result()


def hand(scores: list[float], labels: dict[int, float] | set[int], seen: Collection[int] = ()) -> InterestResult:
    """One query, written out."""
    row = np.array([scores], np.float32)
    mask = np.isin(np.arange(len(scores)), list(seen))[None]
    return measure(row, row, small_labels([labels]), mask)


def value(result: InterestResult, slice_name: str, metric: str) -> float:
    return next(v for s, m, v in result.values if (s, m) == (slice_name, metric))


@st.composite
def cases(draw: st.DrawFn) -> Case:
    """Few distinct scores, so that ties are the rule; queries without labels; weights that differ."""
    queries, candidates = draw(st.integers(1, 6)), draw(st.integers(2, 14))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    scores = rng.integers(-3, 4, (queries, candidates)).astype(np.float32) / draw(st.sampled_from([1, 3]))
    log_p = rng.normal(0, 2, (queries, candidates)).astype(np.float32)
    answers = [
        {int(c): float(rng.uniform(0.1, 2)) for c in rng.choice(candidates, rng.integers(0, candidates), replace=False)}
        for _ in range(queries)
    ]
    return scores, log_p, small_labels(answers), rng.random((queries, candidates)) < 0.5


def slices_of(case: Case) -> Iterator[tuple[str, int, Any, Any, Any, Any]]:
    """(slice, query, strictly ordered scores, log-probabilities, 0/1 relevance, weights) of each query and slice.

    The ordering is the rule itself, in plain Python: by score, then non-labels first.
    """
    scores, log_p, labels, seen = case
    for q in range(len(labels)):
        own = slice(labels.offsets[q], labels.offsets[q + 1])
        weight = np.zeros(scores.shape[1])
        weight[labels.ids[own]] = labels.weights[own]
        for name, member in zip(SLICES, (np.ones_like(seen[q]), seen[q], ~seen[q]), strict=True):
            inside = np.flatnonzero(member)
            order = sorted(inside, key=lambda c: (-scores[q, c], weight[c] > 0, c))
            strict = np.array([-float(order.index(c)) for c in inside])
            yield name, q, strict, log_p[q, inside].astype(np.float64), (weight[inside] > 0).astype(int), weight[inside]


def sklearn_auc(relevant: np.ndarray, strict: np.ndarray) -> float:
    return sk.roc_auc_score(relevant, strict) if relevant.min() == 0 else np.nan


@settings(max_examples=30, deadline=None)
@given(cases())
def test_every_per_query_metric_agrees_with_scikit_learn(case: Case) -> None:
    got = measure(*case).per_query
    for name, q, strict, log_p, relevant, weight in slices_of(case):
        found = {metric: values[q] for metric, values in got[name].items()}
        if not relevant.any():
            assert all(np.isnan(v) for v in found.values()), (name, q, found)
            continue
        first = np.argsort(-strict)[:10]
        p = np.exp(log_p - np.logaddexp.reduce(log_p))
        want = {
            "ndcg@5": sk.ndcg_score(relevant[None], strict[None], k=5) if len(strict) > 1 else 1.0,
            "ndcg@10": sk.ndcg_score(relevant[None], strict[None], k=10) if len(strict) > 1 else 1.0,
            "recall@10": relevant[first].sum() / relevant.sum(),
            # Average precision of the first ten, whose own denominator is the labels among them.
            "map@10": sk.average_precision_score(relevant[first], strict[first])
            * relevant[first].sum()
            / min(10, relevant.sum())
            if relevant[first].any()
            else 0.0,
            "accuracy@1": float(relevant[first[0]]),
            "auc": sklearn_auc(relevant, strict),
            # Each label is one observation of its class, weighted by its share.
            "log_loss": sk.log_loss(
                np.flatnonzero(weight),
                np.repeat(p[None], int((weight > 0).sum()), axis=0),
                sample_weight=weight[weight > 0],
                labels=np.arange(len(p)),
            )
            if len(p) > 1
            else 0.0,
        }
        assert found == pytest.approx(want, rel=2e-5, abs=2e-6, nan_ok=True), (name, q)


@settings(max_examples=60, deadline=None)
@given(cases())
def test_micro_and_macro_agree_with_scikit_learn(case: Case) -> None:
    result = measure(*case)
    candidates = case[0].shape[1]
    seen = case[3]
    truth = {name: np.zeros((len(seen), candidates), int) for name in SLICES}
    guess = {name: np.zeros((len(seen), candidates), int) for name in SLICES}
    for name, q, strict, _, relevant, _ in slices_of(case):
        inside = np.flatnonzero({"all": np.ones_like(seen[q]), "repeat": seen[q], "novel": ~seen[q]}[name])
        truth[name][q, inside] = relevant
        guess[name][q, inside[np.argsort(-strict)[: relevant.sum()]]] = 1
    for name in SLICES:
        used = np.flatnonzero(truth[name].any(0) | guess[name].any(0))
        for kind in ("micro", "macro"):
            want = (np.nan,) * 3
            if len(used):
                want = sk.precision_recall_fscore_support(
                    truth[name], guess[name], labels=used, average=kind, zero_division=0
                )[:3]
            got = tuple(value(result, name, f"{m}_{kind}") for m in ("precision", "recall", "f1"))
            assert got == pytest.approx(want, nan_ok=True), (name, kind)


@settings(max_examples=30, deadline=None)
@given(cases(), st.integers(1, 5))
def test_batches_do_not_matter(case: Case, rows: int) -> None:
    scores, log_p, labels, seen = case
    whole, parts = measure(*case), InterestMetrics(scores.shape[1])
    answers = [
        dict(zip(labels.ids[a:b].tolist(), labels.weights[a:b].tolist(), strict=True))
        for a, b in zip(labels.offsets, labels.offsets[1:], strict=False)
    ]
    for begin in range(0, len(labels), rows):
        some = slice(begin, begin + rows)
        parts.add(scores[some], log_p[some], small_labels(answers[some]), seen[some])
    for (name, metric, a), (_, _, b) in zip(whole.values, parts.result().values, strict=True):
        assert a == pytest.approx(b, rel=1e-6, nan_ok=True), (name, metric)


def test_ties_count_against_the_model() -> None:
    result = hand([0.0] * 12, {0, 1})
    got = {metric: values[0] for metric, values in result.per_query["all"].items()}
    assert got["accuracy@1"] == got["ndcg@10"] == got["recall@10"] == got["map@10"] == got["auc"] == 0
    assert value(result, "all", "f1_micro") == 0
    assert got["log_loss"] == pytest.approx(np.log(12))


def test_by_hand() -> None:
    # Candidates by score: 3, 0, 2 = 4, 1. Labels 0 and 4; of the tied pair the label 4 comes last.
    result = hand([3, 0, 1, 9, 1], {0: 3, 4: 1}, seen={0, 1, 3})
    got = {name: {m: v[0] for m, v in metrics.items()} for name, metrics in result.per_query.items()}
    assert got["all"]["ndcg@5"] == pytest.approx((1 / np.log2(3) + 1 / np.log2(5)) / (1 + 1 / np.log2(3)))
    assert got["all"]["map@10"] == pytest.approx((1 / 2 + 2 / 4) / 2)
    assert got["all"]["auc"] == pytest.approx((2 + 1) / 6)
    assert got["all"]["log_loss"] == pytest.approx(np.log(np.exp([3, 0, 1, 9, 1]).sum()) - (3 * 3 + 1 * 1) / 4)
    assert got["repeat"]["ndcg@10"] == pytest.approx(1 / np.log2(3))  # 3, then 0
    assert got["novel"]["ndcg@10"] == pytest.approx(1 / np.log2(3))  # 2 before 4, the tie again
    assert got["novel"]["log_loss"] == pytest.approx(np.log(2))


def test_more_labels_than_places() -> None:
    result = hand(list(range(20, 0, -1)), set(range(12)))
    got = {metric: values[0] for metric, values in result.per_query["all"].items()}
    assert got["ndcg@10"] == got["map@10"] == got["accuracy@1"] == got["auc"] == 1
    assert got["recall@10"] == pytest.approx(10 / 12)


def test_order_of_extreme_scores() -> None:
    scores = [-np.inf, -1e38, -1e-45, 0.0, 1e-45, 1e38, np.inf]
    zeros = np.zeros((1, len(scores) + 1), np.float32)
    for best in range(len(scores)):
        row = np.array([[*scores[: best + 1], *[-np.inf] * (len(scores) - best)]], np.float32)
        got = measure(row, zeros, small_labels([{best}]), zeros > 0).per_query["all"]["accuracy@1"][0]
        assert got == (best > 0), scores[best]
    minus_zero = hand([-0.0, 0.0], {1})
    assert minus_zero.per_query["all"]["accuracy@1"][0] == 0, "-0 and 0 tie"


def test_zero_probability_costs_infinity_and_warns_of_nothing() -> None:
    row = np.array([[0, -np.inf, -np.inf]], np.float32)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        result = measure(row, row, small_labels([{1}]), np.array([[True, False, False]]))
    assert result.per_query["all"]["log_loss"][0] == np.inf
    assert result.per_query["novel"]["log_loss"][0] == np.inf  # no mass at all in the slice


def test_calibration_by_hand() -> None:
    # Two queries; shares .75 .25, both labelled on the first candidate: bins [.5, 1) and [.25, .5).
    log_p = np.log(np.array([[3, 1], [3, 1]], np.float32))
    result = measure(log_p, log_p, small_labels([{0}, {0}]), np.zeros((2, 2), bool))
    bins = result.reliability["all"]
    used = np.flatnonzero(bins.pairs)
    assert bins.edges[used].tolist() == [0.25, 0.5]
    assert bins.pairs[used].tolist() == [2, 2]
    assert bins.predicted[used] == pytest.approx([0.5, 1.5])
    assert bins.observed[used] == pytest.approx([0, 2])
    assert value(result, "all", "calibration_error") == pytest.approx((0.5 + 0.5) / 2 / 2)
    assert value(result, "repeat", "queries") == 0
    assert np.isnan(value(result, "repeat", "calibration_error"))


def test_true_probabilities_are_calibrated_and_flattened_ones_are_not() -> None:
    rng = np.random.default_rng(5)
    log_p = rng.normal(0, 2, (20_000, 8)).astype(np.float32)
    p = np.exp(log_p) / np.exp(log_p).sum(1, keepdims=True)
    drawn = (p.cumsum(1) > rng.random((len(p), 1))).argmax(1)
    labels = Labels(np.arange(len(p) + 1), drawn.astype(np.int32), np.ones(len(p), np.float32))
    seen = np.zeros(p.shape, bool)
    assert value(measure(log_p, log_p, labels, seen), "all", "calibration_error") < 0.01
    assert value(measure(log_p, log_p / 3, labels, seen), "all", "calibration_error") > 0.15


def test_bins_cover_every_share_once() -> None:
    rng = np.random.default_rng(1)
    log_p = rng.normal(0, 9, (50, 40)).astype(np.float32)
    labels = small_labels([{int(c)} for c in rng.integers(0, 40, 50)])
    for bins in measure(log_p, log_p, labels, rng.random((50, 40)) < 0.3).reliability.values():
        assert bins.predicted.sum() == pytest.approx(bins.queries, rel=1e-5)
        assert bins.observed.sum() == pytest.approx(bins.queries)
        assert np.all(bins.predicted <= bins.pairs * bins.edges[1:] + 1e-9)
        assert np.all(bins.predicted >= bins.pairs * bins.edges[:-1] * (1 - 1e-6))


def test_nan_is_refused() -> None:
    with pytest.raises(FaultError, match="scores: NaN for query 0, candidate 1"):
        hand([0, np.nan], {0})


def test_no_queries() -> None:
    result = InterestMetrics(3).result()
    assert value(result, "all", "queries") == 0 and np.isnan(value(result, "all", "ndcg@10"))
