"""The made-up shop: the same to the last bit, calibrated, and its oracle ahead of everything simple."""

import dataclasses
import hashlib
import itertools
import os
import subprocess
import sys

import numpy as np
import polars as pl
import pytest

from lab.data.sources.synthetic import SyntheticShop
from lab.data.timeline import DAY
from lab.errors import InputError

HORIZONS = (7, 30)
ASKED = 150  # days after the first midnight


def digest(frame: pl.DataFrame) -> str:
    return hashlib.sha256(frame.write_csv().encode()).hexdigest()


@dataclasses.dataclass(frozen=True)
class Counts:
    """Events of every user and category before a cutoff and in the window after it."""

    shop: SyntheticShop
    past: np.ndarray
    recent: np.ndarray
    future: np.ndarray
    decayed: np.ndarray

    @property
    def eligible(self) -> np.ndarray:
        return np.flatnonzero(self.past.sum(1) >= 3)


def count(shop: SyntheticShop, cutoff: int, horizon: int) -> Counts:
    log = shop.scan().frame.collect()
    names = shop.world.shelves.names
    time, user = log["time"].to_numpy(), log["user"].to_numpy()
    category = np.searchsorted(np.sort(names), log["category"].to_numpy().astype(str))
    category = np.argsort(names)[category]

    def table(rows, weights):
        cells = user[rows] * len(names) + category[rows]
        return np.bincount(cells, weights[rows], shop.users * len(names)).reshape(shop.users, -1)

    one, before = np.ones(len(time)), time <= cutoff
    fading = np.exp(-np.maximum(cutoff - time, 0) / (10 * DAY))
    return Counts(
        shop,
        past=table(before, one),
        recent=table(before & (time > cutoff - 30 * DAY), one),
        future=table((time > cutoff) & (time <= cutoff + horizon), one),
        decayed=table(before, fading),
    )


def ndcg(scores: np.ndarray, touched: np.ndarray, among: np.ndarray) -> float:
    """Mean NDCG@10 of the queries with a label among the candidates."""
    relevant = touched & among
    asked = relevant.any(1)
    best = np.argsort(-np.where(among, scores, -np.inf)[asked], axis=1, kind="stable")[:, :10]
    gains = np.take_along_axis(relevant[asked], best, 1) / np.log2(np.arange(10) + 2)
    ideal = np.cumsum(1 / np.log2(np.arange(10) + 2))[np.minimum(relevant[asked].sum(1), 10) - 1]
    return float((gains.sum(1) / ideal).mean())


@pytest.fixture(scope="module")
def shop() -> SyntheticShop:
    return SyntheticShop()


@pytest.mark.parametrize("days", HORIZONS)
def test_order_of_the_rankings(shop, days):
    cutoff = shop.first_instant + ASKED * DAY
    seen = count(shop, cutoff, days * DAY)
    users = seen.eligible
    truth = shop.oracle(users, np.full(len(users), cutoff), days * DAY, shop.world.shelves.names)
    touched, old = seen.future[users] > 0, seen.past[users] > 0
    popular = np.broadcast_to(seen.recent.sum(0) / seen.recent.sum(), truth.shape)
    scores = {
        "popular": popular,
        "personal": seen.past[users] + 1e-3 * popular,
        "decayed": seen.decayed[users] + 1e-3 * popular,
        "oracle": truth,
    }
    every = {name: ndcg(score, touched, np.ones_like(old)) for name, score in scores.items()}
    novel = {name: ndcg(score, touched, ~old) for name, score in scores.items()}
    assert every["popular"] + 0.1 < every["personal"] < every["decayed"] < every["oracle"] - 0.15
    assert novel["popular"] < novel["oracle"] - 0.25


@pytest.mark.parametrize("hours", [0, 13.5])
def test_oracle_is_calibrated(hours):
    """By category, by week and by predicted size, expected events and touches match what happens."""
    shop = SyntheticShop(users=12_000, days=100, categories=12, items=60, seed=3)
    cutoff = shop.first_instant + 60 * DAY + round(hours / 24 * DAY)
    users = np.arange(shop.users)
    for days in (1.5, 20):
        seen = count(shop, cutoff, round(days * DAY))
        ask = (users, np.full(shop.users, cutoff), round(days * DAY), shop.world.shelves.names)
        expected, chance = shop.oracle(*ask, counts=True), shop.oracle(*ask)
        assert_calibrated(expected, seen.future)
        assert_calibrated(chance, seen.future > 0)


def assert_calibrated(expected: np.ndarray, found: np.ndarray) -> None:
    """Residuals summed over users stay within five standard errors, in every category and size of prediction."""
    residual = found - expected
    for rows in (np.s_[:, :], *(np.s_[:, c] for c in range(expected.shape[1]))):
        per_user = residual[rows].reshape(len(residual), -1).sum(1)
        assert abs(per_user.sum()) < 5 * np.sqrt((per_user**2).sum())
    edges = np.quantile(expected, [0, 0.2, 0.4, 0.6, 0.8, 0.9, 0.95, 0.99, 1])
    for low, high in itertools.pairwise(edges):
        part = residual[(expected >= low) & (expected <= high)]
        assert abs(part.sum()) < 5 * np.sqrt((part**2).sum())


