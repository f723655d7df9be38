"""Users resampled for metrics of whole cells."""

import numpy as np
import pytest

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
