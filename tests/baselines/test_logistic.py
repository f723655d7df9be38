"""The logistic regression: fitted to its optimum, with the penalty that serves valid."""

import numpy as np
import pytest

from lab.baselines import Logistic
from lab.baselines.logistic import _fits
from lab.data.timeline import microseconds
from tests.baselines.test_baselines import CATEGORIES, HORIZON, USERS, VALID, fit, labelled_queries, view_of

Pairs = tuple[np.ndarray, np.ndarray, np.ndarray]


def rare_labels(copies: int = 1) -> Pairs:
    """Features, labels and weights of pairs of which few are labels and most stand for fifty others."""
    rng = np.random.default_rng(0)
    features = np.repeat(rng.normal(3, [1, 2, 5], (20_000, 3)), copies, axis=1)
    chance = 1 / (1 + np.exp(-(features[:, 0] - features[:, -1] / 5 - 8)))
    is_label = rng.random(len(features)) < chance
    return features.astype(np.float32), is_label, np.where(is_label, 1.0, 50.0)


@pytest.mark.parametrize("penalty", [0.1, 1000.0])
def test_a_fit_ends_at_the_optimum_where_labels_are_rare(penalty: float) -> None:
    """There the gradient of all pairs and the penalty's cancel: what a tolerance for the mean loss leaves open."""
    features, is_label, weight = rare_labels()
    found = _fits(features, is_label, weight)(penalty)
    scale = features.std(axis=0, dtype=np.float64)
    off = weight * (1 / (1 + np.exp(-(features @ found[:-1] + found[-1]))) - is_label)
    standard = (features - features.mean(axis=0, dtype=np.float64)) / scale
    assert abs(off.sum()) < 1e-3 * is_label.sum()
    assert off @ standard + penalty * found[:-1] * scale == pytest.approx(np.zeros(3), abs=1e-3 * is_label.sum())


def test_where_the_fits_before_ended_moves_no_ranking() -> None:
    features, is_label, weight = rare_labels()
    fitted, alone = _fits(features, is_label, weight), _fits(features, is_label, weight)
    for penalty in (0.1, 1000.0, 1.0):
        last = fitted(penalty)
    assert last == pytest.approx(alone(1.0), rel=1e-4)


def test_the_strongest_penalty_leaves_the_share_of_labels() -> None:
    features, is_label, weight = rare_labels()
    found = _fits(features, is_label, weight)(np.inf)
    assert not found[:-1].any()
    assert 1 / (1 + np.exp(-found[-1])) == pytest.approx(is_label.sum() / weight.sum())


def test_copies_of_a_feature_share_its_weight_however_weak_the_penalty() -> None:
    one, two = (_fits(*rare_labels(copies))(1e-7) for copies in (1, 2))
    assert one[:-1] == pytest.approx(two[0:-1:2] + two[1:-1:2], rel=1e-2)


@pytest.mark.parametrize("seed", range(3))
def test_the_penalty_is_the_best_of_valid_whatever_the_grid_began_with(seed: int) -> None:
    rng = np.random.default_rng(seed)
    drawn = [(int(rng.choice(4)), "i", str(rng.choice(list(CATEGORIES))), int(rng.integers(0, 50))) for _ in range(150)]
    view = view_of([*drawn, *[(user, "i", c, 45) for user in USERS for c in "ab"]])
    valid = labelled_queries(view, [VALID])
    fitted = fit(Logistic(penalties=(1.0, 10.0)), view, valid)
    assert fitted.tuning is not None
    chosen = fitted.tuning.settings["penalty"]
    metric = valid.with_labels.metric(view)
    assert fitted.tuning.value == pytest.approx(metric(fitted.scores(view, valid.with_labels.queries)).mean())
    for penalty in (0.1, 1.0, 10.0, 100.0, 1000.0):
        other = Logistic(penalties=(penalty,)).fit(
            view, labelled_queries(view, [10, 20, 30]), valid, microseconds(HORIZON)
        )
        assert other.tuning is not None and other.tuning.settings["penalty"] == penalty
        assert other.tuning.value <= fitted.tuning.value + 1e-9, (penalty, chosen)
