"""One update, on batches whose answer is known."""

from dataclasses import replace
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.special import log_softmax

from lab.data.rows.batch import Rows
from lab.data.timeline import DAY
from lab.running.assembly import build_network, cell_arrays
from lab.targets import Interest
from lab.training.state import TrainState, stream
from lab.training.step import Learner
from tests.quick import quick
from tests.training.small import Bench


@pytest.fixture(scope="module")
def learner(alone: Bench) -> Learner:
    return alone.assembly.program.learner


@pytest.fixture(scope="module")
def rows(alone: Bench) -> Rows:
    """The first eight rows of the training split."""
    return jax.tree.map(lambda leaf: leaf[:8], alone.data.splits["train"].rows)


@pytest.fixture(scope="module")
def params(alone: Bench, learner: Learner, rows: Rows) -> Any:
    return quick(learner.init)(alone.arrays(features="full"), rows, _tables(alone)).params


def _tables(bench: Bench) -> Any:
    return bench.data.splits["train"].tables


def _uniform(learner: Learner, bias: np.ndarray) -> Any:
    """Parameters under which every query's logits are the head's bias."""
    shapes = jax.tree.unflatten(learner.flat.tree, [np.zeros(shape, np.float32) for shape in learner.flat.shapes])
    return learner.flat.ravel(shapes | {"bias": jnp.asarray(bias)})


def _labels(rows: Rows, horizon: int) -> tuple[np.ndarray, np.ndarray]:
    """Which candidates the labels name, and with what weight."""
    real = rows.label.weight[:, horizon] > 0
    return rows.label.id[:, horizon][real], rows.label.weight[:, horizon][real]


@pytest.mark.parametrize("days", [7, 14])
def test_the_loss_of_a_network_that_knows_only_shares(alone: Bench, learner: Learner, rows: Rows, days: int) -> None:
    candidates = alone.data.view.candidates
    bias = np.linspace(-1, 1, candidates).astype(np.float32)
    losses = quick(partial(learner.losses, key=None))
    loss, count = losses(_uniform(learner, bias), alone.arrays(days=days), rows, _tables(alone))
    ids, weights = _labels(rows, (7, 14).index(days))
    np.testing.assert_allclose(loss, -(weights * log_softmax(bias)[ids]).sum(), rtol=1e-5)
    np.testing.assert_allclose(count, weights.sum(), rtol=1e-6)
    assert count == round(float(count))


def test_smoothing_moves_its_share_to_all_candidates_in_training_alone(
    alone: Bench, learner: Learner, rows: Rows
) -> None:
    bias = np.linspace(-1, 1, alone.data.view.candidates).astype(np.float32)
    cell = alone.arrays(label_smoothing=0.2, dropout=0.0)
    ids, weights = _labels(rows, 0)
    of_labels = -(weights * log_softmax(bias)[ids]).sum()
    of_all = -weights.sum() * log_softmax(bias).mean()
    batch = _uniform(learner, bias), cell, rows, _tables(alone)
    losses = quick(learner.losses), quick(partial(learner.losses, key=None))
    np.testing.assert_allclose(losses[0](*batch, jax.random.key(0))[0], 0.8 * of_labels + 0.2 * of_all, rtol=1e-5)
    np.testing.assert_allclose(losses[1](*batch)[0], of_labels, rtol=1e-5)


def _gradient(learner: Learner, bench: Bench, params: Any, rows: Rows, dropout: float) -> tuple[Any, Any]:
    cell = bench.arrays(features="full", dropout=dropout)
    return quick(learner.gradient)(params, cell, rows, _tables(bench), jnp.asarray(3))


def test_accumulated_gradients_are_those_of_the_whole_batch(
    alone: Bench, learner: Learner, params: Any, rows: Rows
) -> None:
    pieces = replace(learner, training=replace(learner.training, batch=8, accumulate=4))
    whole, parts = (_gradient(one, alone, params, rows, dropout=0.0) for one in (learner, pieces))
    np.testing.assert_allclose(parts[0], whole[0], rtol=1e-6)
    np.testing.assert_allclose(parts[1], whole[1], rtol=1e-6, atol=1e-6)
    assert np.abs(whole[1]).max() > 1e-2


@pytest.mark.parametrize("pull", [{"prior": 1e-3}, {"weight_decay": 0.1}], ids=["prior", "decay"])
def test_a_prior_or_decay_draws_matrices_to_nothing_and_leaves_the_rest(
    alone: Bench, learner: Learner, params: Any, rows: Rows, pull: dict[str, float]
) -> None:
    # Nothing is labelled, so that the prior or the decay alone speaks.
    silent = rows._replace(label=rows.label._replace(weight=jnp.zeros_like(rows.label.weight)))
    state = quick(learner.init)(alone.arrays(), rows, _tables(alone))._replace(params=params)
    moved, update = [], quick(learner.update)
    for pulled in ({}, pull):
        cell = alone.arrays(
            features="full", prior=pulled.get("prior", 0.0), weight_decay=pulled.get("weight_decay", 0.0)
        )
        moved.append(np.asarray(update(state, cell, silent, _tables(alone))[0].params) - params)
    assert not moved[0].any()
    drawn = (learner.flat.decayed > 0) & (np.abs(params) > 1e-2)
    assert drawn.any() and (np.sign(moved[1][drawn]) == -np.sign(params[drawn])).all()
    assert not moved[1][learner.flat.decayed == 0].any()


