"""What the next item is, which events are asked for it, and what it may follow from."""

import re

import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lab.core.errors import InputError
from lab.data.fold.categories import Categories
from lab.data.fold.leave_one_out import leave_one_out
from lab.data.fold.limits import Limits
from lab.data.fold.queries import FoldView, Labels
from lab.data.fold.view import build_view, truncate_view
from lab.data.log.event_order import leaked_events, with_distinct_times
from lab.data.log.histories import Histories
from lab.data.rows.steps import Steps
from lab.data.schema import Behaviour
from lab.data.timeline import DAY, Fold, Timeline, folds
from lab.dataset.dataset import build_dataset
from lab.targets import NextItem
from lab.targets.next_item.answers import NextAnswers
from tests.small_logs import small_histories

KINDS = (Behaviour("view"), Behaviour("purchase"), Behaviour("cancellation", -1))
EVENTS = st.lists(
    st.tuples(
        st.integers(0, 3),
        st.sampled_from("abcde"),
        st.none(),
        st.sampled_from([0, 1, 2, 3, 4, 5, 5.5, 6, 7, 8, 9, 10, 11]),
        st.sampled_from([kind.name for kind in KINDS]),
    ),
    min_size=4,
    max_size=60,
)


def seen(histories: Histories, target: NextItem, horizons: tuple[int, ...] = (2, 3)) -> FoldView:
    """A fold of 12 days: valid cutoff on day 6, test cutoff on day 9."""
    fold = Fold(0, 0, 6 * DAY, 9 * DAY, tuple(h * DAY for h in horizons), DAY)
    return build_view(target.arrange(histories, Timeline()), fold, target.categories)[0]


def lay_and_label(view: FoldView, target: NextItem, split: str, **timeline) -> tuple[Steps, tuple[Labels, ...]]:
    steps = target.lay_steps(view, Timeline(min_events=1, **timeline), split)
    return target.add_labels(view, steps, split)


def label_events(view: FoldView, steps: Steps, labels: Labels) -> dict[int, int]:
    """The event that is asked -> the candidate of its label."""
    size = np.diff(labels.offsets)
    events = steps.event[steps.asked]
    return {int(event): int(labels.ids[labels.offsets[q]]) for q, event in enumerate(events) if size[q]}


def by_hand(view: FoldView, target: NextItem, begin: int, end: int) -> dict[int, int]:
    """Every event's next one of a behaviour that counts, where it lies in (begin, end] and is known.

    Without repeats, where its user had not touched it up to the event.
    """
    log, found = view.histories, {}
    sign = log.sign[log.behaviour]
    for u in range(log.users):
        mine = range(log.offsets[u], log.offsets[u + 1])
        for e in mine:
            for after in range(e + 1, mine.stop):
                kind = log.behaviours[log.behaviour[after]]
                if kind.sign > 0 and (not target.behaviours or kind.name in target.behaviours):
                    label = int(view.candidate[after])
                    before = [view.candidate[k] for k in range(mine.start, e + 1) if sign[k] > 0]
                    if begin < log.time[after] <= end and label >= 0 and (target.repeats or label not in before):
                        found[e] = label
                    break
    return found


@settings(max_examples=60, deadline=None)
@given(events=EVENTS, behaviours=st.sampled_from([(), ("purchase",), ("view",)]), repeats=st.booleans())
def test_labels_are_the_next_events_that_count(events: list, behaviours: tuple[str, ...], repeats: bool) -> None:
    target = NextItem(behaviours=behaviours, repeats=repeats)
    known = [(0, "a", None, 0, "view"), (1, "b", None, 0, "purchase"), (1, "c", None, 0, "view")]
    view = seen(small_histories(known + events, behaviours=KINDS, users=range(4)), target)
    fold = view.fold
    for split, opens in (("train", -(10**18)), ("valid", fold.valid_cutoff), ("test", fold.test_cutoff)):
        steps, labels = lay_and_label(view, target, split)
        for horizon, own in zip(fold.horizons, labels, strict=True):
            end = fold.valid_cutoff if split == "train" else opens + horizon
            wanted = by_hand(view, target, opens, end)
            if split != "train":
                # Of a user, what is asked begins with the last event known at the cutoff.
                last = (
                    np.array(
                        [
                            np.sum(
                                view.histories.time[view.histories.offsets[u] : view.histories.offsets[u + 1]] <= opens
                            )
                            for u in range(4)
                        ]
                    )
                    + view.histories.offsets[:-1]
                    - 1
                )
                wanted = {e: c for e, c in wanted.items() if e >= last[view.histories.user_of_event[e]]}
            assert label_events(view, steps, own) == wanted, split


