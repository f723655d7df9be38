"""What counts as a category, under each rule; the rules' blindness to the future is tests/leakage's."""

import os
import re
import subprocess
import sys

import numpy as np
import pytest

from lab.core.errors import InputError
from lab.data.fold.categories import Categories, Rule, fit_grouping
from lab.data.fold.clusters import cluster_by_text
from lab.data.fold.tally import count_known_events
from lab.data.fold.view import build_view, truncate_view
from lab.data.log.histories import Histories
from lab.data.timeline import DAY, Fold
from tests.small_logs import small_histories

VALID = 10
SHELVES = {"cup": ["red tea cup", "blue tea cup", "white tea cup"], "bag": ["paper bag", "jute bag", "gift bag"]}


def shop(category: bool = False, text: bool = True) -> Histories:
    """Six items on two shelves, whose takers keep to one; "late" and "odd" come after the valid cutoff."""
    events = []
    for shelf, (kind, names) in enumerate(SHELVES.items()):
        for i, name in enumerate(names):
            for taker in range(3):
                events.append((f"{kind} {taker}", f"{kind}{i}", kind, shelf + i + taker / 4, name))
    events += [("cup 0", "late", "cup", 12, "green tea cup"), ("cup 0", "odd", "lamp", 13, "lamp")]
    return small_histories(
        [
            (user, item, kind if category else None, day, "purchase", None, None, name if text else None)
            for user, item, kind, day, name in events
        ]
    )


def by_item(log: Histories, settings: Categories) -> tuple[dict[str, str | None], list[str], str]:
    """The category of each item, all names, and the rule in words."""
    moment = VALID * DAY
    found = fit_grouping(settings, log, count_known_events(log, moment), log, moment)
    names, rule, candidate = found.names, found.rule, found.of(log)
    of = {str(log.item_names[i]): None if c < 0 else str(names[c]) for i, c in zip(log.item, candidate, strict=True)}
    assert len(set(names)) == len(names)
    return of, names.tolist(), rule


def test_given_takes_the_column_and_knows_no_later_name() -> None:
    of, names, rule = by_item(shop(category=True), Categories())
    assert names == ["bag", "cup"] and rule == "given: 2 known by the valid cutoff"
    assert of["late"] == "cup" and of["odd"] is None


def test_item_makes_each_known_item_its_own() -> None:
    of, names, rule = by_item(shop(), Categories())
    assert sorted(names) == ["bag0", "bag1", "bag2", "cup0", "cup1", "cup2"] and rule.startswith("item: 6 known")
    assert of["late"] is None and of["bag1"] == "bag1"


def test_text_puts_like_names_together_and_places_later_ones_by_their_words() -> None:
    of, names, _ = by_item(shop(), Categories(rule="text", clusters=2))
    assert of["cup0"] == of["cup1"] == of["cup2"] == of["late"] == "cup tea"
    assert of["bag0"] == of["bag1"] == of["bag2"] == "bag" and set(names) == {"bag", "cup tea"}
    assert of["odd"] is None


def test_together_goes_by_who_takes_them() -> None:
    of, names, _ = by_item(shop(text=False), Categories(rule="together", clusters=2))
    assert of["cup0"] == of["cup1"] == of["cup2"] and of["bag0"] == of["bag1"] == of["bag2"] and len(names) == 2
    assert of["late"] is None and of["odd"] is None


@pytest.mark.parametrize(
    ("log", "settings", "rule"),
    [
        (shop(category=True), Categories(), "given"),
        (shop(), Categories(), "item"),
        (shop(), Categories(few_items=5, clusters=2), "text"),
        (shop(text=False), Categories(few_items=5, clusters=2), "together"),
        (shop(category=True), Categories(rule="item"), "item"),
    ],
)
def test_auto_takes_the_first_that_applies(log: Histories, settings: Categories, rule: str) -> None:
    assert by_item(log, settings)[2].startswith(f"{rule}: ")


def test_items_that_do_not_differ_make_fewer_clusters() -> None:
    texts = ["tea cup", "gift bag"] * 8
    log = small_histories([("a", f"i{i}", None, i / 9, "purchase", None, None, t) for i, t in enumerate(texts)])
    for rule in ("text", "together"):
        settings = Categories(rule=rule, clusters=6)  # type: ignore[arg-type]
        found = {"text": 2, "together": 1}[rule]
        assert len(by_item(log, settings)[1]) == found


