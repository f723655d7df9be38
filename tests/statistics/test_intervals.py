"""Intervals cover a known truth as often as they say."""

from collections.abc import Callable

import numpy as np
import pytest
from scipy.special import ndtr, ndtri

from benchmarks.shared.truths import Sample, lies_within, lopsided, often, paired, rarely
from lab.statistics.intervals import GROUPS, _acceleration, _levels, over_seeds, over_users


@pytest.mark.parametrize("users", [20, 150])
def test_coverage_over_users(users: int) -> None:
    rng = np.random.default_rng(users)
    found = [over_users(*often(rng, users)) for _ in range(3_000)]
    assert lies_within(sum(i is not None and i.low <= 0.25 <= i.high for i in found), 3_000, 0.925, 0.975)


@pytest.mark.parametrize("users", [20, 60])
def test_coverage_where_few_users_have_all(users: int) -> None:
    """Percentiles as they are cover 91 % and 93 % here."""
    rng = np.random.default_rng(users)
    found = [over_users(*rarely(rng, users)) for _ in range(3_000)]
    assert lies_within(sum(i is not None and i.low <= 0.1 <= i.high for i in found), 3_000, 0.925, 0.975)


@pytest.mark.parametrize("draw", [paired, lopsided])
@pytest.mark.parametrize("users", [20, 200])
def test_coverage_of_a_paired_difference_over_users(users: int, draw: Callable[..., Sample]) -> None:
    rng = np.random.default_rng(5)
    covered = 0
    for _ in range(30):
        differences, user = draw(rng, users, 100)
        found = [over_users(one, user, bca=False) for one in differences]
        covered += sum(one is not None and one.low <= 0 <= one.high for one in found)
    assert lies_within(covered, 3_000, 0.925, 0.98)


def test_groups_of_users_leave_the_width() -> None:
    """Dealt in any order they are as wide as the normal interval, give or take what GROUPS squares scatter."""
    values = np.random.default_rng(0).normal(0, 1, 2 * GROUPS)
    found = [over_users(values, np.random.default_rng(k).permutation(2 * GROUPS)) for k in range(20)]
    widths = np.array([i.high - i.low for i in found if i])
    assert len(widths) == 20 and widths.mean() == pytest.approx(2 * 1.96 * values.std() / np.sqrt(2 * GROUPS), rel=0.01)
    assert 0 < widths.std() < 2 * widths.mean() / np.sqrt(2 * GROUPS)


def test_up_to_so_many_users_their_names_do_not_move_the_interval() -> None:
    values = np.random.default_rng(0).random(3_000)
    one, other = (over_users(values, np.random.default_rng(k).permutation(3_000)) for k in range(2))
    assert one is not None and other is not None
    assert (one.low, one.high) == pytest.approx((other.low, other.high), abs=1e-9)


def test_agrees_with_scipy() -> None:
    from scipy.stats import bootstrap

    rng = np.random.default_rng(2)
    values, user = rarely(rng, 200)
    total, size = np.bincount(user, values), np.bincount(user).astype(float)
    theirs = bootstrap(
        (total, size), lambda t, n, axis: t.sum(axis) / n.sum(axis), paired=True, method="BCa", rng=rng,
        n_resamples=20_000,
    ).confidence_interval  # fmt: skip
    ours = over_users(values, user)
    assert ours is not None and ours.mean == pytest.approx(values.mean())
    assert (ours.low, ours.high) == pytest.approx((theirs.low, theirs.high), abs=0.002)


def test_bca_by_hand() -> None:
    values, user = rarely(np.random.default_rng(4), 40)
    total, size = np.bincount(user, values), np.bincount(user)
    without = (total.sum() - total) / (size.sum() - size)
    off = without.mean() - without
    wanted = (off**3).sum() / (6 * (off**2).sum() ** 1.5)
    assert _acceleration(total, size) == pytest.approx(wanted) and wanted > 0.03
    # No bias: as many resamples below as above. Both ends move to the side of the longer tail.
    low, high = _levels(0.0, wanted, 0.025)
    z = ndtri(0.975)
    assert (low, high) == pytest.approx((ndtr(-z / (1 + wanted * z)), ndtr(z / (1 - wanted * z))))
    assert low > 0.03 and high > 0.98
    # Seven resamples of ten below the mean move both by twice 0.524, the 70 % quantile.
    biased = _levels(float(ndtri(0.7)), 0.0, 0.025)
    assert biased == pytest.approx(ndtr(2 * ndtri(0.7) + np.array([-z, z])))


def test_queries_without_a_value_do_not_count() -> None:
    values, user = np.array([1.0, np.nan, 3.0, 2.0, np.nan]), np.array([0, 0, 1, 2, 3])
    known = ~np.isnan(values)
    left = over_users(values, user)
    assert left == over_users(values[known], user[known])
    assert left is not None and left.mean == 2 and left.low <= 2 <= left.high


def test_too_few_for_an_interval() -> None:
    assert over_users(np.array([0.1, 0.4]), np.array([3, 3])) is None
    assert over_users(np.array([np.nan, 0.4]), np.array([0, 1])) is None
    assert over_seeds(np.array([0.3])) is None


def test_t_interval_by_hand() -> None:
    # t(.975, 2) = 4.302653; the deviation of 1, 2, 3 is 1.
    interval = over_seeds(np.array([1.0, 2.0, 3.0]))
    assert interval is not None
    assert (interval.low, interval.high) == pytest.approx((2 - 4.302653 / 3**0.5, 2 + 4.302653 / 3**0.5))


def test_coverage_over_seeds() -> None:
    """Exact by construction where the means of seeds are normal."""
    rng = np.random.default_rng(4)
    intervals = [over_seeds(rng.normal(0.3, 0.01, 5)) for _ in range(20_000)]
    assert lies_within(sum(i is not None and i.low <= 0.3 <= i.high for i in intervals), 20_000, 0.94, 0.96)


def test_no_value_has_no_interval() -> None:
    assert over_users(np.full(30, np.nan), np.arange(30)) is None
    assert over_users(np.empty((2, 0)), np.empty(0, int)) is None
