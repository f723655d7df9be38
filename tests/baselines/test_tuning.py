"""How settings are chosen: on queries enough to tell them apart, a block at a time, from grids that go on."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lab.baselines import DecayedPersonal, LabelledQueries, Logistic, RecentPopularity
from lab.baselines import tuning as lab_tuning
from lab.baselines.logistic import LogisticScorer
from lab.baselines.markov import count_transitions
from lab.baselines.past_events import past
from lab.baselines.smoothing import SMOOTHINGS, LogLossTerms, best_smoothing
from lab.baselines.tuning import FIRST, Axis, choose, spread
from lab.data.fold.queries import FoldView, Queries
from lab.data.timeline import DAY, microseconds
from lab.evaluation.ranking import label_ranks, rank_candidates, ranking_metrics
from lab.evaluation.tuning_metric import OF_RANKINGS, ndcg, recall
from tests.baselines.test_baselines import (
    ANCHORS,
    CATEGORIES,
    HORIZON,
    USERS,
    VALID,
    Event,
    events,
    labelled_queries,
    view_of,
)
from tests.small_logs import small_labels, small_queries

Scores = Callable[..., np.ndarray]


@pytest.fixture(scope="module")
def view() -> FoldView:
    return view_of(ANCHORS + [(1, "i", c, 3) for c in CATEGORIES])


def valid_of(users: np.ndarray) -> LabelledQueries:
    """A query of each of the users given, whose label is candidate 0; its cutoff tells which query it is."""
    queries = Queries(users.astype(np.int32), np.arange(len(users)))
    return LabelledQueries(queries, small_labels([[0]] * len(users)))


def hitting(rate: Callable[..., float]) -> Callable[[Queries], Scores]:
    """Scores that name the label first in a share of the queries, drawn by chance but the same for all settings."""

    def ranked(queries: Queries) -> Scores:
        luck = np.random.default_rng(0).random(100_000)[queries.cutoff]

        def scores(*setting: float) -> np.ndarray:
            wrong = luck >= rate(*setting)
            return np.where(np.arange(5) == 0, 1 - 2 * wrong[:, None], 0).astype(np.float32)

        return scores

    return ranked


@settings(max_examples=100, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), levels=st.integers(1, 6), single=st.booleans())
def test_labels_are_ranked_without_sorting_as_with_it(seed: int, levels: int, single: bool) -> None:
    rng = np.random.default_rng(seed)
    scores = rng.integers(0, levels, (7, 30)).astype(np.float32)
    scores[rng.random(scores.shape) < 0.2] = -np.inf
    is_label = np.zeros(scores.shape, bool)
    for row in is_label:
        row[rng.choice(30, 1 if single else rng.integers(1, 15), replace=False)] = True
    ranks = label_ranks(rank_candidates(scores, is_label, np.zeros_like(is_label)), "all")
    for name, of_ranks in {"ndcg@5": ndcg(5), "ndcg@10": ndcg(10), "recall@10": recall(10)}.items():
        found = replace(OF_RANKINGS, of_ranks=of_ranks).by_ranks(scores, *np.nonzero(is_label))
        assert found.tolist() == ranking_metrics(ranks)[name].tolist()


def test_what_is_clear_at_once_needs_few_queries_and_what_is_close_needs_more(view: FoldView) -> None:
    valid = valid_of(np.arange(8_000))
    axis = (Axis("x", (1.0, 2.0)),)
    clear = choose(view, valid, axis, hitting(lambda x: 0.9 if x == 2 else 0.1))
    close = choose(view, valid, axis, hitting(lambda x: {1.0: 0.50, 2.0: 0.51}.get(x, 0.1)))
    assert (clear["x"], clear.queries) == (2, FIRST)
    assert close["x"] == 2 and FIRST < close.queries < 8_000
    # The value is that of these queries: the first so many of the order that is spread evenly.
    luck = np.random.default_rng(0).random(100_000)[spread(8_000)[: close.queries]]
    assert close.value == pytest.approx((luck < 0.51).mean() + (luck >= 0.51).mean() / np.log2(6))


def test_what_cannot_be_told_apart_takes_all_queries_and_then_the_better_on_these(view: FoldView) -> None:
    """Independent luck of one rate: no sample tells, and on all of them one is ahead by chance."""
    valid, drawn = valid_of(np.arange(3_000)), np.random.default_rng(1).random((3, 3_000)) < 0.5

    def ranked(queries: Queries) -> Scores:
        return lambda x: np.where(np.arange(5) == 0, 2.0 * drawn[int(2 * x), queries.cutoff, None] - 1, 0).astype(
            np.float32
        )

    found = choose(view, valid, (Axis("x", (0.0, 0.5, 1.0), "share"),), ranked)
    assert (found.queries, 2 * found["x"]) == (3_000, drawn.sum(1).argmax())


def test_many_queries_of_one_user_tell_no_more_than_the_user(view: FoldView) -> None:
    """Settings that differ at one user alone are not told apart, however many queries that user has."""
    users = np.repeat(np.arange(40), 100)
    better = users == 7

    def ranked(queries: Queries) -> Scores:
        return lambda x: np.where(np.arange(5) == 0, np.where(better[queries.cutoff], x, 1)[:, None], 0.5)

    found = choose(view, valid_of(users), (Axis("x", (0.0, 1.0), "share"),), ranked)
    assert found["x"] == 1 and found.queries == len(users)


def test_equal_settings_stop_at_once_and_the_first_is_taken(view: FoldView) -> None:
    found = choose(view, valid_of(np.arange(5_000)), (Axis("x", (3.0, 1.0, 2.0)),), hitting(lambda x: 0.5))
    assert (found["x"], found.queries) == (1, FIRST)


@pytest.mark.parametrize(("best", "axis"), [
    (700.0, Axis("x", (1.0, 2.0, 4.0))), (0.003, Axis("x", (1.0, 2.0, 4.0))), (2.0, Axis("x", (1.0, 2.0, 4.0))),
    (0.002, Axis("x", (0.1, 0.5, 0.9), "share")), (0.999, Axis("x", (0.1, 0.5, 0.9), "share")),
])  # fmt: skip
def test_no_grid_ends_at_its_best(view: FoldView, best: float, axis: Axis) -> None:
    seen: set[float] = set()

    def rate(x: float) -> float:
        seen.add(x)
        place = (lambda value: np.log(value / (1 - value))) if axis.kind == "share" else np.log
        return 0.9 / (1 + 0.1 * abs(place(x) - place(best)))

    found = choose(view, valid_of(np.arange(4_000)), (axis,), hitting(rate))
    assert min(seen) < found["x"] < max(seen)
    assert rate(found["x"]) == max(map(rate, set(seen)))


def test_two_settings_are_chosen_together_and_both_go_on(view: FoldView) -> None:
    """The best of one depends on the other, so that one after the other would end elsewhere."""

    def rate(x: float, y: float) -> float:
        return 0.9 / (1 + 0.1 * abs(np.log(x * y / 64)) + 0.05 * abs(np.log(x / 16)))

    axes = Axis("x", (1.0, 2.0)), Axis("y", (1.0, 2.0))
    found = choose(view, valid_of(np.arange(4_000)), axes, hitting(rate))
    assert rate(found["x"], found["y"]) > 0.8 and found["x"] > 2 and found["y"] > 2


def test_one_value_is_taken_as_it_is_and_the_ends_of_a_share_are_ends() -> None:
    assert Axis("x", (5.0,)).beyond([5.0], 5.0) is None
    share = Axis("x", (0.0, 0.5, 1.0), "share")
    assert share.beyond(list(share.values), 0.0) is share.beyond(list(share.values), 1.0) is None
    scale = Axis("x", (1.0, 10.0, 100.0))
    values = list(scale.values)
    for wanted in (1e3, 1e5, np.inf, None):
        following = scale.beyond(values, values[-1])
        assert following == (wanted if wanted is None else pytest.approx(wanted))
        values += [] if following is None else [following]
    assert scale.beyond(values, 10.0) is None
    for wanted in (0.1, 1e-3, 1e-7, 1e-15, None):
        following = scale.beyond(values, values[0])
        assert following == (wanted if wanted is None else pytest.approx(wanted))
        values = ([] if following is None else [following]) + values
    bounded = Axis("x", (0.1, 1.0), least=0.01)
    assert bounded.beyond([0.1, 1.0], 0.1) == pytest.approx(0.01)
    assert bounded.beyond([0.01, 0.1, 1.0], 0.01) is None


def test_memory_is_bounded_and_so_is_work(view: FoldView, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lab_tuning, "SCORES_AT_ONCE", 200)
    monkeypatch.setattr(lab_tuning, "SCORES", 3 * 300 * view.candidates * 2)
    sizes = []

    def ranked(queries: Queries) -> Scores:
        sizes.append(len(queries))
        return hitting(lambda x: 0.5 + x / 1000)(queries)

    found = choose(view, valid_of(np.arange(5_000)), (Axis("x", (0.0, 0.5, 1.0), "share"),), ranked)
    assert max(sizes) == 200 // view.candidates and found.queries == FIRST


@given(count=st.integers(0, 300))
def test_each_beginning_of_the_order_is_spread_evenly(count: int) -> None:
    order = spread(count)
    assert sorted(order) == list(range(count))
    for some in (4, 16, 64):
        if some < count:
            assert np.diff(np.sort(order[:some])).max() <= 2 * count / some + 1


@settings(max_examples=40, deadline=None)
@given(known=events(0, VALID + HORIZON))
def test_decayed_is_never_below_popularity_on_valid(known: list[Event]) -> None:
    view = view_of(ANCHORS + known)
    valid = labelled_queries(view, [VALID]).with_labels
    value = {}
    for baseline in (DecayedPersonal(), RecentPopularity()):
        fitted = baseline.fit(view, valid, valid, microseconds(HORIZON))
        value[baseline.name] = valid.metric(view)(fitted.scores(view, valid.queries)).mean()
        tuning = fitted.tuning
        assert tuning is not None and tuning.value == pytest.approx(value[baseline.name])
        assert tuning.queries == tuning.answered == len(valid)
    assert value["decayed"] >= value["popularity"]


@settings(max_examples=40, deadline=None)
@given(known=events(0, VALID), days=st.sampled_from([0.01, 1.0, 300.0, np.inf]), later=st.sampled_from([50, 5_000]))
def test_shares_of_the_own_counts_do_not_underflow(known: list[Event], days: float, later: float) -> None:
    """Against the same sums with every age counted from the user's newest event, one user at a time."""
    view = view_of(ANCHORS + known)
    queries = small_queries([(user, later) for user in USERS])
    place, share = past(view, queries).decayed_shares(days)
    got = np.zeros((len(queries), view.candidates))
    got.reshape(-1)[place] = share
    log = view.histories
    for user, row in enumerate(got):
        mine = [e for e in range(log.offsets[user], log.offsets[user + 1]) if view.candidate[e] >= 0]
        newest = max((log.time[e] for e in mine), default=0)
        net = np.zeros(view.candidates)
        for e in mine:
            net[view.candidate[e]] += log.sign[log.behaviour[e]] * np.exp(-(newest - log.time[e]) / DAY / days)
        net = np.maximum(net, 0)
        assert row == pytest.approx(net / (net.sum() or 1))


