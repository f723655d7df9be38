"""What runs say together: known answers, and an interval that covers a known truth."""

import numpy as np
import pytest
from scipy.stats import trim_mean

from benchmarks.shared.truths import MIDDLE, lies_within, runs
from lab.statistics.across_runs import improvement, interquartile_mean, over_runs


def test_improvement_by_hand() -> None:
    a, b = np.array([[1.0, 5.0], [3.0, 5.0]]), np.array([[2.0, 5.0]])
    assert improvement(a, b) == 0.5  # one of two runs on the first task, a tie on the second


def test_the_interquartile_mean_trims_a_quarter_at_both_ends() -> None:
    values = np.random.default_rng(0).gamma(1, 1, (4, 5))
    assert interquartile_mean(list(values)) == pytest.approx(trim_mean(values.ravel(), 0.25))
    # Of 1, 2, 6 a quartile cuts the first and the last: a quarter of each third counts, and all of the middle one.
    assert interquartile_mean([np.array([1.0, 2.0, 6.0])]) == pytest.approx((1 / 12 + 2 / 3 + 6 / 12) / 0.5)


def test_a_task_weighs_the_same_however_often_it_was_run() -> None:
    once = [np.array([0.1]), np.array([0.4]), np.array([0.8])]
    assert interquartile_mean([once[0], np.repeat(once[1], 7), once[2]]) == pytest.approx(interquartile_mean(once))


def test_coverage_over_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is not the number of draws that covers; with fewer there is time for many repetitions."""
    monkeypatch.setattr("lab.statistics.across_runs.RESAMPLES", 1_000)
    rng = np.random.default_rng(1)
    found = [over_runs(list(runs(rng, 5)), rng) for _ in range(1_500)]
    assert lies_within(sum(i is not None and i.low <= MIDDLE <= i.high for i in found), 1_500, 0.925, 0.975)


def test_ends_hardly_move_with_the_draw() -> None:
    """With 1,000 draws they moved by 3 times as much; a table has three digits."""
    tasks = list(runs(np.random.default_rng(2), 5))
    found = [over_runs(tasks, np.random.default_rng(k)) for k in range(12)]
    ends = np.array([(one.low, one.high) for one in found if one])
    assert len(ends) == 12 and 0 < ends.std(axis=0).max() < 0.03 * np.diff(ends).mean() / 2


def test_too_few_runs_or_tasks_have_no_interval() -> None:
    rng = np.random.default_rng(0)
    assert over_runs(list(runs(rng, 4)), rng) is None
    assert over_runs([rng.random(20)], rng) is None
