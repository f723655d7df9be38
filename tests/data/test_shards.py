"""Users parted into shards: each in one, chosen by chance, and seen there as in the whole log."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lab.data.fold.categories import Categories
from lab.data.fold.shards import cut_into_shards, take_users
from lab.data.fold.tally import count_known_events
from lab.data.fold.view import build_view
from lab.data.log.cache import prepare_log
from lab.data.log.histories import COLUMNS, Histories
from lab.data.rows.batch import leaves
from lab.data.rows.layout import PackedRows, RowSizes
from lab.data.sources import SyntheticShop
from lab.data.timeline import DAY, Timeline, folds
from lab.dataset.dataset import build_dataset
from lab.features.category import Category
from lab.features.habit import Habit
from lab.targets import Interest
from tests.small_logs import small_histories

MOMENT = 10


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Histories:
    source = SyntheticShop(users=150, days=60, categories=6, items=40)
    return prepare_log(source, horizons=(7,), cache=tmp_path_factory.mktemp("shop"))


@settings(max_examples=50, deadline=None)
@given(st.lists(st.lists(st.integers(0, 20), min_size=1, max_size=6), min_size=1, max_size=60), st.integers(1, 80))
def test_every_user_is_in_one_shard(days: list[list[int]], most: int) -> None:
    log = small_histories([(f"u{user:02}", "i", "c", day) for user, own in enumerate(days) for day in own])
    events = int((log.time <= MOMENT * DAY).sum())
    shards = cut_into_shards(log, events, MOMENT * DAY, most)
    assert len(shards) <= max(1, -(-events // most))
    assert all((ranges[:, 0] < ranges[:, 1]).all() and (np.diff(ranges.ravel()) >= 0).all() for ranges in shards)
    users = [user for ranges in shards for first, stop in ranges for user in range(first, stop)]
    assert sorted(users) == list(range(log.users))


def test_a_log_that_fits_is_one_shard_and_is_not_copied(shop: Histories) -> None:
    (whole,) = cut_into_shards(shop, shop.events, shop.facts["last"], shop.events)
    assert take_users(shop, whole) is shop


def test_shards_are_alike_in_size_and_from_all_over_the_log(shop: Histories) -> None:
    shards = cut_into_shards(shop, shop.events, shop.facts["last"], shop.events // 3)
    taken = [take_users(shop, ranges) for ranges in shards]
    assert sum(some.events for some in taken) == shop.events
    for some in taken:
        assert 0.6 < some.events / (shop.events / len(shards)) < 1.4
        assert some.rows is not None and np.ptp(some.rows) > 0.8 * shop.users


def test_users_in_a_shard_keep_their_events_and_their_names(shop: Histories) -> None:
    some = take_users(shop, np.array([[3, 5], [40, 41], [140, 142]]))
    assert some.row_of(np.arange(some.users)).tolist() == [3, 4, 40, 140, 141]
    assert some.user_names.tolist() == shop.user_names[[3, 4, 40, 140, 141]].tolist()
    for user, row in enumerate(some.row_of(np.arange(some.users))):
        mine = slice(some.offsets[user], some.offsets[user + 1])
        theirs = slice(shop.offsets[row], shop.offsets[row + 1])
        for name in COLUMNS:
            column, whole = getattr(some, name), getattr(shop, name)
            assert (column is None) == (whole is None)
            if whole is not None:
                np.testing.assert_array_equal(column[mine], whole[theirs])


def test_columns_can_be_read_again_once_their_memory_was_given_back(shop: Histories) -> None:
    before = np.array(shop.time)
    shop.release()
    assert np.array_equal(shop.time, before)


def test_views_of_all_shards_name_candidates_as_that_of_the_whole_log(shop: Histories) -> None:
    (fold,) = folds(Timeline(), (7,), shop.facts["first"], shop.facts["last"])
    whole, rule = build_view(shop, fold, Categories())
    first, same_rule = build_view(shop, fold, Categories(), shop.events // 4)
    views = [first, *first.rest]
    assert len(views) > 2 and not whole.rest and rule == same_rule
    for view in views:
        assert view.names.tolist() == whole.names.tolist() and view.histories.rows is not None
        for user, row in enumerate(view.histories.rows):
            mine = slice(view.histories.offsets[user], view.histories.offsets[user + 1])
            theirs = slice(shop.offsets[row], shop.offsets[row + 1])
            np.testing.assert_array_equal(view.candidate[mine], whole.candidate[theirs])


def test_a_tally_counts_what_is_known(shop: Histories, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lab.data.fold.tally.EVENTS_AT_ONCE", 1000)
    moment = int(np.median(shop.time))
    known = np.asarray(shop.time) <= moment
    found = count_known_events(shop, moment)
    assert shop.category is not None and found.categories is not None
    assert found.events == known.sum()
    assert found.items.tolist() == np.bincount(shop.item[known], minlength=len(shop.item_names)).tolist()
    assert found.categories.sum() == (shop.category[known] >= 0).sum()


@pytest.fixture(scope="module")
def packed(shop: Histories) -> PackedRows:
    (fold,) = folds(Timeline(), (7,), shop.facts["first"], shop.facts["last"])
    view, _ = build_view(shop, fold, Categories())
    return build_dataset(view, Timeline(), Interest(), [Category(), Habit()], 32, 8).splits["train"].packed


def test_rows_taken_are_those_of_the_whole(packed: PackedRows) -> None:
    index = np.random.default_rng(0).integers(0, packed.count, (2, 3, 4))
    for taken, leaf in zip(leaves(packed.take(index)), leaves(packed.whole()), strict=True):
        np.testing.assert_array_equal(taken, leaf[index])


def test_more_room_is_filled_with_what_nothing_reads(packed: PackedRows) -> None:
    queries, entries, labels = packed.sizes
    rows = packed.take(np.arange(5), RowSizes(queries + 2, entries + 3, labels + 4))
    plain = packed.take(np.arange(5))
    np.testing.assert_array_equal(rows.query.position[:, :queries], plain.query.position)
    np.testing.assert_array_equal(rows.entry.candidate[:, :entries], plain.entry.candidate)
    np.testing.assert_array_equal(rows.label.id[..., :labels], plain.label.id)
    assert not rows.query.real[:, queries:].any() and not rows.label.weight[..., labels:].any()
    assert not (rows.entry.stop > rows.entry.first)[:, entries:].any()
