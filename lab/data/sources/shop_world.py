"""The made-up shop's fixed truth: its categories and items, and the people who come."""

from dataclasses import dataclass

import numpy as np

from lab.data.sources.shop_settings import ShopSettings, stream

WORDS = (
    "garden coffee tents boots cameras lenses bicycles helmets yarn paint novels comics toys diapers strollers "
    "skincare perfume shampoo vitamins tea chocolate spices cookware knives bedding pillows lamps curtains rugs "
    "sofas desks chairs laptops keyboards monitors headphones speakers phones chargers tablets watches jewellery "
    "sunglasses handbags luggage dresses shirts jeans jackets sneakers running yoga swimming fishing camping "
    "dogfood catfood aquarium seeds tools"
)
NAMES = tuple(WORDS.split())
"""What categories are called, in this order."""

TASTES = 5  # dimensions of the map on which categories and people lie
WEEK = 7

# Share of a day's visits in each of its hours: a low at four, a bump at noon, a peak at nine in the evening.
HOURS = np.array([3, 2, 1, 1, 1, 1, 2, 4, 6, 7, 8, 9, 10, 9, 8, 8, 8, 9, 10, 12, 14, 14, 10, 6], np.float64)
HOURS_CDF = np.concatenate([[0.0], np.cumsum(HOURS) / HOURS.sum()])
HOUR_SECONDS = np.arange(25, dtype=np.float64) * 3600

GLANCES = 0.6
"""Views of a visit beyond its first, on average."""


