"""The made-up shop: the same to the last bit, whatever is set, and built as its settings say."""

import dataclasses
import hashlib
import os
import subprocess
import sys

import numpy as np
import polars as pl
import pytest

from lab.core.errors import InputError
from lab.data.sources.synthetic import SyntheticShop
from lab.data.timeline import DAY


def digest(frame: pl.DataFrame) -> str:
    return hashlib.sha256(frame.write_csv().encode()).hexdigest()


@pytest.fixture(scope="module")
def shop() -> SyntheticShop:
    return SyntheticShop()


def test_fresh_processes_and_hash_seeds_give_the_same_bits():
    code = (
        "import hashlib; from lab.data.sources.synthetic import SyntheticShop as S; s = S(users=60, days=40);"
        "print(hashlib.sha256(s.scan().frame.collect().write_csv().encode()).hexdigest(), s.fingerprint())"
    )
    found = {
        subprocess.run(
            [sys.executable, "-c", code], env={**os.environ, "PYTHONHASHSEED": seed}, capture_output=True, check=True
        ).stdout
        for seed in ("1", "2")
    }
    here = SyntheticShop(users=60, days=40)
    assert found == {f"{digest(here.scan().frame.collect())} {here.fingerprint()}\n".encode()}


def test_every_setting_changes_the_log_and_the_fingerprint():
    base = SyntheticShop(users=80, days=40)
    changed = {
        "users": 81, "days": 41, "categories": 50, "items": 2_000, "events_per_user": 60.0, "interests": 2,
        "drift": 0.3, "switch": 0.3, "comeback": 0.3, "durable": 0.1, "wander": 0.5, "churn": 0.05, "arrivals": 0.2,
        "seasons": 0.1, "start": "2023-06-01", "seed": 1,
    }  # fmt: skip
    assert set(changed) == set(base.settings())
    log = digest(base.scan().frame.collect())
    for name, value in changed.items():
        other = dataclasses.replace(base, **{name: value})
        assert other.fingerprint() != base.fingerprint(), name
        assert digest(other.scan().frame.collect()) != log, name


def test_parts_draw_from_their_own_streams():
    """More items change what is bought, not who comes, nor when, nor to which category."""
    one, two = (SyntheticShop(users=50, days=40, items=items).scan().frame.collect() for items in (300, 900))
    same = ["user", "time", "category", "behaviour"]
    assert one.select(same).equals(two.select(same))
    assert not one["item"].equals(two["item"])


def test_log_is_in_the_canonical_columns(shop):
    scan = shop.scan()
    log = scan.frame.collect()
    assert log.schema == {
        "user": pl.Int64, "item": pl.String, "time": pl.Int64, "category": pl.String, "behaviour": pl.String,
        "price": pl.Float32, "row": pl.UInt32,
    }  # fmt: skip
    assert not any(log.null_count().row(0))
    assert log["time"].is_sorted() and (log["time"] % 1_000_000 == 0).all()
    assert [b.name for b in scan.behaviours] == ["view", "cart", "purchase"]
    assert log.select(pl.struct("user", "time").is_duplicated().mean()).item() < 0.005
    assert log.select(pl.struct("item", "price", "category").n_unique()).item() == log["item"].n_unique()
    assert 0.75 < len(log) / shop.users / shop.events_per_user < 1.25
    arrivals = log.group_by("user").agg(pl.col("time").min())["time"]
    assert arrivals.n_unique() > 0.99 * len(arrivals)


def test_funnel_narrows_and_follows_its_order(shop):
    """A cart follows a view of its item, a purchase follows its cart."""
    log = shop.scan().frame.collect().sort("user", "item", "time", "row")
    number = dict(log["behaviour"].value_counts().rows())
    assert number["view"] > number["cart"] > number["purchase"] > 0
    before = log.with_columns(
        (pl.col("behaviour") == kind).cum_sum().over("user", "item").alias(kind) for kind in number
    )
    assert (before["view"] >= 1).all() and (before["cart"] >= before["purchase"]).all()


def test_items_arrive_and_purchases_settle_interests():
    shop = SyntheticShop(users=500, drift=0.0, switch=0.0, comeback=0.0, durable=1.0, wander=0.0)
    seen = shop.world.seen
    moved = (seen.trail[1:] != seen.trail[:-1]).transpose(1, 2, 0)
    settled = np.zeros_like(moved)
    rows = seen.bought & (seen.day < shop.days - 1)
    settled[seen.user[rows], seen.interest[rows], seen.day[rows]] = True
    assert np.array_equal(moved, settled)
    log = shop.scan().frame.collect()
    early = log.filter(pl.col("time") < shop.first_instant + 90 * DAY)["item"].n_unique()
    assert early < 0.9 * log["item"].n_unique()


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"users": 0}, "source.users"),
        ({"days": 1.5}, "source.days"),
        ({"categories": 1}, "source.categories"),
        ({"items": 10}, "source.items"),
        ({"interests": 61}, "source.interests"),
        ({"events_per_user": 0.0}, "source.events_per_user"),
        ({"events_per_user": float("nan")}, "source.events_per_user"),
        ({"drift": -0.1}, "source.drift"),
        ({"switch": 0.6, "comeback": 0.6}, "source.switch"),
        ({"churn": float("nan")}, "source.churn"),
        ({"seasons": 2.0}, "source.seasons"),
        ({"start": "today"}, "source.start: 'today'"),
        ({"start": "NaT"}, "source.start: 'NaT'"),
        ({"seed": -1}, "source.seed"),
    ],
)
def test_wrong_settings_are_named(wrong, said):
    with pytest.raises(InputError, match=said):
        SyntheticShop(**wrong)


@pytest.mark.parametrize(
    "least",
    [{"users": 1}, {"days": 1}, {"categories": 2, "items": 2, "interests": 1}, {"churn": 1.0}, {"arrivals": 0.0}],
)
def test_least_settings_make_a_world(least):
    shop = SyntheticShop(**{"users": 30, "days": 20, **least})
    log = shop.scan().frame.collect()
    scores = shop.oracle(np.arange(shop.users), np.full(shop.users, shop.first_instant), DAY, shop.world.shelves.names)
    assert log.width == 7 and np.isfinite(scores).all() and scores.max() <= 1