@settings(max_examples=40, deadline=None)
@given(events=EVENTS)
def test_what_follows_moves_nothing_but_its_own_label(events: list) -> None:
    """Nothing after the valid cutoff moves training; what is asked of valid hangs on its window alone."""
    target, known = NextItem(), [(0, "a", None, 0, "view"), (1, "b", None, 0, "purchase"), (1, "a", None, 1, "view")]
    every = [event for event in known + events if event[3] <= 6]
    one, other = (
        seen(small_histories(some, behaviours=KINDS, users=range(4)), target) for some in (known + events, every)
    )
    assert one.names.tolist() == other.names.tolist()
    for mine, theirs in zip(
        lay_and_label(one, target, "train")[1], lay_and_label(other, target, "train")[1], strict=True
    ):
        assert mine.ids.tolist() == theirs.ids.tolist() and mine.offsets.tolist() == theirs.offsets.tolist()
    steps = [target.lay_steps(view, Timeline(min_events=1), "train") for view in (one, other)]
    assert steps[0].time.tolist() == steps[1].time.tolist() and steps[0].asked.tolist() == steps[1].asked.tolist()
    assert truncate_view(one, one.fold.valid_cutoff).candidate.tolist() == other.candidate.tolist()


def test_who_was_silent_for_long_is_asked_when_they_are_back() -> None:
    log = small_histories([(0, i, None, d) for i, d in zip("abcab", (0, 1, 2, 7, 7.5), strict=True)])
    view = seen(log, NextItem())
    steps = lay_and_label(view, NextItem(), "valid", active_days=30)[0]
    assert steps.event[steps.asked].tolist() == [2, 3, 4]
    assert lay_and_label(view, NextItem(), "valid", active_days=3)[0].asked.tolist() == [3, 4]


def test_an_item_unknown_at_the_valid_cutoff_is_counted_and_no_label() -> None:
    log = small_histories([(0, i, None, d) for i, d in zip("ababza", (0, 1, 2, 3, 7, 8), strict=True)])
    view = seen(log, NextItem(), (2,))
    (labels,) = lay_and_label(view, NextItem(), "valid")[1]
    assert labels.cold == 1 and view.names[labels.ids].tolist() == ["a"]


def test_a_behaviour_that_the_log_has_not_is_named() -> None:
    log = small_histories([(0, i, None, d) for i, d in zip("abab", (0, 1, 7, 8), strict=True)])
    with pytest.raises(InputError, match=r"target\.behaviours: the log has no behaviour 'cart'"):
        seen(log, NextItem(behaviours=("cart",)))


def test_a_share_of_the_users_is_learned_from_and_everyone_tested() -> None:
    log = small_histories([(u, i, None, d) for u in range(8) for i, d in zip("abab", (0, 1, 7, 10), strict=True)])
    fold = Fold(0, 0, 6 * DAY, 9 * DAY, (2 * DAY,), DAY)
    view, _ = build_view(NextItem().arrange(log, Timeline()), fold, Categories(rule="item"), limits=Limits(share=0.5))
    users = {split: len(lay_and_label(view, NextItem(), split)[0].user) for split in ("train", "valid", "test")}
    assert users == {"train": 4, "valid": 4, "test": 8}


@settings(max_examples=60, deadline=None)
@given(sizes=st.lists(st.integers(0, 9), min_size=1, max_size=5), seed=st.integers(0, 1000))
def test_each_event_gets_an_instant_of_its_own_as_late_as_can_be(sizes: list[int], seed: int) -> None:
    rng = np.random.default_rng(seed)
    days = [(u, "a", None, int(d)) for u, size in enumerate(sizes) for d in np.sort(rng.integers(0, 4, size))]
    log = small_histories(days, users=range(len(sizes)), behaviours=KINDS)
    found, clock = with_distinct_times(log).time, with_distinct_times(log).clock
    assert clock.tolist() == log.time.tolist()  # what groups of hours and gaps read
    for u in range(len(sizes)):
        mine = slice(log.offsets[u], log.offsets[u + 1])
        wanted = log.time[mine].tolist()
        for k in range(len(wanted) - 2, -1, -1):
            wanted[k] = min(wanted[k], wanted[k + 1] - 1)
        assert found[mine].tolist() == wanted


