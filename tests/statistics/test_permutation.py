"""The tests of paired differences: known answers, and errors as rare as they say where the truth is known."""

import numpy as np
import pytest
from scipy import stats

from lab.statistics.across_runs import improvement
from lab.statistics.intervals import over_users
from lab.statistics.permutation import flip_p, holm, smallest_p


def test_few_differences_are_tested_exactly() -> None:
    differences = np.array([0.3, 0.1, -0.05, 0.2, 0.4, 0.15])
    known = stats.permutation_test((differences,), np.sum, permutation_type="samples", n_resamples=10_000)
    assert flip_p(differences, np.random.default_rng(0)) == pytest.approx(known.pvalue)


def test_many_differences_are_tested_by_draws() -> None:
    differences = np.random.default_rng(1).normal(0.15, 1, 300)
    p = flip_p(differences, np.random.default_rng(0))
    assert p == pytest.approx(stats.ttest_1samp(differences, 0)[1], abs=0.01)
    assert flip_p(np.ones(300), np.random.default_rng(0)) == 1 / 10_000  # never 0


@pytest.mark.parametrize(("seeds", "p"), [(1, 1.0), (3, 0.25), (5, 0.0625), (6, 0.03125)])
def test_the_smallest_p_is_what_differences_of_one_sign_get(seeds: int, p: float) -> None:
    assert smallest_p(seeds) == p == flip_p(np.arange(1.0, seeds + 1), np.random.default_rng(0))


@pytest.mark.parametrize("clusters", [40, 3_000])
def test_the_order_of_rows_does_not_matter(clusters: int) -> None:
    sums = np.random.default_rng(2).gamma(1, 1, clusters) - 0.97
    assert flip_p(sums, np.random.default_rng(0)) == flip_p(sums[::-1], np.random.default_rng(0))


def test_holm_by_hand() -> None:
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert len(holm([])) == 0


def test_improvement_by_hand() -> None:
    a, b = np.array([[1.0, 5.0], [3.0, 5.0]]), np.array([[2.0, 5.0]])
    assert improvement(a, b) == 0.5  # one of two runs on the first task, a tie on the second


def skewed(rng: np.random.Generator, users: int, tests: int) -> tuple[np.ndarray, np.ndarray]:
    """Users with 1 to 8 queries; of each test, differences of two bounded skewed metrics that share the user."""
    user = np.repeat(np.arange(users), rng.integers(1, 9, users))
    likes = rng.normal(0, 1, (tests, users))[:, user] - 1
    noise = rng.normal(0, 1, (2, tests, len(user)))
    shift = 0.5 * rng.normal(0, 1, (2, tests, users))[..., user]
    one, other = 1 / (1 + np.exp(-(likes + noise + shift)))
    return one - other, user


@pytest.mark.parametrize("users", [8, 60])
def test_false_positives_of_users_are_at_most_five_percent(users: int) -> None:
    rng = np.random.default_rng(3)
    differences, user = skewed(rng, users, 400)
    p = [flip_p(np.bincount(user, weights=one), rng) for one in differences]
    # Binomial noise of 400 repetitions: 2.3 standard errors above 5 %.
    assert np.mean(np.array(p) <= 0.05) <= 0.05 + 2.3 * np.sqrt(0.05 * 0.95 / 400)


def test_a_family_errs_at_most_five_percent_of_the_time() -> None:
    rng = np.random.default_rng(4)
    families = [[flip_p(one, rng) for one in rng.laplace(0, 1, (6, 8))] for _ in range(400)]
    wrong = np.mean([holm(p).min() <= 0.05 for p in families])
    assert wrong <= 0.05 + 2.3 * np.sqrt(0.05 * 0.95 / 400)


@pytest.mark.parametrize("users", [30, 200])
def test_coverage_of_a_paired_difference_over_users(users: int) -> None:
    """1000 repetitions: a true coverage of 95 % is outside 93 to 97 % once in 270 times."""
    rng = np.random.default_rng(5)
    found = []
    for _ in range(1_000):
        (difference,), user = skewed(rng, users, 1)
        found.append(over_users(difference, user, rng))
    assert 0.93 < np.mean([i is not None and i.low <= 0 <= i.high for i in found]) < 0.97
