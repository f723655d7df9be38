"""The tests of paired differences: known answers, and errors as rare as they say where the truth is known."""

import numpy as np
import pytest
from scipy import stats

from benchmarks.truths import at_most, by_user, lopsided, paired
from lab.statistics.permutation import flip_p, flip_p_each, holm, smallest_p


def test_few_differences_are_tested_exactly() -> None:
    differences = np.array([0.3, 0.1, -0.05, 0.2, 0.4, 0.15])
    known = stats.permutation_test((differences,), np.sum, permutation_type="samples", n_resamples=10_000)
    assert flip_p(differences, np.random.default_rng(0)) == pytest.approx(known.pvalue)


def test_many_differences_are_tested_by_draws() -> None:
    differences = np.random.default_rng(1).normal(0.15, 1, 300)
    p = flip_p(differences, np.random.default_rng(0))
    assert p == pytest.approx(stats.ttest_1samp(differences, 0)[1], abs=0.01)


def test_a_p_beyond_all_draws_is_a_bound_of_the_exact_one() -> None:
    sums = np.abs(np.random.default_rng(8).normal(1, 0.3, (100, 24)))  # of one sign: exactly 2 of 2^24 reach so far
    found = flip_p_each(sums, np.random.default_rng(0))
    assert (found < 1 / 10_000).any() and (found >= smallest_p(24)).all()
    assert 0 < flip_p(np.ones(300), np.random.default_rng(0)) == pytest.approx(2 * np.exp(-150))


def test_rows_tested_together_have_the_p_they_have_alone() -> None:
    rows = np.random.default_rng(9).normal(0.3, 1, (5, 40))
    together = flip_p_each(rows, np.random.default_rng(0))
    assert together.tolist() == [flip_p(row, np.random.default_rng(0)) for row in rows]


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


def test_holm_agrees_with_statsmodels_family_by_family() -> None:
    from statsmodels.stats.multitest import multipletests

    families = np.random.default_rng(7).random((5, 20)) ** 3
    assert holm(families) == pytest.approx(np.stack([np.asarray(multipletests(p, method="holm")[1]) for p in families]))


@pytest.mark.parametrize("users", [8, 60])
def test_false_positives_of_users_are_at_most_five_percent(users: int) -> None:
    """Exact by construction: 2 / 2^n enumerated up to 12 users, (1 + hits) / (1 + draws) beyond."""
    rng = np.random.default_rng(3)
    wrong = sum(int((flip_p_each(by_user(*paired(rng, users, 1_000)), rng) <= 0.05).sum()) for _ in range(20))
    assert at_most(wrong, 20_000)


def test_false_positives_over_seeds_are_at_most_five_percent() -> None:
    p = flip_p_each(np.random.default_rng(6).laplace(0, 1, (20_000, 6)), np.random.default_rng(0))
    assert at_most(int((p <= 0.05).sum()), 20_000) and (p > smallest_p(6) / 2).all()


def test_a_null_that_is_not_symmetric_is_judged_nearly_as_well() -> None:
    """Not exact: mean 0 alone is no reason for signs to flip freely, but with many users nearly one."""
    rng = np.random.default_rng(5)
    p = np.concatenate([flip_p_each(by_user(*lopsided(rng, 200, 500)), rng) for _ in range(10)])
    assert at_most(int((p <= 0.05).sum()), 5_000, 0.06)


@pytest.mark.parametrize("true", [0, 3])
def test_a_family_errs_at_most_five_percent_of_the_time(true: int) -> None:
    """Six tests that share their seeds; the first `true` differences are real and do not count as errors."""
    rng = np.random.default_rng(4)
    shared, own = rng.laplace(0, 1, (10_000, 1, 8)), rng.laplace(0, 1, (10_000, 6, 8))
    effect = np.where(np.arange(6) < true, 5, 0)[:, None]
    p = flip_p_each((shared + own + effect).reshape(-1, 8), rng).reshape(10_000, 6)
    assert at_most(int((holm(p)[:, true:] <= 0.05).any(axis=1).sum()), 10_000)
