"""Each baseline on logs small enough to know the answer, and none from the future."""

import subprocess
import sys
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lab.baselines import (
    Baseline,
    CalibratedScorer,
    DecayedPersonal,
    LabelledQueries,
    LastCategory,
    Logistic,
    Markov,
    PersonalFrequency,
    RecentPopularity,
    default_baselines,
)
from lab.baselines.markov import count_transitions
from lab.baselines.past_events import past, popularity, recent_counts
from lab.baselines.personal import FrequencyScorer
from lab.baselines.smoothing import SMOOTHINGS
from lab.core.errors import InputError
from lab.data.fold.queries import FoldView, Queries
from lab.data.fold.seen_candidates import seen_candidates
from lab.data.schema import Behaviour
from lab.data.timeline import microseconds
from tests.small_logs import small_histories, small_queries, small_view, touched_within

HORIZON, VALID, TEST = 10, 40, 50
USERS, CATEGORIES = range(4), "abcde"
Event = tuple[Any, ...]

# Whatever else happens, one user gives every split a label.
ANCHORS: list[Event] = [(0, "i", c, day) for c, day in (("a", 5), ("b", 15), ("c", 25), ("b", 35), ("a", 45))]


def view_of(events: list[Event]) -> FoldView:
    kinds = (Behaviour("purchase"), Behaviour("cancellation", -1))
    log = small_histories(events, users=USERS, categories=CATEGORIES, behaviours=kinds)
    return small_view(log, VALID, TEST, (HORIZON,))


def labelled_queries(view: FoldView, days: list[float]) -> LabelledQueries:
    queries = small_queries([(user, day) for user in range(view.histories.users) for day in days])
    return LabelledQueries(queries, touched_within(view, queries, HORIZON))


def fit(baseline: Baseline, view: FoldView, valid: LabelledQueries | None = None) -> CalibratedScorer:
    return baseline.fit(
        view, labelled_queries(view, [10, 20, 30]), valid or labelled_queries(view, [VALID]), microseconds(HORIZON)
    )


def scores_of(baseline: Baseline, view: FoldView, user: int, day: float = TEST) -> dict[str, float]:
    """The scores at one query, by candidate name."""
    row = fit(baseline, view).scores(view, small_queries([(user, day)]))[0]
    return dict(zip(view.names.tolist(), row.tolist(), strict=True))


def best_first(scores: dict[str, float]) -> str:
    return "".join(sorted(scores, key=lambda name: -scores[name]))


def events(low: float, high: float) -> st.SearchStrategy[list[Event]]:
    """Up to 25 events with low <= day <= high, on whole days so that ties are common."""
    return st.lists(
        st.tuples(
            st.sampled_from(list(USERS)),
            st.just("i"),
            st.sampled_from(CATEGORIES),
            st.integers(int(low), int(high)),
            st.sampled_from(["purchase", "purchase", "cancellation"]),
        ),
        max_size=25,
    )


@pytest.mark.parametrize("baseline", default_baselines(), ids=lambda b: b.name)
@settings(max_examples=20, deadline=None)
@given(known=events(0, TEST), one=events(TEST + 1, 90), other=events(TEST + 1, 90))
def test_scores_are_blind_to_events_after_the_cutoff(
    baseline: Baseline, known: list[Event], one: list[Event], other: list[Event]
) -> None:
    queries = small_queries([(user, TEST) for user in USERS])
    left, right = (view_of(ANCHORS + known + later) for later in (one, other))
    fitted = fit(baseline, left)
    scores = fitted.scores(left, queries)
    assert scores.dtype == np.float32 and scores.shape == (len(USERS), left.candidates)
    assert (fitted.chances(scores) >= 0).all()
    assert np.isfinite(fitted.log_probabilities(scores)).all()
    assert scores.tobytes() == fitted.scores(right, queries).tobytes()


@pytest.mark.parametrize("baseline", default_baselines(), ids=lambda b: b.name)
@settings(max_examples=20, deadline=None)
@given(known=events(0, VALID), one=events(VALID + 1, 90), other=events(VALID + 1, 90))
def test_what_is_fitted_is_blind_to_events_after_the_valid_cutoff(
    baseline: Baseline, known: list[Event], one: list[Event], other: list[Event]
) -> None:
    left, right = (view_of(ANCHORS + known + later) for later in (one, other))
    valid = labelled_queries(left, [VALID])  # only the valid labels, given to both, may speak of what follows
    queries = small_queries([(user, VALID) for user in USERS])
    ours, theirs = fit(baseline, left, valid), fit(baseline, right, valid)
    assert ours.smoothing == theirs.smoothing
    assert ours.scores(left, queries).tobytes() == theirs.scores(left, queries).tobytes()


