"""Ranks over logs: the example of the paper, and errors as rare as they say."""

import numpy as np
import pytest
from scipy import stats

from benchmarks.shared.truths import at_most
from lab.statistics.ranks import FEWEST_LOGS, critical_difference, rank, wilcoxon_holm

DEMSAR = np.array(
    [
        [0.763, 0.599, 0.954, 0.628, 0.882, 0.936, 0.661, 0.583, 0.775, 1.000, 0.940, 0.619, 0.972, 0.957],
        [0.768, 0.591, 0.971, 0.661, 0.888, 0.931, 0.668, 0.583, 0.838, 1.000, 0.962, 0.666, 0.981, 0.978],
        [0.771, 0.590, 0.968, 0.654, 0.886, 0.916, 0.609, 0.563, 0.866, 1.000, 0.965, 0.614, 0.9751, 0.946],
        [0.798, 0.569, 0.967, 0.657, 0.898, 0.931, 0.685, 0.625, 0.875, 1.000, 0.962, 0.669, 0.975, 0.970],
    ]
).T
"""Accuracy of four decision trees on 14 data sets (Demšar 2006, table 6)."""


def test_the_papers_example() -> None:
    found = rank(DEMSAR)
    assert found is not None
    assert found.mean == pytest.approx([3.143, 2.000, 2.893, 1.964], abs=5e-4)
    assert found.critical == pytest.approx(1.25, abs=5e-3)
    assert found.friedman_p == pytest.approx(stats.friedmanchisquare(*DEMSAR.T).pvalue) and found.friedman_p < 0.05
    # By Nemenyi's test at 5 % the paper finds no pair apart: 3.143 - 1.964 is below 1.25.
    assert not found.apart.any() and found.nemenyi_p[0, 3] == pytest.approx(0.0746, abs=0.01)


def test_lines_told_apart_are_those_whose_ranks_are_a_critical_difference_apart() -> None:
    values = np.arange(6.0) + np.random.default_rng(0).normal(0, 0.7, (8, 6))
    found = rank(values)
    assert found is not None and found.apart.any() and not found.apart.all()
    assert (found.apart == (np.abs(found.mean[:, None] - found.mean) >= found.critical)).all()


@pytest.mark.parametrize(("logs", "lines"), [(FEWEST_LOGS, 5), (12, 3)])
def test_lines_that_rank_alike_are_told_apart_at_most_five_percent_of_the_time(logs: int, lines: int) -> None:
    ranks = stats.rankdata(np.random.default_rng(1).normal(0, 1, (20_000, logs, lines)), axis=2).mean(axis=1)
    assert at_most(int((np.ptp(ranks, axis=1) >= critical_difference(logs, lines)).sum()), 20_000)


def test_too_few_logs_or_lines_are_not_ranked() -> None:
    values = np.random.default_rng(2).random((FEWEST_LOGS, 3))
    assert rank(values) is not None and rank(values[1:]) is None and rank(values[:, 1:]) is None


def test_lines_that_tie_everywhere_are_alike() -> None:
    found = rank(np.ones((6, 3)))
    assert found is not None and found.friedman_p == 1 and not found.apart.any()


def test_pairs_alone_agree_with_scikit_posthocs() -> None:
    from scikit_posthocs import posthoc_wilcoxon

    values = np.arange(4.0) / 2 + np.random.default_rng(3).normal(0, 0.7, (9, 4))
    known = posthoc_wilcoxon(list(values.T), p_adjust="holm").to_numpy()
    found = wilcoxon_holm(values)
    assert found == pytest.approx(known) and (found < 0.05).any()
    assert wilcoxon_holm(np.ones((6, 3))).tolist() == np.ones((3, 3)).tolist()
