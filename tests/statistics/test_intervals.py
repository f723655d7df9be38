"""Intervals cover a known truth as often as they say."""

from collections.abc import Callable

import numpy as np
import pytest
from scipy.special import ndtr, ndtri

from benchmarks.shared.truths import Sample, between, lopsided, often, paired, rarely
from lab.statistics.intervals import _acceleration, _levels, _poisson, over_seeds, over_users, over_users_each


@pytest.mark.parametrize("users", [20, 150])
def test_coverage_over_users(users: int) -> None:
    rng = np.random.default_rng(users)
    found = [one for _ in range(60) for one in over_users_each([often(rng, users) for _ in range(100)], rng)]
    assert between(sum(i is not None and i.low <= 0.25 <= i.high for i in found), 6_000)


@pytest.mark.parametrize("users", [20, 60])
def test_coverage_where_few_users_have_all(users: int) -> None:
    """Percentiles as they are cover 90 % and 93 % here."""
    rng = np.random.default_rng(users)
    found = [one for _ in range(60) for one in over_users_each([rarely(rng, users) for _ in range(100)], rng)]
    assert between(sum(i is not None and i.low <= 0.1 <= i.high for i in found), 6_000)


@pytest.mark.parametrize("draw", [paired, lopsided])
@pytest.mark.parametrize("users", [20, 200])
def test_coverage_of_a_paired_difference_over_users(users: int, draw: Callable[..., Sample]) -> None:
    rng = np.random.default_rng(5)
    covered = 0
    for _ in range(60):
        differences, user = draw(rng, users, 100)
        found = over_users_each(((one, user) for one in differences), rng, bca=False)
        covered += sum(one is not None and one.low <= 0 <= one.high for one in found)
    assert between(covered, 6_000)


def test_groups_of_users_leave_the_width() -> None:
    rng = np.random.default_rng(0)
    values = rng.normal(0, 1, 30_000)
    widths = [i.high - i.low for _ in range(20) if (i := over_users(values, np.arange(30_000), rng))]
    assert np.mean(widths) == pytest.approx(2 * 1.96 / np.sqrt(30_000), rel=0.05)


def test_agrees_with_scipy() -> None:
    from scipy.stats import bootstrap

    rng = np.random.default_rng(2)
    values, user = rarely(rng, 200)
    total, size = np.bincount(user, values), np.bincount(user).astype(float)
    theirs = bootstrap(
        (total, size), lambda t, n, axis: t.sum(axis) / n.sum(axis), paired=True, method="BCa", rng=rng,
        n_resamples=4_000,
    ).confidence_interval  # fmt: skip
    ours = over_users(values, user, rng)
    assert ours is not None and ours.mean == pytest.approx(values.mean())
    assert (ours.low, ours.high) == pytest.approx((theirs.low, theirs.high), abs=0.006)


def test_bca_by_hand() -> None:
    values, user = rarely(np.random.default_rng(4), 40)
    total, size = np.bincount(user, values), np.bincount(user)
    without = (total.sum() - total) / (size.sum() - size)
    off = without.mean() - without
    wanted = (off**3).sum() / (6 * (off**2).sum() ** 1.5)
    assert _acceleration(total, size) == pytest.approx(wanted) and wanted > 0.03
    # No bias: as many draws below as above. Both ends move to the side of the longer tail.
    low, high = _levels(np.array([-1.0, 1.0] * 50), wanted, 0.025)
    z = ndtri(0.975)
    assert (low, high) == pytest.approx((ndtr(-z / (1 + wanted * z)), ndtr(z / (1 - wanted * z))))
    assert low > 0.03 and high > 0.98
    # Seven draws of ten below the mean move both by twice 0.524, the 70 % quantile.
    biased = _levels(np.array([-1.0] * 70 + [1.0] * 30), 0.0, 0.025)
    assert biased == pytest.approx(ndtr(2 * ndtri(0.7) + np.array([-z, z])))


def test_queries_without_a_value_do_not_count() -> None:
    values, user = np.array([1.0, np.nan, 3.0, 2.0, np.nan]), np.array([0, 0, 1, 2, 3])
    known = ~np.isnan(values)
    left, right = over_users(values, user, np.random.default_rng(0)), np.random.default_rng(0)
    assert left == over_users(values[known], user[known], right)
    assert left is not None and left.mean == 2 and left.low <= 2 <= left.high


def test_the_same_generator_gives_the_same_interval() -> None:
    values, user = often(np.random.default_rng(3), 50)
    assert over_users(values, user, np.random.default_rng(7)) == over_users(values, user, np.random.default_rng(7))


def test_too_few_for_an_interval() -> None:
    rng = np.random.default_rng(0)
    assert over_users(np.array([0.1, 0.4]), np.array([3, 3]), rng) is None
    assert over_users(np.array([np.nan, 0.4]), np.array([0, 1]), rng) is None
    assert over_seeds(np.array([0.3])) is None


def test_poisson_draws() -> None:
    draws = _poisson(np.random.default_rng(0), (1_000, 1_000))
    assert draws.mean() == pytest.approx(1, abs=5e-3) and draws.var() == pytest.approx(1, abs=1e-2)


def test_t_interval_by_hand() -> None:
    # t(.975, 2) = 4.302653; the deviation of 1, 2, 3 is 1.
    interval = over_seeds(np.array([1.0, 2.0, 3.0]))
    assert interval is not None
    assert (interval.low, interval.high) == pytest.approx((2 - 4.302653 / 3**0.5, 2 + 4.302653 / 3**0.5))


def test_coverage_over_seeds() -> None:
    """Exact by construction where the means of seeds are normal."""
    rng = np.random.default_rng(4)
    intervals = [over_seeds(rng.normal(0.3, 0.01, 5)) for _ in range(20_000)]
    assert between(sum(i is not None and i.low <= 0.3 <= i.high for i in intervals), 20_000, 0.94, 0.96)


def test_samples_drawn_together_have_the_intervals_they_have_alone() -> None:
    rng = np.random.default_rng(1)
    user = rng.integers(0, 80, 300)
    values = rng.random((2, 300))
    later = np.isin(np.arange(300), np.unique(user, return_index=True)[1], invert=True)
    some = np.where(later & (rng.random(300) < 0.3), np.nan, values)  # each user keeps one, and so its draws
    together = over_users_each([(values, user), (some, user)], np.random.default_rng(0))
    alone = [over_users(one, user, np.random.default_rng(0)) for one in (values, some)]
    for a, b in zip(together, alone, strict=True):
        assert a is not None and b is not None
        assert (a.mean, a.low, a.high) == pytest.approx((b.mean, b.low, b.high))


def test_a_sample_without_a_value_has_no_interval_beside_one_that_has() -> None:
    user, values = np.arange(30), np.random.default_rng(0).random(30)
    nothing = (np.full(30, np.nan), user)
    found = over_users_each([nothing, (values, user), (values[:1], user[:1])], np.random.default_rng(0))
    assert found[0] is None and found[1] is not None and found[2] is None
    assert over_users_each([], np.random.default_rng(0)) == []