def test_leave_one_out_tests_the_last_event_and_validates_the_one_before() -> None:
    log = small_histories([(u, i, None, d) for u, items in enumerate(["abcde", "bcd", "ab", "e"])
                           for d, i in enumerate(items)])  # fmt: skip
    view = cut_at_the_last(log, NextItem())
    found = {}
    for split in ("train", "valid", "test"):
        steps, (labels,) = lay_and_label(view, NextItem(), split)
        named = {int(view.histories.user_of_event[e]): view.names[c]
                 for e, c in sorted(label_events(view, steps, labels).items())}  # fmt: skip
        found[split] = named
    # What is known at the valid cutoff are a, b, c of one user and b of another: d and e are never known.
    assert sorted(view.names) == ["a", "b", "c"]
    assert found == {"train": {0: "c"}, "valid": {1: "c"}, "test": {2: "b"}}


LAST = Timeline(min_events=1, protocol="leave_one_out")


def cut_at_the_last(log: Histories, target: NextItem) -> FoldView:
    counted = target.arrange(log, LAST)
    (fold,) = folds(LAST, (0.0,), *counted.span)
    return build_view(counted, fold, target.categories)[0]


@settings(max_examples=60, deadline=None)
@given(events=EVENTS, behaviours=st.sampled_from([(), ("purchase",), ("view",)]))
def test_leave_one_out_asks_for_the_last_event_that_counts(events: list, behaviours: tuple[str, ...]) -> None:
    """Whatever else was done in between or after: once a user, by its last event before that."""
    target = NextItem(behaviours=behaviours)
    known = [(9, item, None, day, kind) for kind in ("view", "purchase") for day, item in enumerate("abcdeabc")]
    log = small_histories(known + events, behaviours=KINDS)
    view, sign = cut_at_the_last(log, target), log.sign[log.behaviour]
    for split, place in (("test", -1), ("valid", -2)):
        steps, (labels,) = lay_and_label(view, target, split, protocol="leave_one_out")
        wanted = {}
        for u in range(log.users):
            mine = range(log.offsets[u], log.offsets[u + 1])
            kinds = [log.behaviours[log.behaviour[e]].name for e in mine]
            counts = [e for e, kind in zip(mine, kinds, strict=True) if sign[e] > 0 and kind in (behaviours or kinds)]
            if len(counts) >= -place and counts[place] > mine.start and view.candidate[counts[place]] >= 0:
                wanted[counts[place] - 1] = int(view.candidate[counts[place]])
        assert label_events(view, steps, labels) == wanted
        assert len(np.unique(steps.queries.user)) == len(steps.queries)


@pytest.mark.parametrize("behaviours", [(), ("purchase",), ("view", "purchase")])
def test_what_is_left_out_is_named(behaviours: tuple[str, ...]) -> None:
    log = small_histories([(0, "a", None, d, kind.name) for d, kind in enumerate(KINDS)], behaviours=KINDS)
    (line, _) = leave_one_out(NextItem(behaviours=behaviours).arrange(log, LAST).facts["calendar"])
    assert f"each user's last {' or '.join(behaviours) or 'event'} is the test" in line


def test_what_leave_one_out_leaks_is_told() -> None:
    time = np.array([0, 1, 2, 9, 3, 4, 5]) * DAY
    back = np.array([3, 2, 1, 0, 2, 1, 0])
    # Tests at 9 and 5; what is learned from lies at 0, 1 and 3.
    assert leaked_events(time, back == 0, back >= 2) == {"tests": 0.0, "events": 0.0}
    back = np.array([2, 1, 0, 2, 0])
    assert leaked_events(time[:5], back == 0, back >= 2) == {"tests": 1.0, "events": 0.5}


def test_who_is_not_asked_leaks_nothing() -> None:
    """Users of one early event, as shops have many, who would all count as older than what is learned from."""
    rows = [(0, item, None, day, "view") for day, item in enumerate("abcd", 1)]
    once = [(user, "a", None, 0.5, "view") for user in range(1, 9)]
    found = [NextItem().arrange(small_histories(log), LAST).facts["calendar"]["leaked"] for log in (rows, rows + once)]
    assert found[0] == found[1] == {"tests": 0.0, "events": 0.0}


