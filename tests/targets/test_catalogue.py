"""Losses and ranks over a catalogue against what is computed with all logits at hand."""

from functools import cache, partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lab.models.head import Factors
from lab.targets.next_item import catalogue_loss, catalogue_rank
from lab.targets.next_item.catalogue_loss import Negatives, draw_by_share, gbce, sampled_softmax, softmax_loss
from lab.targets.next_item.catalogue_rank import rank_labels
from lab.targets.next_item.metrics import place_labels
from tests.quick import quick

N, C, D = 23, 11, 4


def draw_factors(seed: int = 0, labels: int = N) -> tuple[Factors, Any, Any]:
    """Factors of random logits, labels, and weights of which some are 0."""
    rng = np.random.default_rng(seed)
    hidden, kernel, bias = (rng.normal(size=shape).astype(np.float32) for shape in ((labels, D), (C, D), (C,)))
    prior = np.log(rng.dirichlet(np.ones(C))).astype(np.float32)
    weight = (rng.random(labels) < 0.8).astype(np.float32)
    return Factors(*map(jnp.asarray, (hidden, kernel, bias, prior))), rng.integers(0, C, labels), weight


def dense(hidden: Any, kernel: Any, bias: Any, id: np.ndarray, weight: np.ndarray, smoothing: float) -> Any:
    log_p = jax.nn.log_softmax(hidden @ kernel.T + bias[None])
    wanted = (1 - smoothing) * jax.nn.one_hot(id, C) + smoothing / C
    return -(weight[:, None] * wanted * log_p).sum()