@pytest.mark.parametrize("baseline", default_baselines(), ids=lambda b: b.name)
def test_a_query_does_not_feel_the_others(baseline: Baseline) -> None:
    rng = np.random.default_rng(0)
    drawn = [(int(rng.choice(4)), "i", str(rng.choice(list(CATEGORIES))), int(rng.integers(0, 50))) for _ in range(80)]
    view = view_of(ANCHORS + drawn)
    fitted = fit(baseline, view)
    queries = small_queries([(user, day) for user in USERS for day in (50, 44, 20, 0)])
    together = fitted.scores(view, queries)
    alone = np.concatenate([fitted.scores(view, queries[q : q + 1]) for q in range(len(queries))])
    np.testing.assert_allclose(together, alone, rtol=1e-5)


def test_popularity_counts_its_window_and_orders_the_rest_by_all_time() -> None:
    view = view_of([*ANCHORS, *[(1, "i", "c", 2)] * 3, (1, "i", "d", 3), (2, "i", "b", 46), (3, "i", "e", 30)])
    got = scores_of(RecentPopularity(windows=(10,)), view, user=3)
    # In (40, 50]: a once, b once; all time: c 4, b 3, a 2, d 1, e 1 of 11.
    assert got == pytest.approx(
        {"a": (1 + 2 / 11) / 3, "b": (1 + 3 / 11) / 3, "c": 4 / 33, "d": 1 / 33, "e": 1 / 33}, rel=1e-6
    )


def test_popularity_is_never_older_than_what_models_know() -> None:
    """Of a query long before the valid cutoff, whose answer comes after it, too."""
    view = view_of([*ANCHORS, (1, "i", "d", VALID), (2, "i", "c", VALID + 1)])
    early, valid, later = popularity(view, small_queries([(3, 10), (3, VALID), (3, VALID + 1)]), 2)
    np.testing.assert_array_equal(early, valid)
    named = {name: candidate for candidate, name in enumerate(view.names)}
    assert valid.argmax() == named["d"] and later[named["c"]] > valid[named["c"]]


def test_popularity_takes_the_window_that_serves_valid() -> None:
    old = [(user, "i", "d", day) for user in USERS for day in (1, 2, 3, 4)]
    new = [(user, "i", "e", day) for user in USERS for day in (38, 42, 48)]
    fitted = fit(RecentPopularity(windows=(100, 5)), view_of(ANCHORS + old + new))
    assert getattr(fitted.scorer, "days") == 5  # noqa: B009


def test_personal_counts_net_of_cancellations_then_popularity() -> None:
    own = [(1, "i", "a", 1), (1, "i", "b", 2), (1, "i", "b", 3), (1, "i", "c", 4), (1, "i", "c", 5, "cancellation")]
    cancelled_twice = [(1, "i", "d", 6), (1, "i", "d", 7, "cancellation"), (1, "i", "d", 8, "cancellation")]
    popular = [(2, "i", "d", 9), (2, "i", "d", 10), (2, "i", "e", 11)]
    got = scores_of(PersonalFrequency(windows=(100,)), view_of(ANCHORS + own + cancelled_twice + popular), user=1)
    assert {name: int(score) for name, score in got.items()} == {"a": 1, "b": 2, "c": 0, "d": 0, "e": 0}
    assert best_first(got)[:2] == "ba" and got["c"] == got["d"] == got["e"]  # one net event each, of everybody


def test_decayed_by_hand() -> None:
    view = view_of([*ANCHORS, (1, "i", "d", 30), (1, "i", "e", 40)])
    got = scores_of(DecayedPersonal(taus=(10,), own_shares=(0.6,), windows=(1000,)), view, user=1)
    d, e = np.exp(-2), np.exp(-1)
    everyone = {"a": 2, "b": 2, "c": 1, "d": 1, "e": 1}
    want = {name: 0.4 * n / 7 for name, n in everyone.items()}
    want["d"] += 0.6 * d / (d + e)
    want["e"] += 0.6 * e / (d + e)
    assert got == pytest.approx(want, rel=1e-6)


