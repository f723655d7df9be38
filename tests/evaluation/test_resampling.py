"""Users resampled for metrics of whole cells."""

import numpy as np
import pytest

import lab.evaluation.resampling
from lab.evaluation.numbers import roc_auc
from lab.evaluation.resampling import DRAWS, FEWEST_DRAWS, WEIGHTS, WEIGHTS_AT_ONCE, draws_of, user_draws


def test_fewer_users_are_drawn_more_often() -> None:
    counts = [draws_of(users) for users in (1, 50, 1_400, 5_000, 14_000, 10**7)]
    assert counts == [DRAWS, DRAWS, DRAWS, WEIGHTS // 5_000, FEWEST_DRAWS, FEWEST_DRAWS]


@pytest.mark.parametrize("users", [1, 40, 2_800])
def test_each_draw_is_of_as_many_users_and_blocks_are_bounded(users: int) -> None:
    user = np.repeat(np.arange(users), 3) * 7
    blocks = list(user_draws(user))
    assert sum(map(len, blocks)) == draws_of(users)
    assert all(block.size <= WEIGHTS_AT_ONCE and (block.sum(axis=1) == 3 * users).all() for block in blocks)
    assert all((block[:, ::3] == block[:, 1::3]).all() for block in blocks)  # a user's queries together


def test_the_end_of_an_auc_moves_with_the_draw_by_as_much_as_tables_say() -> None:
    rng = np.random.default_rng(0)
    users, half = np.arange(60), []
    yes = (rng.random((60, 1)) < 0.4).astype(float)
    predicted = yes + rng.normal(0, 1, (60, 1))
    for names in range(12):  # draws go by the users' order: other names of them are other draws
        order = np.random.default_rng(names).permutation(60)
        drawn = np.concatenate([roc_auc(yes[order], predicted[order], weight) for weight in user_draws(users)])
        half.append(np.diff(np.nanquantile(drawn, [0.025, 0.975]))[0] / 2)
    assert 0.003 < np.std(half) / np.mean(half) < 0.02  # 1.4 % of an end; the half width is of two


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
