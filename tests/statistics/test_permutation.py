"""The tests of paired differences: known answers, and errors as rare as they say where the truth is known."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from scipy import stats

from benchmarks.shared.truths import ahead, at_most, by_user, lopsided, paired
from lab.statistics.permutation import flip_p, flip_p_each, holm, smallest_p, users_p_each


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
    for test in (flip_p_each, users_p_each):
        together = test(rows, np.random.default_rng(0))
        assert together.tolist() == [test(row[None], np.random.default_rng(0))[0] for row in rows]


@pytest.mark.parametrize(("seeds", "p"), [(1, 1.0), (3, 0.25), (5, 0.0625), (6, 0.03125)])
def test_the_smallest_p_is_what_differences_of_one_sign_get(seeds: int, p: float) -> None:
    assert smallest_p(seeds) == p == flip_p(np.arange(1.0, seeds + 1), np.random.default_rng(0))


@pytest.mark.parametrize("clusters", [40, 3_000])
def test_the_order_of_rows_does_not_matter(clusters: int) -> None:
    sums = np.random.default_rng(2).gamma(1, 1, (1, clusters)) - 0.97
    assert users_p_each(sums, np.random.default_rng(0)) == users_p_each(sums[:, ::-1], np.random.default_rng(0))


def test_holm_by_hand() -> None:
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert len(holm([])) == 0


def test_holm_agrees_with_statsmodels_family_by_family() -> None:
    from statsmodels.stats.multitest import multipletests

    families = np.random.default_rng(7).random((5, 20)) ** 3
    assert holm(families) == pytest.approx(np.stack([np.asarray(multipletests(p, method="holm")[1]) for p in families]))


def rejected(draw: Callable[..., Any], users: int, batches: int) -> int:
    """Of 100 differences a batch, how many are found."""
    rng = np.random.default_rng(3)
    return sum(int((users_p_each(by_user(*draw(rng, users, 100)), rng) <= 0.05).sum()) for _ in range(batches))


@pytest.mark.parametrize("users", [8, 20, 200])
def test_false_positives_of_users_are_at_most_five_percent(users: int) -> None:
    """Plain sums of lopsided differences err 8 %, 6.5 % and 5.7 % of the time with 20, 60 and 200 users."""
    assert at_most(rejected(lopsided, users, 30), 3_000)
    assert at_most(rejected(paired, users, 10), 1_000)


@pytest.mark.parametrize(("draw", "least"), [(ahead(paired, 0.55), 0.8), (ahead(lopsided, 3), 0.75)])
def test_what_is_there_is_found(draw: Callable[..., Any], least: float) -> None:
    assert rejected(draw, 60, 5) >= least * 500


def test_a_correction_for_skewness_is_symmetric_and_grows_with_the_sum() -> None:
    rows = np.random.default_rng(4).gamma(0.5, 1, (6, 30)) - 0.2
    p = users_p_each(rows, np.random.default_rng(0))
    assert users_p_each(-rows, np.random.default_rng(0)) == pytest.approx(p, abs=0.01)
    assert (users_p_each(rows + 0.2, np.random.default_rng(0)) <= p).all()


def test_few_users_hide_what_would_change_the_answer() -> None:
    # Of one sign: the two most extreme of 2^n patterns, and what is hidden.
    assert users_p_each(np.arange(1.0, 9)[None], np.random.default_rng(0)) == pytest.approx(2 / 2**8 * (1 + 14 / 8))
    assert users_p_each(np.ones((1, 3)), np.random.default_rng(0)) == [1.0]


def test_users_between_whom_nothing_differs_count_for_none() -> None:
    rows = np.random.default_rng(5).normal(0.5, 1, (3, 9))
    with_ties = np.concatenate([rows, np.zeros((3, 2))], axis=1)
    assert users_p_each(with_ties, np.random.default_rng(0)) == pytest.approx(
        users_p_each(rows, np.random.default_rng(0))
    )
    assert users_p_each(np.zeros((2, 30)), np.random.default_rng(0)).tolist() == [1.0, 1.0]


def test_false_positives_over_seeds_are_at_most_five_percent() -> None:
    p = flip_p_each(np.random.default_rng(6).laplace(0, 1, (20_000, 6)), np.random.default_rng(0))
    assert at_most(int((p <= 0.05).sum()), 20_000) and (p > smallest_p(6) / 2).all()


@pytest.mark.parametrize("true", [0, 3])
def test_a_family_errs_at_most_five_percent_of_the_time(true: int) -> None:
    """Six tests that share their seeds; the first `true` differences are real and do not count as errors."""
    rng = np.random.default_rng(4)
    shared, own = rng.laplace(0, 1, (10_000, 1, 8)), rng.laplace(0, 1, (10_000, 6, 8))
    effect = np.where(np.arange(6) < true, 5, 0)[:, None]
    p = flip_p_each((shared + own + effect).reshape(-1, 8), rng).reshape(10_000, 6)
    assert at_most(int((holm(p)[:, true:] <= 0.05).any(axis=1).sum()), 10_000)
