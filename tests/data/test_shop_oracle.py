"""The made-up shop's own knowledge of what follows: calibrated, and ahead of everything simple."""

import dataclasses
import itertools

import numpy as np
import pytest

from lab.core.errors import InputError
from lab.data.sources.synthetic import SyntheticShop
from lab.data.timeline import DAY

HORIZONS = (7, 30)
ASKED = 150  # days after the first midnight


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


def test_strange_users_and_categories_are_named(shop):
    with pytest.raises(InputError, match="no category 'zeppelins'"):
        shop.oracle(np.array([0]), np.array([shop.first_instant]), DAY, np.array(["zeppelins"], object))
    with pytest.raises(InputError, match=r"whole numbers .*'ann'"):
        shop.oracle(np.array(["ann"], object), np.array([shop.first_instant]), DAY, shop.world.shelves.names)
    with pytest.raises(InputError, match="users 0 to 1999, not 2000 to 2000"):
        shop.oracle(np.array([2000]), np.array([shop.first_instant]), DAY, shop.world.shelves.names)