def test_logistic_ranks_by_what_its_chances_no_longer_tell() -> None:
    view = view_of([*ANCHORS, *[(1, "i", c, day) for day, c in enumerate(CATEGORIES, 30)]])
    size = len(Logistic().scales) * 2 + len(Logistic().windows) + 5
    coefficients = np.zeros(2 * size + 2)
    coefficients[[size - 2, -1]] = 8.0, 20.0  # recency, and an intercept by which all chances are about 1
    transitions = count_transitions(view, view.fold.valid_cutoff)
    scorer = LogisticScorer(transitions, Logistic().scales, Logistic().windows, coefficients)
    scores = scorer.scores(view, small_queries([(1, 40)]))
    assert len(np.unique(scorer.chances(scores))) < len(np.unique(scores)) == len(CATEGORIES)
    assert (scorer.chances(scores) <= 1).all() and (scorer.chances(scores) > 0.999).all()


def test_smoothing_goes_on_where_its_grid_ends_but_not_beyond_what_labels_tell() -> None:
    def found(right: float, labels: int) -> float:
        """Where a share of the labels has half of the chance, and the others none."""
        share = np.where(np.arange(labels) < right * labels, 0.5, 0.0)
        ones = np.ones(labels)
        return best_smoothing(LogLossTerms(10, ones, share, ones, 10 * ones))

    low, high = SMOOTHINGS.values[0], SMOOTHINGS.values[-1]
    assert 1e-4 / 3 <= found(1 - 1e-4, 10_000) < low and found(1.0, 10) == low
    assert found(0.05, 100) > high


