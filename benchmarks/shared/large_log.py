"""A made-up shop's log of any size, written row group by row group so that making it needs little memory."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

ROWS = 1 << 20
"""Events of one row group."""

EVENTS_A_USER = 50
CATEGORIES = 500
ITEMS_A_CATEGORY = 800
DAYS = 180
START = 1_700_000_000
"""Unix seconds."""

FAVOURITES = 6
"""Categories that a user comes back to; the other events wander over all of them."""

BEHAVIOURS = np.array(["view", "favourite", "cart", "purchase"])
SHARES = (0.8, 0.05, 0.1, 0.05)


def write_log(path: Path, events: int, seed: int = 0) -> None:
    """A Parquet file with columns user, item, time, category, behaviour and price, in no order.

    The same events for the same number and seed. Activity and popularity are skewed (Zipf), times are whole
    seconds with a daily rhythm, and one price in fifty is missing.
    """
    users = max(events // EVENTS_A_USER, 2)
    with pq.ParquetWriter(path, _table(np.random.default_rng(0), users, 1).schema, compression="zstd") as file:
        for group, rows in enumerate(_group_sizes(events)):
            file.write_table(_table(np.random.default_rng([seed, group]), users, rows))


def _group_sizes(events: int) -> Iterator[int]:
    whole, rest = divmod(events, ROWS)
    yield from [ROWS] * whole
    if rest:
        yield rest


def _table(draw: np.random.Generator, users: int, rows: int) -> pa.Table:
    user = _skewed(draw, users, rows, 1000)
    category = _categories(draw, user, rows)
    item = category + CATEGORIES * _skewed(draw, ITEMS_A_CATEGORY, rows, 1000)
    price = np.exp(2 + category % 7 * 0.4 + item % 97 * 0.02 + draw.normal(0, 0.1, rows)).round(2)
    behaviour = draw.choice(len(BEHAVIOURS), rows, p=SHARES).astype(np.int8)
    return pa.table(
        {
            # Numbers far apart, in an order that says nothing of how active anyone is.
            "user": user * 2_654_435_761 % 1_000_000_007,
            "item": 1_000 + item * 7919 % (CATEGORIES * ITEMS_A_CATEGORY),
            "time": _times(draw, rows),
            "category": _name_column(category.astype(np.int16), [f"category {code:03}" for code in range(CATEGORIES)]),
            "behaviour": _name_column(behaviour, BEHAVIOURS),
            "price": pa.array(price, mask=draw.random(rows) < 0.02),
        }
    )


def _skewed(draw: np.random.Generator, count: int, rows: int, ratio: float) -> np.ndarray:
    """int64[rows] below `count`: Zipf's law, flattened at its head so that the first is `ratio` times the last."""
    return (count * (ratio ** draw.random(rows) - 1) / (ratio - 1)).astype(np.int64)


def _categories(draw: np.random.Generator, user: np.ndarray, rows: int) -> np.ndarray:
    """Two events in three on one of the user's favourites, which follow from who it is."""
    favourite = user * FAVOURITES + _skewed(draw, FAVOURITES, rows, 5)
    hashed = favourite.astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15) >> np.uint64(40)
    own = (CATEGORIES * (hashed / 2.0**24) ** 2).astype(np.int64)
    return np.where(draw.random(rows) < 2 / 3, own, _skewed(draw, CATEGORIES, rows, 100))


def _times(draw: np.random.Generator, rows: int) -> np.ndarray:
    """Unix seconds, most of them around seven in the evening."""
    second = draw.normal(19 * 3600, 4 * 3600, rows).astype(np.int64) % 86_400
    return START + draw.integers(0, DAYS, rows) * 86_400 + second


def _name_column(codes: np.ndarray, names: object) -> pa.Array:
    return pa.DictionaryArray.from_arrays(pa.array(codes), pa.array(names, pa.string()))
