"""What happens in the made-up shop: interests move from day to day, visits follow them, events fill the visits."""

from dataclasses import dataclass

import numpy as np

from lab.data.sources.shop_settings import ShopSettings, stream
from lab.data.sources.shop_world import (
    GLANCES,
    HOUR_SECONDS,
    HOURS_CDF,
    Catalogue,
    Items,
    People,
)

VIEW, CART, PURCHASE = range(3)

PAUSE = 40.0
"""Mean seconds between two events of a visit, beyond the least of 5."""


@dataclass(frozen=True)
class Visits:
    """V visits, each to one category, in the order of their days."""

    trail: np.ndarray
    """int16[days, U, K]: the category of every interest on every day, the hidden truth."""
    user: np.ndarray
    """int64[V]."""
    interest: np.ndarray
    """int64[V], 0..K-1, or K for a visit that follows none."""
    day: np.ndarray
    """int64[V]."""
    second: np.ndarray
    """float64[V]: when it starts, in seconds since midnight."""
    category: np.ndarray
    """int64[V]."""
    carted: np.ndarray
    """bool[V]."""
    bought: np.ndarray
    """bool[V]."""


@dataclass(frozen=True)
class Events:
    """N events in time order."""

    user: np.ndarray
    """int64[N]."""
    second: np.ndarray
    """int64[N], seconds since the first midnight."""
    item: np.ndarray
    """int64[N]."""
    category: np.ndarray
    """int64[N]."""
    behaviour: np.ndarray
    """int8[N]: VIEW, CART or PURCHASE."""


def visits(shop: ShopSettings, shelves: Catalogue, crowd: People) -> Visits:
    """Live through the days: on each, interests bring visits, and then move."""
    paths, draws, funnel, whims = (stream(shop, part) for part in ("paths", "visits", "funnel", "whims"))
    at = crowd.home.copy()
    trail = np.empty((shop.days, *at.shape), np.int16)
    found = []
    popular = np.cumsum(shelves.popularity * shelves.appeal, 1)
    for day in range(shop.days):
        trail[day] = at
        here = (crowd.arrival <= day) & (day < crowd.leave)
        count = draws.poisson(crowd.pull * shelves.appeal[day][at] * here[:, None])
        user, interest = (np.repeat(part, count[count > 0]) for part in np.nonzero(count))
        stray = np.repeat(np.arange(shop.users), whims.poisson(crowd.whim * popular[day, -1] * here))
        chosen = np.searchsorted(popular[day], whims.random(len(stray)) * popular[day, -1], side="right")
        category = np.concatenate([at[user, interest], chosen])
        luck = np.concatenate([funnel.random(len(user)), whims.random(len(stray))])
        carted, bought = luck < shelves.cart[category], luck < shelves.purchase[category]
        settled = np.zeros(at.shape, bool)
        held = bought[: len(user)]
        settled[user[held], interest[held]] = True
        aside = np.full(len(stray), shop.interests)
        found.append((np.concatenate([user, stray]), np.concatenate([interest, aside]), category, carted, bought))
        if day + 1 < shop.days:
            at = _move_interests(shop, shelves, crowd, paths, day, at, settled, here)
    user, interest, category, carted, bought = (np.concatenate(parts) for parts in zip(*found, strict=True))
    when = np.repeat(np.arange(shop.days), [len(parts[0]) for parts in found])
    second = np.interp(stream(shop, "hours").random(len(user)), HOURS_CDF, HOUR_SECONDS)
    return Visits(trail, user, interest, when, second, category, carted, bought)


def _move_interests(
    shop: ShopSettings,
    shelves: Catalogue,
    crowd: People,
    rng: np.random.Generator,
    day: int,
    at: np.ndarray,
    settled: np.ndarray,
    here: np.ndarray,
) -> np.ndarray:
    """Where the interests [U, K] are on the next day. Always draws the same number of random numbers."""
    kind, target = rng.random((2, *at.shape))
    settling = rng.random(at.shape) < shop.durable
    follow = (kind < shop.switch) | (settled & settling)
    drift = ~follow & (kind < shop.switch + shop.drift)
    back = ~follow & ~drift & (kind < shop.switch + shop.drift + shop.comeback)
    near, after = (np.cumsum(table, 1) for table in shelves.moves(day))
    moved = np.where(back & here[:, None], crowd.home, at)
    for chosen, table in ((follow & here[:, None], after), (drift & here[:, None], near)):
        rows = table[at[chosen]]
        moved[chosen] = (target[chosen][:, None] * rows[:, -1:] >= rows).sum(1)
    return moved


def events(shop: ShopSettings, stock: Items, crowd: People, seen: Visits) -> Events:
    """Fill each visit with views of items, then perhaps the cart and a purchase of the last one viewed."""
    views = 1 + stream(shop, "views").poisson(GLANCES, len(seen.user))
    size = views + seen.carted + seen.bought
    visit = np.repeat(np.arange(len(size)), size)
    first = np.cumsum(size) - size
    step = np.arange(len(visit)) - first[visit]
    behaviour = np.maximum(step - views[visit] + 1, VIEW).astype(np.int8)
    viewed = _pick(shop, stock, crowd, seen, visit)
    item = viewed[np.minimum(step, views[visit] - 1) + first[visit]]
    pause = 5 + stream(shop, "pauses").exponential(PAUSE, len(visit))
    spent = np.cumsum(pause)
    second = (seen.day * 86_400 + seen.second)[visit] + spent - spent[first][visit]
    # Two visits of a user may interleave; equal seconds keep the order of the visits.
    whole = np.floor(second).astype(np.int64)
    order = np.argsort(whole, kind="stable")
    return Events(seen.user[visit][order], whole[order], item[order], seen.category[visit][order], behaviour[order])


def _pick(shop: ShopSettings, stock: Items, crowd: People, seen: Visits, visit: np.ndarray) -> np.ndarray:
    """An item for every event: of two at hand, newer ones likelier, the one that fits the user's budget."""
    rng, category = stream(shop, "picks"), seen.category[visit]
    on_sale, budget = stock.on_sale[seen.day[visit], category], crowd.budget[seen.user[visit]]
    one, two = (
        stock.first[category] + on_sale - 1 - np.floor(on_sale * rng.random(len(visit)) ** 2).astype(np.int64)
        for _ in range(2)
    )
    nearer = np.abs(stock.rank[one] - budget) <= np.abs(stock.rank[two] - budget)
    return np.where(nearer, one, two)