def switching(loyal: bool) -> FoldView:
    """Users who want what they bought long ago and often, or what they bought last and once."""
    drawn: list[Event] = []
    for user in range(20):
        old, new = str(user % 5), str((user + 1 + user % 3) % 5)
        drawn += [(user, "i", old, day) for day in range(10)] + [(user, "i", new, 38)]
        drawn += [(user, "i", old if loyal else new, day) for day in (43, 47)]
    return small_view(small_histories(drawn), VALID, TEST, (HORIZON,))


@pytest.mark.parametrize(("loyal", "tau"), [(True, 1000), (False, 2)])
def test_decayed_takes_the_time_constant_that_the_log_needs(loyal: bool, tau: float) -> None:
    view = switching(loyal)
    baseline = DecayedPersonal(taus=(2, 1000) if loyal else (1000, 2), windows=(1000,))
    valid = labelled_queries(view, [VALID])
    fitted = baseline.fit(view, labelled_queries(view, [20]), valid, microseconds(HORIZON))
    assert getattr(fitted.scorer, "days") == tau  # noqa: B009


def test_last_orders_by_the_latest_touch_then_popularity() -> None:
    own = [(1, "i", c, day) for c, day in (("c", 20), ("d", 21), ("c", 22), ("e", 23))]
    got = scores_of(LastCategory(windows=(1000,)), view_of([*ANCHORS, *own, (1, "i", "b", 24, "cancellation")]), user=1)
    assert got == pytest.approx({"e": 1, "c": 1 / 2, "d": 1 / 3, "a": 2 / 8 / 4, "b": 1 / 8 / 4})


def test_last_among_ties_follows_the_log() -> None:
    view = view_of([*ANCHORS, (1, "i", "d", 30), (1, "i", "c", 30)])
    assert best_first(scores_of(LastCategory(), view, user=1))[:2] == "cd"


def test_markov_by_hand() -> None:
    # Transitions up to day 40: user 0 a-b, b-c, c-b; user 1 a-d (its run of a counts once); user 2 d-a.
    log = [*ANCHORS, (1, "i", "a", 1), (1, "i", "a", 2), (1, "i", "d", 3), (2, "i", "d", 4), (2, "i", "a", 5)]
    view = view_of([*log, (3, "i", "e", 7)])
    baseline = Markov(decays=(0.5,), priors=(3.0,), windows=(1000,))
    popular = np.array([5, 2, 1, 2, 1]) / 11  # a b c d e by day 50
    after_a = (np.array([0, 1, 0, 1, 0]) + 3 * popular) / (2 + 3)
    after_d = (np.array([1, 0, 0, 0, 0]) + 3 * popular) / (1 + 3)
    want = (after_a + 0.5 * after_d) / 1.5  # user 2 took d, then a
    assert list(scores_of(baseline, view, user=2).values()) == pytest.approx(want.tolist(), rel=1e-6)
    assert list(scores_of(baseline, view, user=3).values()) == pytest.approx(popular.tolist(), rel=1e-6)


def test_logistic_weighs_its_sample_right() -> None:
    view = switching(loyal=True)
    rng = np.random.default_rng(0)
    transitions_at = small_queries([(user, 30) for user in range(20)])
    train = LabelledQueries(transitions_at, touched_within(view, transitions_at, HORIZON))
    blocks = [
        Logistic(sampled=2)._block(view, train, count_transitions(view, microseconds(30)), rng) for _ in range(200)
    ]
    assert np.mean([weight.sum() for _, _, weight in blocks]) == pytest.approx(20 * view.candidates, rel=0.05)
    for features, is_label, weight in blocks:
        assert (weight[is_label | (features[:, -1] > 0)] == 1).all()


@pytest.mark.parametrize("loyal", [True, False])
def test_logistic_learns_what_counts_and_repeats_itself_exactly(loyal: bool) -> None:
    view = switching(loyal)
    # Windows before the switch teach loyalty; one that holds it teaches to follow the latest event.
    train, test = labelled_queries(view, [5 if loyal else 43]), labelled_queries(view, [TEST - 5])
    view = replace(view, fold=replace(view.fold, valid_cutoff=microseconds(43 + HORIZON)))
    first, second = (Logistic().fit(view, train, test, microseconds(HORIZON)) for _ in range(2))
    scores = first.scores(view, test.queries)
    assert test.metric(view)(scores).mean() > 0.9
    assert scores.tobytes() == second.scores(view, test.queries).tobytes()


