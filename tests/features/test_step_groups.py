"""Step-side groups, each against arrays written out by hand."""

import numpy as np
import pytest

from lab.core.errors import InputError
from lab.data.fold.queries import FoldView
from lab.data.fold.view import truncate_view
from lab.data.rows.steps import Steps, lay_steps
from lab.data.timeline import Timeline
from lab.features.base import FeatureGroup
from lab.features.behaviour import Behaviour
from lab.features.category import Category
from lab.features.item import Item
from lab.features.price import Price
from lab.features.time import Time
from tests.small_logs import small_histories, small_view

# The valid cutoff is day 4; "new" and its category come after it.
EVENTS = [
    (0, "milk", "food", 0.25, "view", 2.0, 1.0),
    (0, "ball", "toys", 1, "purchase", 8.0, 3.0),
    (0, "milk", "food", 4, "purchase", 4.0, None),
    (0, "new", "tools", 5, "view", 32.0, 1.0),
    (0, "milk", None, 6, "view", None, 1.0),
    (1, "milk", "food", 2, "view", 0.0, 1.0),
    (1, "ball", "toys", 3, "view", 2.0, 1.0),
]


def columns(group: FeatureGroup, events: list[tuple] = EVENTS) -> tuple[FoldView, Steps, dict[str, np.ndarray]]:
    """Columns at the steps of the test split: user 0 with ticks at days 2, 4, 6; user 1 with ticks at 4 and 6."""
    view = small_view(small_histories(events), 4, 6, (2,), 2)
    steps = lay_steps(view, Timeline(min_events=2, active_days=None), "test")
    state = group.fit(truncate_view(view, view.fold.valid_cutoff))
    return view, steps, group.transform(view, steps, state)


def test_the_steps_that_the_others_are_written_for() -> None:
    _, steps, _ = columns(Category())
    assert steps.event.tolist() == [0, 1, -1, 2, -1, 3, 4, -1, 5, 6, -1, -1]


def test_category() -> None:
    view, _, got = columns(Category())
    assert view.names.tolist() == ["food", "toys"]
    # 3 is for what was unknown at the valid cutoff, a missing category included; 0 for ticks.
    assert got["id"].tolist() == [1, 2, 0, 1, 0, 3, 3, 0, 1, 2, 0, 0]


def test_behaviour() -> None:
    view, _, got = columns(Behaviour())
    assert [b.name for b in view.histories.behaviours] == ["purchase", "view"]
    assert got["id"].tolist() == [2, 1, 0, 1, 0, 2, 2, 0, 2, 2, 0, 0]


def test_item_of_few() -> None:
    _, _, got = columns(Item())
    # milk was taken three times by the valid cutoff, ball twice, the new item never.
    assert got["id"].tolist() == [1, 2, 0, 1, 0, 3, 1, 0, 1, 2, 0, 0]


def test_items_beyond_the_table_are_hashed_by_name_alone() -> None:
    events = [*EVENTS, (1, "bat", "toys", 1)]
    _, steps, got = columns(Item(table=2), events)
    _, _, later = columns(Item(table=2), [*events, (1, "aaa", "food", 5.5), (1, "zzz", "food", 5.75)])
    ids = got["id"]
    assert ids.shape == (len(steps), 2)
    assert (ids[~steps.is_event] == 0).all() and ids[steps.is_event].min() >= 1 and ids.max() <= 2
    milk = ids[[0, 3, 6]]
    assert (milk == milk[0]).all()
    # New names shift all codes and move no hash.
    assert np.array_equal(ids[:8], later["id"][:8])


def test_a_hash_is_known_for_good() -> None:
    # The published value of xxh3_64 for no bytes: another hash would make stored parameters meaningless.
    assert Item(table=1000)._hash("")[0] == 1 + 0x2D06800538D394C2 % 1000
    assert len({tuple(Item(table=1000)._hash(f"item {i}")) for i in range(500)}) > 495


