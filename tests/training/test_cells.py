"""A cell's result is its own: nothing beside it changes a bit on a CPU."""

from typing import Any

import jax
import numpy as np
import pytest

from tests.training.small import Bench, same


def test_a_cell_in_a_crowd_is_the_cell_alone(alone: Bench, crowd: Bench) -> None:
    mine = alone.arrays()
    (lonely,) = alone.train(mine)
    others = crowd.arrays(seed=1, features="full"), crowd.arrays(seed=1, days=14)
    for place in range(3):
        chunk = [*others[:place], mine, *others[place:]]
        assert same(crowd.train(*chunk)[place], lonely)


def test_a_chunk_that_is_not_full_changes_nothing(alone: Bench, crowd: Bench) -> None:
    mine, other = alone.arrays(features="full", days=14), alone.arrays(seed=1)
    (lonely,), pair = alone.train(mine), crowd.train(other, mine)
    assert len(pair) == 2 and same(pair[1], lonely)


def test_cells_differ_by_seed_features_and_horizon(crowd: Bench) -> None:
    losses = {crowd.train(crowd.arrays(**part))[0].curve[0].loss for part in PARTS}
    assert len(losses) == len(PARTS)


PARTS: tuple[dict[str, Any], ...] = ({}, {"seed": 1}, {"features": "full"}, {"days": 14})


def test_groups_that_a_cell_does_not_use_change_no_bit(alone: Bench, ids_only: Bench) -> None:
    (small,), (large,) = (
        ids_only.train(ids_only.arrays(learning_rate=0.1)),
        alone.train(alone.arrays(learning_rate=0.1)),
    )
    assert repr(small.curve) == repr(large.curve)
    assert max(look.gradient_norm for look in small.curve) > alone.experiment.training.clip, "nothing was clipped"
    a, b = (bench.assembly.program.learner.flat.unravel(t.params) for bench, t in ((ids_only, small), (alone, large)))
    assert set(a) < set(b)
    jax.tree.map(np.testing.assert_array_equal, a, {part: b[part] for part in a})


def test_a_cell_that_diverges_ends_alone(alone: Bench, crowd: Bench) -> None:
    calm, wild = crowd.arrays(), crowd.arrays(seed=1, learning_rate=1e30)
    between = crowd.train(calm, wild, crowd.arrays(features="full"))
    assert same(between[0], alone.train(calm)[0])
    assert same(between[2], alone.train(crowd.arrays(features="full"))[0])
    lost = between[1]
    assert 0 < lost.diverged_at < 10 and lost.steps == lost.diverged_at
    assert lost.last_finite is not None and lost.last_finite.step == lost.diverged_at - 1
    assert np.isfinite([lost.last_finite.loss, lost.last_finite.gradient_norm]).all()
    assert np.isnan(lost.curve[-1].valid_loss)


@pytest.mark.parametrize("days", [7, 14])
def test_looks_fall_where_they_were_asked_for(crowd: Bench, days: float) -> None:
    (trained,) = crowd.train(crowd.arrays(days=days))
    assert [look.step for look in trained.curve] == [4, 8, 10]
    assert trained.steps == 10 and trained.diverged_at == -1
    assert trained.best_loss == min(look.valid_loss for look in trained.curve)
