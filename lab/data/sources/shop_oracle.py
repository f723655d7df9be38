"""What the best of all predictors would say of the made-up shop.

On each day interest k of user u, in category y, brings Poisson(pull[u, k] x appeal[day, y]) visits, and
then moves by fixed chances. So the law of its category on later days follows from its category at the
cutoff by one matrix product a day, and with it the expected events and the chance of any.
"""

from dataclasses import dataclass

import numpy as np

from lab.data.sources.shop_settings import ShopSettings
from lab.data.sources.shop_visits import Visits
from lab.data.sources.shop_world import HOUR_SECONDS, HOURS_CDF, Catalogue, People

DAY_SECONDS = 86_400.0
BATCH = 512


@dataclass
class Outlook:
    """Q users' days ahead, advanced one day at a time."""

    at: np.ndarray
    """float64[Q, K, C]: chance that an interest is in a category."""
    in_untouched: np.ndarray
    """float64[Q, K, C]: chance that it is there, and has not touched that category since the cutoff."""
    out_untouched: np.ndarray
    """float64[Q, K, C]: chance that it is elsewhere, and has not touched this category since the cutoff."""
    whim_visits: np.ndarray
    """float64[Q, C]: visits so far that follow no interest."""
    events: np.ndarray
    """float64[Q, C]: expected events so far."""
    touched: np.ndarray
    """float64[Q, C]: chance of at least one event so far."""


def outlook(
    shop: ShopSettings,
    shelves: Catalogue,
    crowd: People,
    seen: Visits,
    users: np.ndarray,
    cutoff: float,
    horizon: float,
) -> tuple[np.ndarray, np.ndarray]:
    """Expected events and chance of any, float64[Q, C] each, of `users` in (cutoff, cutoff + horizon].

    Both times are in seconds, the cutoff since the first midnight.
    """
    parts = [
        _outlook(shop, shelves, crowd, seen, users[i : i + BATCH], max(cutoff, 0.0), cutoff + horizon)
        for i in range(0, len(users), BATCH)
    ]
    empty = np.zeros((0, shop.categories))
    return np.concatenate([empty, *(p[0] for p in parts)]), np.concatenate([empty, *(p[1] for p in parts)])


def _outlook(
    shop: ShopSettings,
    shelves: Catalogue,
    crowd: People,
    seen: Visits,
    users: np.ndarray,
    start: float,
    end: float,
) -> tuple[np.ndarray, np.ndarray]:
    first = int(start // DAY_SECONDS)
    last = min(int(np.ceil(end / DAY_SECONDS)), shop.days)
    state = _begin(shop, seen, users, min(first, shop.days - 1))
    settled = _settled(shop, seen, users, first, start - first * DAY_SECONDS)
    for day in range(first, last):
        share = _share_of_day(end - day * DAY_SECONDS) - _share_of_day(start - day * DAY_SECONDS)
        # Whoever has left by the cutoff is known to be gone; whoever has not may leave after any later day.
        days_at_risk = day - np.maximum(first, crowd.arrival[users])
        here = (crowd.arrival[users] <= day) & (crowd.leave[users] > first)
        present = np.where(here, (1 - shop.churn) ** np.maximum(days_at_risk, 0), 0.0)
        visits = crowd.pull[users, :, None] * (shelves.appeal[day] * share) * here[:, None, None]
        whims = crowd.whim[users, None] * (shelves.popularity * shelves.appeal[day] * share) * here[:, None]
        _meet(shelves, state, visits, whims, present)
        _move(shop, shelves, crowd.home[users], state, visits, settled, day, here)
        settled = np.zeros_like(settled)
    return state.events, state.touched


def _begin(shop: ShopSettings, seen: Visits, users: np.ndarray, day: int) -> Outlook:
    """Every interest is where it truly is on the day of the cutoff; nothing is touched yet."""
    at = np.zeros((len(users), shop.interests, shop.categories))
    np.put_along_axis(at, seen.trail[day, users].astype(np.int64)[:, :, None], 1.0, axis=2)
    nothing = np.zeros((len(users), shop.categories))
    return Outlook(at, at.copy(), 1 - at, nothing, nothing.copy(), nothing.copy())


def _settled(shop: ShopSettings, seen: Visits, users: np.ndarray, day: int, second: float) -> np.ndarray:
    """float64[Q, K]: 1 where an interest has led to a purchase on the day of the cutoff, up to it."""
    low, high = np.searchsorted(seen.day, [day, day + 1])
    rows = np.arange(low, high)
    rows = rows[seen.bought[rows] & (seen.interest[rows] < shop.interests) & (seen.second[rows] <= second)]
    done = np.zeros((shop.users, shop.interests))
    done[seen.user[rows], seen.interest[rows]] = 1.0
    return done[users]


def _share_of_day(second: float) -> float:
    """Share of a day's visits that start within so many seconds of midnight."""
    return float(np.interp(second, HOUR_SECONDS, HOURS_CDF))


def _meet(shelves: Catalogue, state: Outlook, visits: np.ndarray, whims: np.ndarray, present: np.ndarray) -> None:
    """Count a day's expected visits [Q, K, C] of interests and whims [Q, C]."""
    expected = (state.at * visits).sum(1) + whims
    state.events += present[:, None] * expected * shelves.events_per_visit
    before = _untouched(state)
    state.in_untouched *= np.exp(-visits)
    state.whim_visits += whims
    state.touched += present[:, None] * (before - _untouched(state))


def _untouched(state: Outlook) -> np.ndarray:
    return np.prod(state.in_untouched + state.out_untouched, axis=1) * np.exp(-state.whim_visits)


def _move(
    shop: ShopSettings,
    shelves: Catalogue,
    home: np.ndarray,
    state: Outlook,
    visits: np.ndarray,
    settled: np.ndarray,
    day: int,
    here: np.ndarray,
) -> None:
    """Let the law of the interests take one night's step.

    A purchase settles an interest with chance `durable`: surely bought before the cutoff (`settled`), or
    with the chance that a Poisson number of visits brings one.
    """
    near, after = shelves.moves(day)
    buys = np.maximum(settled[:, :, None], 1 - np.exp(-visits * shelves.purchase))
    leaves = state.at * shop.durable * buys
    stays = state.at - leaves
    at_home = np.zeros_like(state.at)
    np.put_along_axis(at_home, home[:, :, None], 1.0, axis=2)
    keep = 1 - shop.switch - shop.drift - shop.comeback * (1 - at_home)
    back = shop.comeback * at_home * (stays.sum(2, keepdims=True) - stays)
    flow = (shop.drift * stays) @ near + (shop.switch * stays + leaves) @ after + back
    # Not having touched a category says that nothing was bought there since the cutoff. Elsewhere, an
    # interest is taken to lie as it would without that knowledge: the one approximation, see SyntheticShop.
    elsewhere = 1 - state.at
    arrives = np.where(elsewhere > 1e-12, state.out_untouched / np.maximum(elsewhere, 1e-12), 0) * flow
    remains = state.in_untouched * (1 - shop.durable * settled[:, :, None]) * keep
    moving = here[:, None, None]
    state.out_untouched = np.where(
        moving, state.out_untouched + state.in_untouched - remains - arrives, state.out_untouched
    )
    state.in_untouched = np.where(moving, remains + arrives, state.in_untouched)
    state.at = np.where(moving, stays * keep + flow, state.at)