def test_time() -> None:
    _, steps, got = columns(Time())
    numbers = got["numbers"]
    assert numbers.dtype == np.float32 and numbers.shape == (len(steps), 11)
    gap = [0, 0.75, 1, 2, 0, 1, 1, 0, 0, 1, 1, 2]
    since_event = [0, 0.75, 1, 3, 0, 1, 1, 0, 0, 1, 1, 3]
    since_first = [0, 0.75, 1.75, 3.75, 3.75, 4.75, 5.75, 5.75, 0, 1, 2, 4]
    assert np.allclose(np.expm1(numbers[:, :3]), np.stack([gap, since_event, since_first], -1), atol=1e-5)
    hour, weekday, twice, season = (numbers[:, i : i + 2] for i in (3, 5, 7, 9))
    assert np.allclose(hour[0], [1, 0], atol=1e-6)  # 6 o'clock is a quarter of the day
    assert np.allclose(hour[1:], [0, 1], atol=1e-6)  # midnights
    # 1970-01-01 was a Thursday, the 4th day of a week that begins on a Sunday; the 5th at day 1.
    angle = 2 * np.pi * np.array([4, 5]) / 7
    assert np.allclose(weekday[:2], np.stack([np.sin(angle), np.cos(angle)], -1), atol=1e-6)
    assert np.allclose(twice[:2], np.stack([np.sin(2 * angle), np.cos(2 * angle)], -1), atol=1e-6)
    year = 2 * np.pi * np.array([0.25, 1]) / 365.2425
    assert np.allclose(season[:2], np.stack([np.sin(year), np.cos(year)], -1), atol=1e-6)


def test_time_at_a_tick_is_that_of_the_clock_alone() -> None:
    _, _, with_it = columns(Time())
    without = [e for e in EVENTS if e[3] <= 4]
    _, _, got = columns(Time(), without)
    # User 0's tick at day 4, before and after the later events are taken away.
    assert np.array_equal(with_it["numbers"][4], got["numbers"][4])


def test_price() -> None:
    _, _, got = columns(Price())
    numbers = got["numbers"]
    # Known positive prices: 2, 8, 4, 2, so the median of the logs is log 2 * 1.5 and their deviation 0.5.
    log2 = np.log(2)
    spread = 1.4826 * 0.5 * log2
    of_price = [1, 3, None, 2, None, 5, None, None, None, 1, None, None]
    of_category = [1.5, 2, 0, 1.5, 0, 1.5, 0, 0, 0, 2, 0, 0]
    for step, power in enumerate(of_price):
        if power is None:
            assert numbers[step, :3].tolist() == [0, 0, 0]
        else:
            wanted = np.array([power - 1.5, power - of_category[step]]) * log2 / spread
            assert np.allclose(numbers[step, :2], np.clip(wanted, -5, 5), rtol=1e-5)
            assert numbers[step, 2] == 1
    quantity = [1, 3, 0, 0, 0, 1, 1, 0, 1, 1, 0, 0]
    assert np.allclose(np.expm1(numbers[:, 3]), quantity, atol=1e-6)


def test_price_where_nothing_is_known_or_all_is_alike() -> None:
    alike = [(0, "i", "a", 0, "view", 5.0), (0, "i", "b", 1, "view", 5.0), (0, "i", "a", 5, "view", 10.0)]
    _, _, got = columns(Price(), alike)
    assert np.allclose(got["numbers"][:, 0], [0, 0, 0, 0, np.log(2), 0], atol=1e-6)
    none = [(0, "i", "a", 0), (0, "i", "b", 1), (0, "i", "a", 5, "view", 10.0)]
    _, _, got = columns(Price(), none)
    assert np.isfinite(got["numbers"]).all()


def test_wrong_settings_are_named() -> None:
    with pytest.raises(InputError, match=r"groups\.item\.table"):
        Item(table=1)
