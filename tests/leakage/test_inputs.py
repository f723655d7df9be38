"""Nothing after a cutoff reaches a fitted statistic, or what a prediction at it is made from: the first promise.

From a table of events to what models are given. The future is deleted, rewritten and invented, whole users,
items and categories included; everything up to the cutoff stays the same bit for bit. Groups that peek are
planted, to see that they are caught.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
from flax import linen as nn
from hypothesis import given

from lab.data.fold.categories import Categories
from lab.data.fold.queries import FoldView, Labels, Queries
from lab.data.fold.vocabulary import Vocabulary
from lab.data.log.histories import Histories
from lab.data.rows.batch import Rows, leaves
from lab.data.rows.steps import Steps
from lab.data.timeline import microseconds
from lab.dataset.dataset import Dataset, Split
from lab.features.base import FeatureGroup, Shape, State
from lab.features.category import Lookup, at_steps
from lab.running.assembly import independent_windows
from lab.targets import NextItem
from tests.leakage.futures import FEW, SEEDS
from tests.whole_path import HORIZONS, START, TEST, VALID, Event, fold_of, prepared, shop_events
from tests.whole_path import with_another_future as changed_after

RULES = {
    "given": Categories(),
    "item": Categories(rule="item"),
    "text": Categories(rule="text", clusters=4),
    "together": Categories(rule="together", clusters=3),
}


def plain(value: Any) -> Any:
    """Fitted state as something to compare: a vocabulary is its names, since codes number the whole log."""
    if isinstance(value, Vocabulary):
        return value.names.tolist()
    if isinstance(value, dict):
        return {key: plain(value[key]) for key in sorted(value)}
    return value.tolist() if isinstance(value, np.ndarray) else value


def asked_of(histories: Histories, queries: Queries) -> list[tuple[str, int]]:
    """Queries by what their users are called: row numbers shift with new users."""
    return list(zip(histories.user_names[queries.user].tolist(), queries.cutoff.tolist(), strict=True))


def answers(labels: tuple[Labels, ...]) -> list[np.ndarray]:
    return [part for own in labels for part in (own.offsets, own.ids, own.weights)]


def same(a: list[np.ndarray], b: list[np.ndarray]) -> bool:
    return len(a) == len(b) and all(
        x.dtype == y.dtype and np.array_equal(x, y, equal_nan=x.dtype.kind == "f") for x, y in zip(a, b, strict=True)
    )


def without_labels(split: Split) -> list[np.ndarray]:
    """All that predictions of the split are made from."""
    inputs = [part for name, part in zip(Rows._fields, split.rows, strict=True) if name != "label"]
    return [np.asarray(leaf) for leaf in leaves((*inputs, split.tables))] + [split.slot]


def assert_same_inputs(before: Dataset, after: Dataset, names: tuple[str, ...]) -> None:
    """What is fitted, and what every prediction of the named splits is made from."""
    assert before.view.names.tolist() == after.view.names.tolist()
    assert json.dumps(plain(dict(before.states))) == json.dumps(plain(dict(after.states)))
    for name in names:
        a, b = before.splits[name], after.splits[name]
        assert asked_of(before.view.histories, a.queries) == asked_of(after.view.histories, b.queries), name
        assert same(without_labels(a), without_labels(b)), name


def assert_same_labels(before: Dataset, after: Dataset, names: tuple[str, ...]) -> None:
    for name in names:
        a, b = before.splits[name], after.splits[name]
        assert same(answers(a.labels), answers(b.labels)), name
        assert same(leaves(a.rows.label), leaves(b.rows.label)), name
        assert [own.cold for own in a.labels] == [own.cold for own in b.labels], name


@pytest.mark.parametrize("rule", RULES)
@FEW
@given(seed=SEEDS, future=SEEDS)
def test_nothing_after_the_valid_cutoff_reaches_training_or_a_valid_query(
    rule: str, caches: Path, seed: int, future: int
) -> None:
    events = shop_events(seed)
    before = fold_of(prepared(events, caches), categories=RULES[rule])
    after = fold_of(prepared(changed_after(events, VALID, future), caches), categories=RULES[rule])
    assert_same_inputs(before, after, ("train", "valid"))
    assert_same_labels(before, after, ("train",))


@pytest.mark.parametrize("rule", RULES)
@FEW
@given(seed=SEEDS, future=SEEDS)
def test_nothing_after_the_test_cutoff_reaches_a_test_query_or_a_choice(
    rule: str, caches: Path, seed: int, future: int
) -> None:
    events = shop_events(seed)
    before = fold_of(prepared(events, caches), categories=RULES[rule])
    after = fold_of(prepared(changed_after(events, TEST, future), caches), categories=RULES[rule])
    assert_same_inputs(before, after, ("train", "valid", "test"))
    assert_same_labels(before, after, ("train", "valid"))


ALONG = ("behaviour", "category", "item", "price", "time")
"""The groups that next items may have: those along the steps."""
NEXT = {"items": NextItem(), "views": NextItem(behaviours=("view",))}


def looked_at(events: list[Event]) -> list[Event]:
    """The events, with a view in every window: there are so few that each is the next one of many events."""
    first = next(e for e in events if e["user"] == "anchor")
    days = (4.5, VALID + 4.5, TEST + 4.5)
    return events + [first | {"behaviour": "look", "time": microseconds(START + day)} for day in days]


@pytest.mark.parametrize("asked", NEXT)
@FEW
@given(seed=SEEDS, future=SEEDS)
def test_nothing_later_reaches_what_is_learned_or_chosen_of_next_items(
    asked: str, caches: Path, seed: int, future: int
) -> None:
    """Whom the test asks is what they do in it; so of the splits before it alone."""
    events, target = looked_at(shop_events(seed)), NEXT[asked]
    before = fold_of(prepared(events, caches), ALONG, target=target)
    learned = [independent_windows(target, before, h) for h in range(len(HORIZONS))]
    for cutoff, known in ((VALID, ("train",)), (TEST, ("train", "valid"))):
        after = fold_of(prepared(changed_after(events, cutoff, future), caches), ALONG, target=target)
        assert_same_inputs(before, after, known)
        assert_same_labels(before, after, known)
        assert [independent_windows(target, after, h) for h in range(len(HORIZONS))] == learned


# What is planted below must be caught, or the tests above prove nothing.


@dataclass(frozen=True, kw_only=True)
class NextCategory(FeatureGroup):
    """Tells each step the category of the event that follows it in the log."""

    name: ClassVar[str] = "next_category"
    side: ClassVar = "step"

    def transform(self, view: FoldView, steps: Steps, state: State) -> dict[str, np.ndarray]:
        following = np.append(view.candidate[1:], np.int32(0)) + np.int32(1)
        return {"id": at_steps(following, steps)}

    def module(self, state: State, shape: Shape) -> nn.Module:
        return Lookup(shape.candidates, shape)


@dataclass(frozen=True, kw_only=True)
class WholeLog(FeatureGroup):
    """Tells candidates how often the whole log, not the known one, takes them."""

    name: ClassVar[str] = "whole_log"
    side: ClassVar = "candidate"

    def tables(self, view: FoldView, steps: Steps, state: State) -> dict[str, np.ndarray]:
        return {"share": view.shares()}


@pytest.mark.parametrize("group", [NextCategory(), WholeLog()], ids=lambda group: group.name)
def test_a_group_that_peeks_is_caught(group: FeatureGroup, caches: Path) -> None:
    events = shop_events(0)
    before = fold_of(prepared(events, caches), ("category", group))

    def caught(future: int) -> bool:
        after = fold_of(prepared(changed_after(events, VALID, future), caches), ("category", group))
        try:
            assert_same_inputs(before, after, ("train", "valid"))
        except AssertionError:
            return True
        return False

    assert any(caught(future) for future in range(3))


def test_a_fit_on_the_whole_log_is_caught(caches: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lab.dataset.dataset.truncate_view", lambda view, moment: view)
    events = shop_events(0)
    before, after = (fold_of(prepared(log, caches)) for log in (events, changed_after(events, VALID, 0)))
    with pytest.raises(AssertionError):
        assert_same_inputs(before, after, ("train", "valid"))
