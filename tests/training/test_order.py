"""Which rows a step sees: plain properties of the order."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from lab.training.state import row_order

sizes = st.integers(1, 12).flatmap(lambda batch: st.tuples(st.just(batch), st.integers(batch, 60)))


@given(sizes, st.integers(0, 2**32 - 1), st.integers(0, 3))
def test_every_epoch_is_a_permutation(size: tuple[int, int], seed: int, epoch: int) -> None:
    batch, rows = size
    per_epoch = rows // batch
    order = row_order(seed, epoch * per_epoch, per_epoch, batch, rows)
    assert order.shape == (per_epoch, batch)
    assert len(set(order.ravel().tolist())) == per_epoch * batch
    assert order.min() >= 0 and order.max() < rows


@given(sizes, st.lists(st.integers(1, 9), min_size=1, max_size=6))
def test_where_a_dispatch_begins_changes_nothing(size: tuple[int, int], counts: list[int]) -> None:
    batch, rows = size
    whole = row_order(7, 0, sum(counts), batch, rows)
    first = np.cumsum(counts) - counts
    parts = [row_order(7, int(step), count, batch, rows) for step, count in zip(first, counts, strict=True)]
    np.testing.assert_array_equal(np.concatenate(parts), whole)


def test_seeds_and_epochs_differ() -> None:
    one, other = row_order(0, 0, 20, 5, 50), row_order(1, 0, 20, 5, 50)
    assert (one != other).any() and (one[:10] != one[10:]).any()


def test_every_row_is_met_in_time() -> None:
    assert set(row_order(3, 0, 60, 4, 7).ravel().tolist()) == set(range(7))