def test_chance_of_a_touch_ranks_as_the_exact_one_would():
    """Against the exact law of one interest, by walking all its states with the touched ones taken out."""
    shop = SyntheticShop(users=60, days=60, categories=15, items=15, interests=1, wander=0.0, churn=0.0, arrivals=0.1)
    names, first, ahead = shop.world.shelves.names, 20, 30
    cutoffs = np.full(shop.users, shop.first_instant + first * DAY)
    found = shop.oracle(np.arange(shop.users), cutoffs, ahead * DAY, names)
    exact = np.stack([walk(shop, user, first, ahead) for user in range(shop.users)])
    assert np.abs(found - exact).mean() < 0.01

    def gain(scores):
        """Discounted gain of the first ten, in expectation under the exact law."""
        best = np.argsort(-scores, axis=1)[:, :10]
        return (np.take_along_axis(exact, best, 1) / np.log2(np.arange(10) + 2)).sum()

    assert gain(found) > 0.999 * gain(exact)


def walk(shop: SyntheticShop, user: int, first: int, ahead: int) -> np.ndarray:
    """float64[C]: one minus the chance of no visit to c, with the whole law among untouched paths, for each c."""
    shelves, crowd = shop.world.shelves, shop.world.crowd
    home, start = crowd.home[user, 0], shop.world.seen.trail[first, user, 0]
    result = np.empty(shop.categories)
    for target in range(shop.categories):
        law = np.eye(shop.categories)[start]
        for day in range(first, first + ahead):
            visits = crowd.pull[user, 0] * shelves.appeal[day]
            buys = 1 - np.exp(-visits * shelves.purchase)
            unseen = np.ones(shop.categories)
            buys[target], unseen[target] = 0, np.exp(-visits[target])
            near, after = shelves.moves(day)
            stay = np.eye(shop.categories) * (1 - shop.switch - shop.drift - shop.comeback)
            stay[:, home] += shop.comeback
            settled = (shop.durable * buys)[:, None]
            law = (law * unseen) @ (settled * after + (1 - settled) * (stay + shop.switch * after + shop.drift * near))
        result[target] = 1 - law.sum()
    return result


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


def test_no_window_no_touch(shop):
    """Beyond the log's end, before an arrival and after a departure nothing is expected."""
    names, crowd = shop.world.shelves.names, shop.world.crowd
    end = shop.first_instant + shop.days * DAY
    assert not shop.oracle(np.arange(5), np.full(5, end), 7 * DAY, names).any()
    gone = np.flatnonzero(crowd.leave <= 150)[:5]
    assert not shop.oracle(gone, np.full(len(gone), end - 30 * DAY), 7 * DAY, names).any()
    late = np.flatnonzero(crowd.arrival > 20)[:5]
    assert not shop.oracle(late, np.full(5, shop.first_instant + 10 * DAY), 10 * DAY, names).any()
    assert shop.oracle(late, np.full(5, shop.first_instant - DAY), 200 * DAY, names).any(1).all()


def test_columns_come_in_the_order_asked(shop):
    names, users = shop.world.shelves.names, np.array([5, 3, 8])
    cutoffs = shop.first_instant + np.array([150, 120, 150]) * DAY
    whole = shop.oracle(users, cutoffs, 7 * DAY, names)
    assert np.array_equal(shop.oracle(users, cutoffs, 7 * DAY, names[[9, 2]]), whole[:, [9, 2]])
    assert np.array_equal(shop.oracle(users[1:2], cutoffs[1:2], 7 * DAY, names)[0], whole[1])
    assert np.array_equal(shop.oracle(users.astype(str).astype(object), cutoffs, 7 * DAY, names), whole)


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


def test_strange_users_and_categories_are_named(shop):
    with pytest.raises(InputError, match="no category 'zeppelins'"):
        shop.oracle(np.array([0]), np.array([shop.first_instant]), DAY, np.array(["zeppelins"], object))
    with pytest.raises(InputError, match=r"whole numbers .*'ann'"):
        shop.oracle(np.array(["ann"], object), np.array([shop.first_instant]), DAY, shop.world.shelves.names)
    with pytest.raises(InputError, match="users 0 to 1999, not 2000 to 2000"):
        shop.oracle(np.array([2000]), np.array([shop.first_instant]), DAY, shop.world.shelves.names)


@pytest.mark.parametrize(
    "least",
    [{"users": 1}, {"days": 1}, {"categories": 2, "items": 2, "interests": 1}, {"churn": 1.0}, {"arrivals": 0.0}],
)
def test_least_settings_make_a_world(least):
    shop = SyntheticShop(**{"users": 30, "days": 20, **least})
    log = shop.scan().frame.collect()
    scores = shop.oracle(np.arange(shop.users), np.full(shop.users, shop.first_instant), DAY, shop.world.shelves.names)
    assert log.width == 7 and np.isfinite(scores).all() and scores.max() <= 1