@pytest.mark.parametrize("stop_by", ["ndcg", "loss"])
def test_what_early_stopping_goes_by_counts_labels_alone(stop_by: str) -> None:
    """Padding labels point at the first query, which may have no label, and so no finite log probability."""
    target = NextItem(stop_by=stop_by)  # type: ignore[arg-type]
    answers = NextAnswers(
        rank=jnp.asarray([[-1, 0, 12], [-1, -1, -1]]),
        first=None,
        log_probability=jnp.asarray([[-jnp.inf, -0.5, -3.0], [-jnp.inf] * 3]),
    )
    query, weight = jnp.asarray([[1, 2, 0], [0, 0, 0]]), jnp.asarray([[1.0, 1.0, 0.0], [0.0, 0.0, 0.0]])
    total, count = target.shortfall(answers, query, jnp.zeros_like(query), weight)
    assert count == 2 and total == pytest.approx({"ndcg": 0.0 + 1.0, "loss": 3.5}[stop_by])
    lost = answers._replace(log_probability=jnp.asarray([[-jnp.inf, jnp.nan, -3.0], [-jnp.inf] * 3]))
    assert np.isnan(target.shortfall(lost, query, jnp.zeros_like(query), weight)[0])


@pytest.mark.parametrize(
    ("settings_", "words"),
    [
        (
            {"negatives": 64},
            "target.negatives: 64 needs target.objective='sampled' or target.objective='gbce'; 'softmax'",
        ),
        ({"shared": False}, "target.shared: False needs"),
        (
            {"drawn": "popularity", "objective": "gbce"},
            "target.drawn: 'popularity' needs target.objective='sampled'; 'g",
        ),
        (
            {"calibration": 0.5, "objective": "sampled"},
            "target.calibration: 0.5 needs target.objective='gbce'; 'sampled'",
        ),
        ({"negatives": 0, "objective": "sampled"}, "target.negatives: 0 draws nothing"),
        ({"calibration": 2.0, "objective": "gbce"}, "target.calibration: 2 is no share"),
    ],
)
def test_a_setting_that_would_do_nothing_is_refused(settings_: dict, words: str) -> None:
    with pytest.raises(InputError, match=f"^{re.escape(words)}"):
        NextItem(**settings_)


def test_one_purchase_that_answers_many_queries_is_one_independent_label() -> None:
    events = [(0, "a", None, t, "view") for t in range(5)] + [(0, "b", None, 5, "purchase")]
    histories = small_histories([*events, (1, "a", None, 8, "view")], behaviours=KINDS, users=range(2))
    for behaviours, wanted in ((("purchase",), 1), ((), 5)):
        target = NextItem(behaviours=behaviours)
        view = seen(histories, target)
        steps, (labels, _) = lay_and_label(view, target, "train")
        assert labels.answered.sum() == 5
        assert target.independent_windows(view, steps.queries[labels.answered], 0) == wanted


@pytest.mark.parametrize("drawn", [{"objective": "sampled"}, {"objective": "gbce"}])
def test_more_negatives_than_candidates_are_refused(drawn: dict) -> None:
    log, target = (
        small_histories([(0, i, None, d) for i, d in zip("abab", (0, 1, 7, 8), strict=True)]),
        NextItem(negatives=3, **drawn),
    )
    with pytest.raises(
        InputError, match=r"target\.negatives: 3 are to be drawn of 2 candidates; use fewer, or target\.o"
    ):
        lay_and_label(seen(log, target), target, "train")
    fewer = NextItem(negatives=2, **drawn)
    assert len(lay_and_label(seen(log, fewer), fewer, "train")[1][0].ids) == 1


@pytest.mark.parametrize(
    ("items", "target", "least", "words"),
    [
        (
            "abcd",
            NextItem(),
            9,
            "none has 9 events with one more behind. Lower timeline.min_events, use a log of longer",
        ),
        (
            "abcd",
            NextItem(),
            2,
            "none has 2 events with one more behind. Lower timeline.min_events, use a log of longer",
        ),
        ("ababab", NextItem(repeats=False), 1, "but what they took before, which target.repeats=False leaves out."),
        ("abcd", NextItem(), 1, "no user of the valid split takes a known item next; use a log of more users."),
        (
            "aaaaaa",
            NextItem(),
            1,
            "item: the log has only 1 item up to the valid cutoff (a); a ranking needs at least 2",
        ),
    ],
)
def test_where_events_are_counted_no_message_has_a_date(items: str, target: NextItem, least: int, words: str) -> None:
    log = small_histories([(u, i, None, d) for u in range(3) for d, i in enumerate(items)])
    with pytest.raises(InputError) as error:
        build_dataset(
            cut_at_the_last(log, target), Timeline(protocol="leave_one_out", min_events=least), target, (), 8, 2
        )
    assert words in str(error.value) and not re.search(r"19[67]\d|days|horizons", str(error.value))