def test_clusters_called_alike_are_told_apart() -> None:
    # Two kinds of item whose three weightiest words agree.
    texts = ["aa bb cc"] * 6 + ["aa bb cc dd"] * 2 + ["aa bb cc ee"] * 2
    log = small_histories([("u", f"i{i}", None, 0, "purchase", None, None, t) for i, t in enumerate(texts)])
    _, names = cluster_by_text(3, log, np.arange(len(texts)))
    assert len(set(names)) == len(names) == 3


@pytest.mark.parametrize(
    ("log", "settings", "message"),
    [
        (shop(), Categories(rule="given"), "needs a category column"),
        (shop(text=False), Categories(rule="text"), "needs a text column"),
        (shop(), Categories(rule="text", clusters=7), r"clusters: 7 clusters were asked of 6 known items"),
    ],
)
def test_rules_that_do_not_apply_say_so(log: Histories, settings: Categories, message: str) -> None:
    with pytest.raises(InputError, match=message):
        by_item(log, settings)


def test_texts_that_share_no_word_say_so() -> None:
    texts = ["one", "two", "three"]
    log = small_histories([("a", t, None, 0, "purchase", None, None, t) for t in texts])
    with pytest.raises(InputError, match="share no words"):
        by_item(log, Categories(rule="text", clusters=2))


def test_one_cluster_leaves_nothing_to_rank() -> None:
    with pytest.raises(InputError, match=r"target\.categories\.clusters: 1"):
        Categories(clusters=1)


@pytest.mark.parametrize(
    ("rule", "setting", "needs"),
    [
        ("item", "clusters", "rule='text', 'together' or 'auto'; 'item'"),
        ("given", "clusters", "rule='text', 'together' or 'auto'; 'given'"),
        ("text", "few_items", "rule='auto'; 'text'"),
    ],
)
def test_a_setting_that_the_rule_makes_no_use_of_is_refused(rule: Rule, setting: str, needs: str) -> None:
    with pytest.raises(InputError, match=re.escape(f"target.categories.{setting}: 7 needs target.categories.{needs}")):
        Categories(rule=rule, **{setting: 7})  # type: ignore[arg-type]


def fold(valid: float = VALID) -> Fold:
    return Fold(0, 0, round(valid * DAY), round((valid + 2) * DAY), (DAY,), DAY)


def test_a_look_needs_two_categories_and_something_known() -> None:
    with pytest.raises(InputError, match=r"only 1 category.*\(a\).* it; name another column"):
        build_view(small_histories([("u", "i", "a", 0), ("u", "i", "b", 11)]), fold(), Categories())
    stray = [("u", "i", "a", 0), *(("u", "i", "b", 11 + k / 100) for k in range(100))]
    said = r"cutoff is 1970-01-11, and 1 of the 101 events .*stray early times.* latter\. Else: name another column, or"
    with pytest.raises(InputError, match=said):
        build_view(small_histories(stray), fold(), Categories())
    with pytest.raises(InputError, match="no event lies at or before the valid cutoff"):
        build_view(small_histories([("u", "i", "a", 11), ("u", "i", "b", 11)]), fold(), Categories())


def test_what_is_known_at_a_moment_keeps_users_and_loses_later_events() -> None:
    view, _ = build_view(shop(category=True), fold(), Categories())
    short = truncate_view(view, 2 * DAY)
    kept = view.histories.time <= 2 * DAY
    assert short.histories.users == view.histories.users
    assert np.array_equal(short.histories.user_of_event, view.histories.user_of_event[kept])
    for name in ("time", "item", "behaviour", "category"):
        assert np.array_equal(getattr(short.histories, name), getattr(view.histories, name)[kept])
    assert np.array_equal(short.candidate, view.candidate[kept])


PROGRAM = """
import hashlib
from tests.data.test_categories import Categories, by_item, shop
for rule in ("text", "together"):
    of, names, said = by_item(shop(), Categories(rule=rule, clusters=3))
    print(sorted(of.items(), key=str), names, said)
"""


def test_clusters_are_the_same_in_fresh_processes() -> None:
    told = [
        subprocess.run(
            [sys.executable, "-c", PROGRAM],
            env=os.environ | {"PYTHONHASHSEED": seed, "OMP_NUM_THREADS": threads, "PYTHONPATH": "."},
            capture_output=True, text=True, check=True,
        ).stdout
        for seed, threads in (("1", "1"), ("2", "2"))
    ]  # fmt: skip
    assert told[0] == told[1] and "tea" in told[0]
