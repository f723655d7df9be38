"""Users drawn with replacement, for intervals of metrics that only whole cells have."""

import numpy as np
import pytest

import lab.evaluation.resampling
from lab.evaluation.resampling import user_draws

USER = np.array([7, 3, 7, 7, 9, 3, 20])


def test_a_user_is_drawn_with_all_queries_as_often_as_there_are_users() -> None:
    drawn = np.concatenate(list(user_draws(USER, draws=500)))
    assert drawn.shape == (500, len(USER))
    people, first = np.unique(USER, return_index=True)
    for user in people:
        own = drawn[:, user == USER]
        assert (own == own[:, :1]).all()
    assert (drawn[:, first].sum(axis=1) == len(people)).all()
    assert drawn.mean(axis=0) == pytest.approx(1, abs=0.15) and drawn.max() > 2


def test_draws_are_those_of_the_users_whatever_their_queries_and_the_block(monkeypatch: pytest.MonkeyPatch) -> None:
    drawn = np.concatenate(list(user_draws(USER, draws=40)))
    once = np.concatenate(list(user_draws(np.unique(USER), draws=40)))
    np.testing.assert_array_equal(drawn, once[:, np.searchsorted(np.unique(USER), USER)])
    monkeypatch.setattr(lab.evaluation.resampling, "WEIGHTS_AT_ONCE", 3 * len(USER))
    blocks = list(user_draws(USER, draws=40))
    assert [len(block) for block in blocks] == [3] * 13 + [1]
    np.testing.assert_array_equal(np.concatenate(blocks), drawn)