def test_training_windows_must_close_by_the_valid_cutoff() -> None:
    view = view_of(ANCHORS)
    late = labelled_queries(view, [31])
    with pytest.raises(InputError, match="no training query with a label has a window that closes by"):
        Logistic().fit(view, late, labelled_queries(view, [VALID]), microseconds(HORIZON))


def test_training_windows_do_not_overlap() -> None:
    """The latest cutoff that is offered, and the next ones a horizon or more before it: others change no bit."""
    view = view_of(
        [*ANCHORS, *((user, "i", CATEGORIES[(user + day) % 5], day) for user in (1, 2) for day in range(39))]
    )
    fitted = [
        Logistic()
        .fit(view, labelled_queries(view, days), labelled_queries(view, [VALID]), microseconds(HORIZON))
        .scorer
        for days in ([10.0, 20, 30], [5.0, 10, 15, 20, 25, 29.5, 30], [20.0, 30])
    ]
    apart, offered, fewer = (getattr(scorer, "coefficients") for scorer in fitted)  # noqa: B009
    np.testing.assert_array_equal(offered, apart)
    assert (fewer != apart).any()


def test_nothing_to_choose_by() -> None:
    view = view_of(ANCHORS[:4])
    with pytest.raises(InputError, match="baseline markov: no query at the valid cutoff has a label"):
        fit(Markov(), view)


def test_probabilities_mix_in_the_uniform_one() -> None:
    fitted = CalibratedScorer(FrequencyScorer(popularity_days=30), 0.1)
    got = np.exp(fitted.log_probabilities(np.array([[3, 1, 0, 0], [0, 0, 0, 0]], np.float32)))
    np.testing.assert_allclose(got, [[0.7, 0.25, 0.025, 0.025], [0.25] * 4], rtol=1e-6)


def test_smoothing_is_chosen_by_log_loss() -> None:
    loyal, fickle = switching(loyal=True), switching(loyal=False)
    chosen = [
        PersonalFrequency()
        .fit(view, labelled_queries(view, [20]), labelled_queries(view, [VALID]), microseconds(HORIZON))
        .smoothing
        for view in (loyal, fickle)
    ]
    assert chosen[0] < chosen[1]


def test_thinning_keeps_answered_queries_with_their_labels() -> None:
    view = view_of([*ANCHORS, *[(user, "i", "bcd"[user - 1], 46) for user in (1, 2, 3)]])
    some = labelled_queries(view, [VALID, 80]).subsample(2)
    assert some.queries.user.tolist() == [0, 2] and np.all(some.queries.cutoff == microseconds(VALID))
    assert some.labels.offsets.tolist() == [0, 1, 2]
    assert view.names[some.labels.ids].tolist() == ["a", "c"]


def never_again() -> tuple[FoldView, LabelledQueries]:
    """Twenty users who all took `a` lately and `d` once, and of whom each goes on to what it has not had."""
    drawn: list[Event] = [(20, "i", "e", 5)]
    for user in range(20):
        drawn += [(user, "i", "a", day) for day in (36, 37, 38)]
        drawn += [(user, "i", "b", day) for day in (2, 3)] if user % 4 == 0 else [(user, "i", "c", 30)]
        drawn += [(user, "i", "d", 20), (user, "i", "e" if user % 2 else "c" if user % 4 == 0 else "b", 44)]
    view = small_view(small_histories(drawn, categories=CATEGORIES), VALID, TEST, (HORIZON,))
    return view, replace(labelled_queries(view, [VALID])[np.arange(20)], repeats=False)


def test_what_the_test_leaves_out_is_left_out_when_settings_are_chosen() -> None:
    view, valid = never_again()
    out = valid.excluded(view)
    assert out is not None and [view.names[row].tolist() for row in out[:2]] == [["a", "b", "d"], ["a", "c", "d"]]
    assert replace(valid, repeats=True).excluded(view) is None
    rows = np.array([1, 4, 7])
    np.testing.assert_array_equal(valid[rows].excluded(view), out[rows])
    # On day 36 all have taken `a`, and take it again: a label is never left out.
    again = replace(labelled_queries(view, [36])[np.arange(20)], repeats=False)
    out = again.excluded(view)
    assert out is not None and not out[again.label_pairs].any() and not out[:, 0].any() and out[:, 3].all()
    # Ranked among `c` and `e` alone, or `b` and `e`: what is at the top is no matter.
    scores = np.tile(np.array([9, 3, 3, 8, 2], np.float32), (20, 1))
    places = np.where(valid.labels.ids == 4, 1, 0)
    assert valid.metric(view)(scores) == pytest.approx(1 / np.log2(places + 2))