def test_what_is_always_among_the_settings_is_not_out_for_a_bad_beginning(view: FoldView) -> None:
    """While two others of equal luck go on, it may yet turn out the best."""
    count, rng = 3_000, np.random.default_rng(2)
    right = {9.0: np.ones(count, bool), 0.0: rng.random(count) < 0.5, 1.0: rng.random(count) < 0.5}
    right[9.0][spread(count)[:FIRST]] = False

    def ranked(queries: Queries) -> Scores:
        return lambda x: np.where(np.arange(5) == 0, right[x][queries.cutoff, None], 0.5)

    axes = (Axis("x", (0.0, 1.0), "share"),)
    found = choose(view, valid_of(np.arange(count)), axes, ranked, always=[(9.0,)])
    assert found["x"] == 9 and FIRST < found.queries < count


def test_decayed_is_popularity_where_nobody_takes_the_same_again() -> None:
    """`a` is what all take next, and what each took before is never it."""
    log: list[Event] = [(user, "i", "bcde"[user], day) for user in USERS for day in (37, 38, 39)]
    log += [(user, "i", "a", day) for user in USERS for day in (20, 21, 22, 23, 45)]
    view = view_of(log)
    valid = labelled_queries(view, [VALID])
    fitted = DecayedPersonal(windows=(1000.0,), taus=(1.0, 2.0)).fit(view, valid, valid, microseconds(HORIZON))
    assert fitted.tuning is not None and fitted.tuning.settings["own_share"] == 0 and fitted.tuning.value == 1
