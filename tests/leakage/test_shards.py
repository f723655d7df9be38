"""A log in shards: the future moves nobody to another one, and changes nothing that any of them is trained on."""

from pathlib import Path

import numpy as np
from hypothesis import given

from lab.data.rows.batch import leaves
from lab.dataset.dataset import Dataset
from tests.leakage.futures import FEW, SEEDS
from tests.leakage.test_inputs import assert_same_inputs, same
from tests.whole_path import VALID, fold_of, prepared, shop_events, with_another_future


def shards_of(events: list, caches: Path) -> Dataset:
    return fold_of(prepared(events, caches), ("category", "habit", "popularity"), shard_events=150)


@FEW
@given(seed=SEEDS, future=SEEDS)
def test_nothing_after_the_valid_cutoff_reaches_a_shard(caches: Path, seed: int, future: int) -> None:
    events = shop_events(seed, users=40)
    before, after = (shards_of(log, caches) for log in (events, with_another_future(events, VALID, future)))
    assert len(before.rest) == len(after.rest) > 0
    assert_same_inputs(before, after, ("train", "valid"))
    for a, b in zip(before.rest, after.rest, strict=True):
        assert (a is None) == (b is None)
        if a is not None and b is not None:
            assert same(*(list(map(np.asarray, leaves(rows.whole()))) for rows in (a, b)))