@pytest.mark.usefixtures("broadcasting")
@pytest.mark.parametrize("smoothing", [0.0, 0.2])
@pytest.mark.parametrize("at_once", [3, 1000])
def test_softmax_in_blocks_is_softmax_and_so_is_its_gradient(
    smoothing: float, at_once: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(catalogue_loss, "LOGITS_AT_ONCE", at_once * C)
    monkeypatch.setattr(catalogue_loss, "ROWS_AT_LEAST", 1)
    factors, id, weight = draw_factors()
    smooth = jnp.float32(smoothing)
    own = quick(jax.value_and_grad(lambda h, k, b: softmax_loss(h, k, b, id, weight, smooth) * 3, (0, 1, 2)))
    theirs = quick(jax.value_and_grad(lambda h, k, b: dense(h, k, b, id, weight, smoothing) * 3, (0, 1, 2)))
    for ours, wanted in zip(jax.tree.leaves(own(*factors[:3])), jax.tree.leaves(theirs(*factors[:3])), strict=True):
        np.testing.assert_allclose(ours, wanted, rtol=2e-5, atol=2e-5)
    alone = quick(softmax_loss)(*factors[:3], id, weight, smooth)
    np.testing.assert_allclose(alone, dense(*factors[:3], id, weight, smoothing), rtol=1e-5)


@pytest.mark.usefixtures("broadcasting")
@pytest.mark.parametrize("loss", ["softmax", "sampled", "gbce"])
def test_no_loss_has_all_its_scores_in_memory_at_once(loss: str) -> None:
    """Of 8,000 labels against 30,000 candidates, or 5,000 negatives each, which come to 960 and 160 MB."""
    labels, candidates, negatives = 8_000, 30_000, Negatives(5_000, False, True)
    whole = 4 * labels * (candidates if loss == "softmax" else negatives.count)

    def value(factors: Factors, id: Any, weight: Any, key: Any) -> Any:
        if loss == "softmax":
            return softmax_loss(*factors[:3], id, weight, jnp.float32(0))
        if loss == "sampled":
            return sampled_softmax(factors, id, weight, negatives, key)
        return gbce(factors, id, weight, negatives, 0.75, key)

    sizes = (labels, D), (candidates, D), (candidates,), (candidates,)
    shapes = jax.eval_shape(lambda: Factors(*map(jnp.zeros, sizes)))
    id, weight = (jax.ShapeDtypeStruct((labels,), dtype) for dtype in (jnp.int32, jnp.float32))
    compiled = quick(jax.grad(value)).lower(shapes, id, weight, jax.eval_shape(lambda: jax.random.key(0))).compile()
    used = compiled.memory_analysis()
    assert used is not None and used.temp_size_in_bytes < whole / 4


@pytest.mark.usefixtures("broadcasting")
@pytest.mark.parametrize("shared", [True, False])
@pytest.mark.parametrize("by_popularity", [True, False])
def test_sampled_softmax_estimates_the_sum_over_all_others(shared: bool, by_popularity: bool) -> None:
    factors, id, weight = draw_factors()
    wanted = dense(*factors[:3], id, weight, 0.0)

    def estimated(count: int) -> Any:
        negatives = Negatives(count, shared, by_popularity)
        return quick(lambda key: sampled_softmax(factors, id, weight, negatives, key))(jax.random.key(0))

    np.testing.assert_allclose(estimated(20_000), wanted, rtol=0.02)
    # Without the correction for how they are drawn it is another number by far.
    few = estimated(2)
    assert abs(float(few - wanted)) > 0.02 * float(wanted)


@pytest.mark.usefixtures("broadcasting")
def test_negatives_of_one_block_are_those_of_many(monkeypatch: pytest.MonkeyPatch) -> None:
    """Blocks bound memory: each label is still held against as many of its own, whose mean loss is the same."""
    factors, id, weight = draw_factors(labels=400)
    found = []
    for at_once in (1 << 21, 64 * D * 10):
        monkeypatch.setattr(catalogue_loss, "LOGITS_AT_ONCE", at_once)
        loss = quick(lambda key: sampled_softmax(factors, id, weight, Negatives(64, False, False), key))
        found.append(float(loss(jax.random.key(1))))
    np.testing.assert_allclose(found[0], found[1], rtol=0.02)


@pytest.mark.usefixtures("broadcasting")
@pytest.mark.parametrize("calibration", [0.0, 0.75, 1.0])
def test_gbce_is_its_formula(calibration: float, monkeypatch: pytest.MonkeyPatch) -> None:
    factors, id, weight = draw_factors()
    against = np.array([1, 4, 4, 7])
    monkeypatch.setattr(catalogue_loss, "_draw", lambda *_: jnp.asarray(against))
    loss = quick(lambda key: gbce(factors, id, weight, Negatives(4, True, False), calibration, key))
    found = loss(jax.random.key(0))
    logits = np.asarray(factors.hidden @ factors.kernel.T + factors.bias[None], np.float64)
    p = 1 / (1 + np.exp(-logits))
    share = 4 / (C - 1)
    power = share * (calibration * (1 - 1 / share) + 1 / share)
    others = np.where(against[None] == id[:, None], 0.0, np.log(1 - p[:, against])).sum(1)
    wanted = -(weight * (power * np.log(p[np.arange(N), id]) + others)).sum() / 5
    np.testing.assert_allclose(found, wanted, rtol=1e-4)


@pytest.mark.usefixtures("broadcasting")
def test_without_calibration_it_is_plain_binary_cross_entropy() -> None:
    factors, id, _ = draw_factors(labels=1)
    key, weight = jax.random.key(0), jnp.ones(1)
    found = quick(lambda key: gbce(factors, jnp.asarray(id), weight, Negatives(64, True, False), 0.0, key))(key)
    logits = np.asarray(factors.hidden @ factors.kernel.T + factors.bias[None], np.float64)[0]
    against = np.asarray(jax.random.randint(key, (64,), 0, C))
    told = np.append(logits[id], logits[against[against != id]])
    target = np.arange(len(told)) == 0
    wanted = np.logaddexp(0, np.where(target, -told, told)).sum() / 65
    np.testing.assert_allclose(found, wanted, rtol=1e-5)


@pytest.mark.usefixtures("broadcasting")
def test_full_calibration_makes_sigmoids_the_probabilities() -> None:
    """With t = 1 the loss is least where a candidate's sigmoid is the chance that it is the label (arXiv 2308.07192).

    Of C that are all as likely, by symmetry one logit x for all: a softplus(-x) + K (C - 1) / C softplus(x), since a
    drawn one is the label itself once in C; with a = K / (C - 1) it is least at odds of C / (C - 1)^2, about 1 in C.
    """
    negatives, label = Negatives(2000, False, False), jnp.arange(C)

    def loss(x: Any) -> Any:
        factors = Factors(jnp.zeros((C, D)), jnp.zeros((C, D)), jnp.full(C, x), jnp.zeros(C))
        return gbce(factors, label, jnp.ones(C), negatives, 1.0, jax.random.key(0))

    slope, low, high = quick(jax.grad(loss)), -8.0, 4.0
    for _ in range(25):
        middle = (low + high) / 2
        low, high = (middle, high) if slope(middle) < 0 else (low, middle)
    assert np.exp(low) == pytest.approx(C / (C - 1) ** 2, rel=0.03)


def test_rare_ones_of_a_large_catalogue_are_drawn_as_often_as_their_share_says() -> None:
    count = 300_000
    weight = 1 / np.arange(1, count + 1)
    share = weight / weight.sum()
    found = np.asarray(draw_by_share(jnp.asarray(share, jnp.float32), (4_000_000,), jax.random.key(0)))
    assert found.min() >= 0 and found.max() < count
    drawn_, wanted = np.bincount(found // 30_000, minlength=10) / len(found), share.reshape(10, -1).sum(1)
    np.testing.assert_allclose(drawn_, wanted, rtol=0.02)
    rare = np.bincount(found, minlength=count)[200_000:] / len(found)
    # Poisson: as many of them never drawn as there should be.
    assert (rare == 0).mean() == pytest.approx(np.exp(-share[200_000:] * len(found)).mean(), rel=0.02)


@pytest.mark.parametrize("count", [1, 1024, 1025, 3000])
def test_every_size_is_drawn_from_whole(count: int) -> None:
    share = np.full(count, 1 / count, np.float32)
    found = np.bincount(
        np.asarray(draw_by_share(jnp.asarray(share), (200 * count,), jax.random.key(1))), minlength=count
    )
    assert len(found) == count and found.min() > 100 and found.max() < 320


@cache
def compiled_ranks(queries: int, candidates: int) -> Any:
    """`rank_labels` for a depth of 3, with so many queries and candidates at once."""

    def run(hidden: Any, kernel: Any, bias: Any, label: Any, taken: Any) -> Any:
        with pytest.MonkeyPatch.context() as patch:  # while it is traced
            patch.setattr(catalogue_rank, "QUERIES_AT_ONCE", queries)
            patch.setattr(catalogue_rank, "CANDIDATES_AT_ONCE", candidates)
            return rank_labels(hidden, kernel, bias, label, taken, 3)

    return quick(run)


@pytest.mark.usefixtures("broadcasting")
@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 1000), leave_out=st.booleans())
@pytest.mark.parametrize(("queries", "candidates"), [(512, 8192), (5, 4)])
def test_ranks_are_those_of_all_scores_with_ties_against_the_label(
    queries: int, candidates: int, seed: int, leave_out: bool
) -> None:
    rng = np.random.default_rng(seed)
    factors, label, _ = draw_factors(seed)
    # Small whole numbers: many scores are equal, and exactly so.
    hidden, kernel = (np.round(np.asarray(part)) for part in factors[:2])
    label = np.where(rng.random(N) < 0.2, -1, label)
    taken = rng.integers(0, C + 1, (N, 5))
    rank, first, log_p = compiled_ranks(queries, candidates)(
        jnp.asarray(hidden),
        jnp.asarray(kernel),
        jnp.zeros(C),
        jnp.asarray(label, jnp.int32),
        jnp.asarray(taken, jnp.int32) if leave_out else None,
    )
    scores, known = (hidden @ kernel.T).astype(np.float32), label >= 0
    out = np.zeros((N, C + 1), bool)
    out[np.arange(N)[:, None], taken] = leave_out
    wanted = place_labels(scores[known], label[known], out[known, :C] if leave_out else None, 3)
    np.testing.assert_array_equal(rank[known], wanted[0])
    assert (rank[~known] == -1).all()
    some = np.flatnonzero(known)
    for q, row in zip(some, wanted[1], strict=True):
        np.testing.assert_array_equal(first[q], row)
    left = np.where(out[:, :C] & (np.arange(C) != label[:, None]), -np.inf, scores)
    share = left[some, label[some]] - np.log(np.exp(left[some]).sum(1))
    np.testing.assert_allclose(log_p[known], share, rtol=1e-4, atol=1e-4)


@pytest.mark.usefixtures("broadcasting")
def test_where_fewer_are_left_than_are_asked_for_no_others_are_named() -> None:
    hidden, kernel, label = jnp.ones((1, D)), jnp.asarray(np.arange(C)[:, None] * np.ones((1, D))), jnp.asarray([2])
    taken = jnp.asarray([[c for c in range(C) if c not in (2, 5)]])
    _, first, log_p = quick(partial(rank_labels, depth=4))(hidden, kernel, jnp.zeros(C), label, taken)
    assert first.tolist() == [[5, 2, -1, -1]] and np.isfinite(log_p).all()


@pytest.mark.usefixtures("broadcasting")
def test_scores_that_are_no_numbers_are_no_success() -> None:
    label = jnp.asarray([1, 2])
    hidden = jnp.full((2, D), jnp.nan)
    rank, _, log_p = quick(partial(rank_labels, depth=3))(hidden, jnp.ones((C, D)), jnp.zeros(C), label, None)
    assert (rank == C - 1).all() and np.isnan(log_p).all()