@dataclass(frozen=True)
class Catalogue:
    """C categories: where they lie, how often they are wanted on each day, and what leads to what."""

    names: np.ndarray
    """str objects [C]."""
    place: np.ndarray
    """float64[C, TASTES]: the map; categories close on it are alike."""
    popularity: np.ndarray
    """float64[C], sums to 1."""
    appeal: np.ndarray
    """float64[days, C]: what multiplies the visits an interest brings on a day (season x life)."""
    life: np.ndarray
    """float64[days, C], in (0, 1]: how alive a rising or dying category is."""
    alike: np.ndarray
    """float64[C, C]: pull of drifting from one category to another; symmetric but for popularity."""
    follows: np.ndarray
    """float64[C, C]: pull of switching from one category to another; not symmetric, so order tells."""
    cart: np.ndarray
    """float64[C]: chance that a visit fills the cart."""
    purchase: np.ndarray
    """float64[C]: chance that a visit ends in a purchase; at most `cart`."""

    @property
    def events_per_visit(self) -> np.ndarray:
        """float64[C]: expected events of one visit, views, cart and purchase together."""
        return 1 + GLANCES + self.cart + self.purchase

    def moves(self, day: int) -> tuple[np.ndarray, np.ndarray]:
        """Drift and switch probabilities [C, C] of the week that holds `day`; no row stays where it is."""
        life = self.life[day // WEEK * WEEK]
        return _normalised(self.alike * life), _normalised(self.follows * life)


@dataclass(frozen=True)
class Items:
    """I items, sorted by category and by when they arrive."""

    first: np.ndarray
    """int64[C + 1]: category c's items are first[c]:first[c + 1]."""
    on_sale: np.ndarray
    """int64[days, C]: how many of them have arrived by a day."""
    price: np.ndarray
    """float32[I]."""
    rank: np.ndarray
    """float64[I], in (0, 1): where an item's price lies among those of its category."""
    names: np.ndarray
    """str objects [I]."""


@dataclass(frozen=True)
class People:
    """U users with K interests each."""

    arrival: np.ndarray
    """int64[U]: first day."""
    leave: np.ndarray
    """int64[U]: first day of being gone for good (may lie beyond the log)."""
    home: np.ndarray
    """int64[U, K]: the category in which each interest began."""
    pull: np.ndarray
    """float64[U, K]: visits a day that each interest brings at an appeal of 1."""
    whim: np.ndarray
    """float64[U]: visits a day that follow no interest."""
    budget: np.ndarray
    """float64[U], in (0, 1): how dear a user buys within a category."""


def catalogue(shop: ShopSettings) -> Catalogue:
    """Lay out the categories."""
    rng, count = stream(shop, "catalogue"), shop.categories
    place = rng.normal(size=(count, TASTES))
    popularity = rng.permutation(1 / np.arange(1, count + 1) ** 0.5)
    popularity /= popularity.sum()
    # What follows lies near where a fixed turn of the map takes a category, so a few numbers tell all of it.
    turn, _ = np.linalg.qr(rng.normal(size=(TASTES, TASTES)))
    turned = (place[:, :, None] * turn).sum(1)
    weight = np.sqrt(popularity)
    cart = rng.uniform(0.25, 0.5, count)
    life = _life(shop)
    return Catalogue(
        names=_category_names(count),
        place=place,
        popularity=popularity,
        appeal=life * _seasons(shop),
        life=life,
        alike=_closeness(place, place, 4.0) * weight,
        follows=_closeness(turned, place, 5.0) * weight,
        cart=cart,
        purchase=cart * rng.uniform(0.4, 0.8, count),
    )


def items(shop: ShopSettings, shelves: Catalogue) -> Items:
    """Fill the categories with items, each with a day of arrival and a price."""
    rng, count = stream(shop, "items"), shop.categories
    extra = rng.choice(count, shop.items - count, p=shelves.popularity)
    category = np.concatenate([np.arange(count), extra])
    # Every category has one item from the first day on.
    late = (rng.random(len(category)) < 0.4) & (np.arange(len(category)) >= count)
    born = np.where(late, rng.integers(0, shop.days, len(category)), 0)
    order = np.lexsort((born, category))
    category, born = category[order], born[order]
    level, spread = stream(shop, "price levels").normal(3.0, 1.0, count), rng.normal(0, 0.4, len(category))
    price = np.round(np.exp(level[category] + spread), 2).astype(np.float32).clip(0.5)
    arrivals = np.zeros((shop.days, count), np.int64)
    np.add.at(arrivals, (born, category), 1)
    first = np.concatenate([[0], np.cumsum(np.bincount(category, minlength=count))])
    number = np.arange(len(category)) - first[category] + 1
    names = np.array([f"{shelves.names[c]}-{n:04d}" for c, n in zip(category, number, strict=True)], object)
    return Items(first, np.cumsum(arrivals, 0), price, 1 / (1 + np.exp(-spread / 0.25)), names)


def people(shop: ShopSettings, shelves: Catalogue) -> People:
    """Bring in the users: when they come and go, what they like, how active they are."""
    rng, count = stream(shop, "people"), shop.users
    arrival = rng.integers(0, max(1, round(shop.arrivals * shop.days)), count)
    stay = _geometric(stream(shop, "churn"), shop.churn, count)
    leave = arrival + stay
    taste = rng.normal(size=(count, TASTES))
    share = rng.dirichlet(np.full(shop.interests, 2.0), count)
    present = (np.minimum(leave, shop.days) - arrival).mean()
    size = (shelves.popularity * shelves.events_per_visit).sum()
    visits = shop.events_per_user / size / present * rng.lognormal(-0.32, 0.8, count)
    return People(
        arrival=arrival,
        leave=leave,
        home=_homes(shop, shelves, taste),
        pull=visits[:, None] * (1 - shop.wander) * share,
        whim=visits * shop.wander,
        budget=1 / (1 + np.exp(-1.5 * taste[:, 0])),
    )


def _category_names(count: int) -> np.ndarray:
    """garden, coffee, ... and, when the words run out, garden 2, coffee 2, ..."""
    rounds = [divmod(i, len(NAMES)) for i in range(count)]
    return np.array([NAMES[word] + (f" {lap + 1}" if lap else "") for lap, word in rounds], object)


def _life(shop: ShopSettings) -> np.ndarray:
    """Most categories live on unchanged; three in ten rise or die around a day of their own."""
    rng = stream(shop, "life")
    fate = rng.choice([0, 1, -1], shop.categories, p=[0.7, 0.15, 0.15])
    middle = rng.uniform(0.1, 0.9, shop.categories) * shop.days
    pace = rng.uniform(0.03, 0.1, shop.categories) * shop.days
    age = (np.arange(shop.days)[:, None] - middle) / pace
    grown = 1 / (1 + np.exp(-np.clip(fate * age, -30, 30)))
    return np.where(fate == 0, 1.0, 1 - shop.seasons * (1 - grown) * 0.95)


def _seasons(shop: ShopSettings) -> np.ndarray:
    """Yearly waves of half of the categories and a weekly tilt of each towards or away from the weekend."""
    rng = stream(shop, "seasons")
    strength = shop.seasons * np.where(rng.random(shop.categories) < 0.5, rng.uniform(0.5, 1, shop.categories), 0)
    peak = rng.uniform(0, 365.25, shop.categories)
    tilt = shop.seasons * rng.uniform(-0.6, 0.6, shop.categories)
    calendar = np.datetime64(shop.first_instant, "us").astype("datetime64[D]") + np.arange(shop.days)
    day_of_year = (calendar - calendar.astype("datetime64[Y]")).astype(np.float64)[:, None]
    weekend = (calendar.astype(np.int64) + 3) % WEEK >= 5  # 1970-01-01 was a Thursday
    week = np.where(weekend[:, None], 1 + tilt, 1 - tilt * 2 / 5)
    return week * (1 + strength * np.cos(2 * np.pi * (day_of_year - peak) / 365.25))


def _closeness(origin: np.ndarray, target: np.ndarray, sharpness: float) -> np.ndarray:
    """exp(-sharpness x half the squared distance) up to a factor a row; 0 on the diagonal, nothing moves to itself."""
    distance = ((origin[:, None] - target) ** 2).sum(-1)
    np.fill_diagonal(distance, np.inf)
    return np.exp(-sharpness / 2 * (distance - distance.min(1, keepdims=True)))


def _normalised(weights: np.ndarray) -> np.ndarray:
    return weights / weights.sum(1, keepdims=True)


def _homes(shop: ShopSettings, shelves: Catalogue, taste: np.ndarray) -> np.ndarray:
    """Draw each user's first interests without replacement (Gumbel top-K), by popularity and taste."""
    rng, found = stream(shop, "homes"), []
    for start in range(0, shop.users, 4096):
        part = taste[start : start + 4096]
        liking = np.log(shelves.popularity) + 0.7 * (part[:, None] * shelves.place).sum(-1)
        found.append(np.argsort(-(liking + rng.gumbel(size=liking.shape)), axis=1)[:, : shop.interests])
    return np.concatenate(found)


def _geometric(rng: np.random.Generator, chance: float, count: int) -> np.ndarray:
    """Days until something of that chance a day happens, at least 1; never, when it is impossible."""
    if chance == 0:
        return np.full(count, 2**40)
    return rng.geometric(chance, count)
