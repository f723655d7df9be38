"""What is computed of a bootstrap is what endlessly many draws would show."""

from itertools import product
from math import exp, factorial

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.shared.drawn import drawn_means
from benchmarks.shared.truths import often, rarely
from lab.statistics.poisson_bootstrap import PoissonBootstrap

ENDS = (0.025, 0.975)


def sums(users: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Of values that deviate by about .35, one to six queries a user: as rough as a metric of a real log."""
    rng = np.random.default_rng(seed)
    size = rng.integers(1, 7, users).astype(float)
    skill = rng.random(users) * (rng.random(users) < 0.8)
    return skill * size, size


@pytest.mark.parametrize("users", [50, 270])
def test_ends_are_those_of_very_many_draws_and_do_not_move(users: int) -> None:
    total, size = sums(users)
    boot = PoissonBootstrap(total, size)
    ends = np.array([boot.quantile(level) for level in ENDS])
    several = [np.quantile(drawn_means(total, size, 1_000, np.random.default_rng(k)), ENDS) for k in range(20)]
    assert np.ptp(several, axis=0).min() > 0.0015  # the third digit of a table
    many = np.quantile(drawn_means(total, size, 200_000, np.random.default_rng(99)), ENDS)
    # Five standard errors of an end of that many draws.
    assert ends == pytest.approx(many, abs=5 * 2.67 * boot.error / np.sqrt(200_000))
    assert 5 * 2.67 * boot.error / np.sqrt(200_000) < 0.0015


@pytest.mark.parametrize("draw", [often, rarely])
@pytest.mark.parametrize("users", [20, 400])
def test_the_share_below_is_that_of_draws(users: int, draw) -> None:
    values, user = draw(np.random.default_rng(5), users)
    values = np.atleast_2d(values)[0]
    total, size = np.bincount(user, values), np.bincount(user).astype(float)
    boot, many = PoissonBootstrap(total, size), drawn_means(total, size, 100_000, np.random.default_rng(1))
    for t in np.quantile(many, [0.01, 0.2, 0.5, 0.9, 0.99]) + 1e-4:  # beside what several draws share
        assert boot.below(t) == pytest.approx((many < t).mean(), abs=0.01)


def test_two_users_by_hand() -> None:
    """0 and 1, a query each: the ratio is K / (J + K), both Poisson(1) and not both 0."""
    boot, nobody = PoissonBootstrap(np.array([0.0, 1.0]), np.ones(2)), exp(-2)
    chance = {(j, k): nobody / factorial(j) / factorial(k) for j, k in product(range(12), repeat=2) if j + k}
    for t in (0.1, 0.3, 0.45, 0.7, 0.9):
        wanted = sum(p for (j, k), p in chance.items() if k / (j + k) < t) / (1 - nobody)
        assert boot.below(t) == pytest.approx(wanted, abs=2e-3)
    # One user alone, (1 - 1/e) / e of the chances that anybody is drawn: half of that lies below.
    alone = (1 - exp(-1)) * exp(-1) / (1 - nobody)
    assert (boot.below(0), boot.below(1)) == pytest.approx((alone / 2, 1 - alone / 2), abs=1e-3)
    assert boot.quantile(alone / 3) == pytest.approx(0) and boot.quantile(1 - alone / 3) == pytest.approx(1)
    assert boot.quantile(0.5) == pytest.approx(0.5, abs=1e-3)


def test_equal_users_leave_no_doubt() -> None:
    size = np.array([1.0, 3, 2, 5])
    for value in (0.0, 0.5, 0.3):
        boot = PoissonBootstrap(value * size, size)
        assert [boot.quantile(level) for level in (1e-9, 0.3, 1)] == pytest.approx([value] * 3)


def test_one_user_alone_has_all_that_is_won() -> None:
    """The lower end is what those without it have, not less: it is not drawn with a chance of 1 / e."""
    boot = PoissonBootstrap((np.arange(50) == 7) * 1.0, np.ones(50))
    assert boot.quantile(0.025) == pytest.approx(0, abs=1e-12)
    assert boot.below(1e-3) == pytest.approx(exp(-1), abs=2e-3)
    assert 2 / 50 < boot.quantile(0.975) < 4 / 50


@given(
    st.lists(st.tuples(st.integers(0, 4), st.integers(0, 10)), min_size=2, max_size=40),
    st.lists(st.floats(0, 1), min_size=2, max_size=5),
)
def test_quantiles_rise_within_what_users_have(users: list[tuple[int, int]], levels: list[float]) -> None:
    size, total = (np.array(column, float) for column in zip(*users, strict=True))
    total = total * (size > 0)
    if not size.any():
        return
    boot, each = PoissonBootstrap(total, size), (total / np.maximum(size, 1))[size > 0]
    found = [boot.quantile(level) for level in sorted(levels)]
    assert (np.diff(found) >= -2e-3 * boot.error - 1e-12).all()
    assert each.min() - 1e-9 <= min(found) and max(found) <= each.max() + 1e-9
    for level, end in zip(sorted(levels), found, strict=True):
        # A step past the quantile, more lies below, and a step before it, less: also where a jump stands there.
        step = 0.02 * boot.error + 1e-9
        assert boot.below(end + step) >= level - 1e-3 or end >= each.max() - 1e-9
        assert boot.below(end - step) <= level + 1e-3 or end <= each.min() + 1e-9


def test_scale_and_place_of_values_do_not_matter() -> None:
    total, size = sums(80)
    boot, other = PoissonBootstrap(total, size), PoissonBootstrap(1_000 * total - 5_000 * size, size)
    for level in ENDS:
        assert other.quantile(level) == pytest.approx(1_000 * boot.quantile(level) - 5_000, abs=1e-5)
    nobody = PoissonBootstrap(np.append(total, 0), np.append(size, 0))
    assert nobody.quantile(0.025) == boot.quantile(0.025)