def test_a_loss_that_is_not_finite_moves_nothing(alone: Bench, learner: Learner, params: Any, rows: Rows) -> None:
    cell, update = alone.arrays(features="full"), quick(learner.update)
    state = quick(learner.init)(cell, rows, _tables(alone))._replace(params=jnp.where(params > 0, jnp.inf, params))
    after, metrics = update(state, cell, rows, _tables(alone))
    assert not np.isfinite(metrics.loss) and after.stopped and after.diverged_at == after.step == 0
    for new, old in zip(
        jax.tree.leaves((after.params, after.optimiser)), jax.tree.leaves((state.params, state.optimiser)), strict=True
    ):
        np.testing.assert_array_equal(new, old)


@pytest.mark.parametrize(("days", "every", "overlap"), [(7, 7, 1), (14, 7, 2), (7, 14, 1)])
def test_a_prior_weighs_less_the_more_windows_there_are(alone: Bench, days: int, every: int, overlap: int) -> None:
    fold = replace(alone.data.view.fold, query_every=every * DAY)
    data = replace(alone.data, view=replace(alone.data.view, fold=fold))
    answered = [labels.answered.sum() for labels in data.splits["train"].labels]
    cell = next(c for c in alone.cells if c.horizon == days)
    wanted = alone.experiment.training.prior_precision * overlap / answered[(7, 14).index(days)]
    np.testing.assert_allclose(cell_arrays(cell, data).prior, wanted, rtol=1e-6)


def test_each_part_and_seed_has_a_stream_of_its_own() -> None:
    keys = [stream(jnp.uint32(seed), part) for seed in (0, 1) for part in ("init", "dropout", "tiny")]
    drawn = {tuple(np.asarray(jax.random.bits(key, (4,))).tolist()) for key in keys}
    assert len(drawn) == len(keys)
    again = stream(jnp.uint32(1), "init")
    assert (jax.random.key_data(again) == jax.random.key_data(keys[3])).all()


def test_parameters_and_dropout_are_drawn_from_streams_of_their_names(
    alone: Bench, learner: Learner, rows: Rows, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is drawn for one part moves with its own name alone."""
    asked: list[str] = []

    def listening(seed: Any, part: str) -> Any:
        asked.append(part)
        return stream(seed, part)

    monkeypatch.setattr("lab.training.step.stream", listening)
    cell, tables = alone.arrays(features="full", dropout=0.5), _tables(alone)
    # Functions of this test's own: one that was traced before is not traced again.
    state = jax.eval_shape(lambda: learner.init(cell, rows, tables))
    assert asked == ["init"]
    jax.eval_shape(lambda params: learner.gradient(params, cell, rows, tables, jnp.asarray(0)), state.params)
    assert asked == ["init", "dropout"]


def test_dropout_falls_otherwise_at_each_step_and_cell(alone: Bench, learner: Learner, params: Any, rows: Rows) -> None:
    gradient = quick(learner.gradient)

    def ask(step: int, seed: int = 0) -> float:
        cell = alone.arrays(seed=seed, dropout=0.5)
        return float(gradient(params, cell, rows, _tables(alone), jnp.asarray(step))[0])

    assert len({ask(0), ask(1), ask(0, seed=1)}) == 3
    assert ask(1) == ask(1)


def test_bfloat16_stays_near_float32(alone: Bench, learner: Learner, params: Any, rows: Rows) -> None:
    network = build_network(alone.experiment.models[0], alone.data, jnp.dtype("bfloat16"), Interest())
    half = replace(learner, network=network)
    (loss, gradient), (near, rough) = (_gradient(one, alone, params, rows, dropout=0.0) for one in (learner, half))
    np.testing.assert_allclose(near, loss, rtol=0.01)
    assert rough.dtype == np.float32 and not np.array_equal(gradient, rough)
    cosine = (gradient @ rough) / (jnp.linalg.norm(gradient) * jnp.linalg.norm(rough))
    assert cosine > 0.99


def _state(params: Any, **values: float) -> TrainState:
    zero = jnp.zeros((), jnp.int32)
    start = TrainState(params, None, zero, params, jnp.asarray(jnp.inf), zero, zero, jnp.asarray(False), zero - 1)
    return start._replace(**{name: jnp.asarray(value) for name, value in values.items()})


def test_patience_counts_looks_without_a_better_loss(learner: Learner) -> None:
    patient = replace(learner, training=replace(learner.training, patience=2))
    state, told = _state(jnp.zeros(2)), []
    for step, loss in enumerate([3.0, 2.0, 2.5, 1.0, 1.0, 1.5]):
        state = state._replace(params=jnp.full(2, float(step)), step=jnp.asarray(step))
        state = patient.judge(state, jnp.asarray(loss))
        told.append(bool(state.stopped))
    assert told == [False] * 5 + [True]
    assert state.best_loss == 1.0 and state.best_step == 3 and state.best_params.tolist() == [3, 3]
    assert state.diverged_at == -1


def test_patience_of_nothing_never_stops(learner: Learner) -> None:
    state = _state(jnp.zeros(2))
    for loss in range(50):
        state = learner.judge(state, jnp.asarray(float(loss)))
    assert not state.stopped and state.best_loss == 0


def test_a_valid_loss_that_is_not_finite_ends_the_cell(learner: Learner) -> None:
    state = learner.judge(_state(jnp.ones(2), best_loss=2.0, step=7), jnp.asarray(jnp.nan))
    assert state.stopped and state.diverged_at == 7 and state.best_loss == 2