def test_what_orders_the_taken_alone_is_popularity_where_they_are_left_out() -> None:
    view, valid = never_again()
    out = valid.excluded(view)
    assert out is not None
    ranked = ~out

    def ranking(baseline: Baseline) -> list[list[int]]:
        scores = baseline.fit(view, valid, valid, HORIZON).scores(view, valid.queries)
        return np.where(ranked, scores, -1).argsort(1, kind="stable").tolist()

    alike = [one for one in default_baselines("events") if one.orders_taken]
    assert [one.name for one in alike] == ["personal", "decayed", "last"]
    assert all(ranking(one) == ranking(RecentPopularity()) for one in alike)
    assert [one.name for one in default_baselines("events", taken=False)] == ["popularity", "markov"]


@dataclass(frozen=True)
class Shaped:
    """Scores that say `a` with nearly all their weight, and of the rest what is right; and what its baseline chose."""

    chosen: float

    def scores(self, view: FoldView, queries: Queries) -> np.ndarray:
        return np.array([[1000, 0, 0, 0, 9] if user % 2 else [1000, 9, 9, 0, 0] for user in queries.user], np.float32)


@dataclass(frozen=True, kw_only=True)
class Mine(Baseline):
    """A baseline of one's own, which chooses as those of the lab do."""

    name: ClassVar[str] = "mine"

    def fit_scorer(self, view: FoldView, train: LabelledQueries, valid: LabelledQueries, horizon: int) -> Shaped:
        return Shaped(float(valid.metric(view)(Shaped(0).scores(view, valid.queries)).mean()))


def test_smoothing_is_chosen_among_what_is_left() -> None:
    view, valid = never_again()
    fitted = fit(Mine(), view, valid)
    assert getattr(fitted.scorer, "chosen") == valid.metric(view)(fitted.scores(view, valid.queries)).mean()  # noqa: B009
    # Slowly and plainly: the log loss of each smoothing among what is left, the label being one of these.
    out, losses = valid.excluded(view), []
    assert out is not None
    for smoothing in SMOOTHINGS.values:
        p = np.exp(
            CalibratedScorer(fitted.scorer, smoothing)
            .log_probabilities(fitted.scores(view, valid.queries))
            .astype(float)
        )
        losses.append(
            -np.mean([np.log(p[q, label] / p[q, ~out[q]].sum()) for q, label in zip(*valid.label_pairs, strict=True)])
        )
    assert fitted.smoothing == SMOOTHINGS.values[int(np.argmin(losses))]
    # Where `a` is ranked too, it takes more to make up for it.
    assert fitted.smoothing == SMOOTHINGS.values[0] and fit(Mine(), view, replace(valid, repeats=True)).smoothing > 0.1


def test_what_is_known() -> None:
    view = view_of([*ANCHORS, (1, "i", "b", 4), (1, "i", "b", 6, "cancellation"), (1, "i", "c", 20)])
    queries: Queries = small_queries([(1, 10), (2, 10), (1, 20)])
    assert [view.names[row].tolist() for row in seen_candidates(view, queries)] == [["b"], [], ["b", "c"]]
    own = past(view, queries)
    assert own.counts().sum() == 1 and own.recency()[2].tolist() == [0, 1 / 17, 1]
    assert own.runs().steps_back().tolist() == [0, 1, 0]
    assert recent_counts(view, microseconds(20)).tolist() == [1, 1, 1]
    assert recent_counts(view, microseconds(20), days=5).tolist() == [0, 0, 1]  # (15, 20]


def test_importing_the_package_is_light() -> None:
    code = (
        "import sys, lab.baselines, lab.targets.interest.metrics, lab.statistics.intervals;"
        "lab.baselines.default_baselines();"
        "print([m for m in ('jax', 'scipy', 'sklearn', 'pandas', 'polars') if m in sys.modules])"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"
