"""Nothing after a cutoff reaches a prediction at it, a fitted statistic or a choice: the project's first promise.

Each test goes the whole way from a table of events to scores. The future is deleted, rewritten and
invented, whole users, items and categories included; everything up to the cutoff stays the same bit for
bit. Groups and models that peek are planted, to see that they are caught.
"""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import linen as nn
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from lab.assembly import assemble, build_network, cell_arrays, feed
from lab.baselines import Asked, default_baselines
from lab.cells import grid
from lab.data.batch import Rows, leaves
from lab.data.categories import Categories
from lab.data.dataset import Dataset, Split
from lab.data.histories import Histories
from lab.data.queries import FoldView, Labels, Queries
from lab.data.steps import Steps
from lab.data.vocabulary import Vocabulary
from lab.experiment import Experiment
from lab.features.base import FeatureGroup, Shape, State
from lab.features.category import Lookup, of_events
from lab.models import GRU, LSTM, RNN, Transformer
from lab.models.base import Model
from lab.models.network import Network
from lab.targets import Interest
from lab.training.fit import train
from lab.training.settings import Training
from tests.whole_path import GROUPS, HORIZONS, TEST, TIMELINE, VALID, fold_of, prepared, shop_events
from tests.whole_path import with_another_future as changed_after

MODELS = (RNN(width=8), LSTM(width=8), GRU(width=8), Transformer(width=8, layers=1, heads=2))
# Seeds do not shrink.
FEW = settings(max_examples=8, deadline=None, phases=[Phase.explicit, Phase.reuse, Phase.generate])
SEEDS = st.integers(0, 2**32 - 1)
RULES = {
    "given": Categories(),
    "item": Categories(rule="item"),
    "text": Categories(rule="text", clusters=4),
    "together": Categories(rule="together", clusters=3),
}


def plain(value: Any) -> Any:
    """Fitted state as something to compare: a vocabulary is its names, since codes number the whole log."""
    if isinstance(value, Vocabulary):
        return value.names.tolist()
    if isinstance(value, dict):
        return {key: plain(value[key]) for key in sorted(value)}
    return value.tolist() if isinstance(value, np.ndarray) else value


def asked_of(histories: Histories, queries: Queries) -> list[tuple[str, int]]:
    """Queries by what their users are called: row numbers shift with new users."""
    return list(zip(histories.user_names[queries.user].tolist(), queries.cutoff.tolist(), strict=True))


def answers(labels: tuple[Labels, ...]) -> list[np.ndarray]:
    return [part for own in labels for part in (own.offsets, own.ids, own.weights)]


def same(a: list[np.ndarray], b: list[np.ndarray]) -> bool:
    return len(a) == len(b) and all(
        x.dtype == y.dtype and np.array_equal(x, y, equal_nan=x.dtype.kind == "f") for x, y in zip(a, b, strict=True)
    )


def without_labels(split: Split) -> list[np.ndarray]:
    """All that predictions of the split are made from."""
    inputs = [part for name, part in zip(Rows._fields, split.rows, strict=True) if name != "label"]
    return [np.asarray(leaf) for leaf in leaves((*inputs, split.tables))] + [split.slot]


def assert_same_inputs(before: Dataset, after: Dataset, names: tuple[str, ...]) -> None:
    """What is fitted, and what every prediction of the named splits is made from."""
    assert before.view.names.tolist() == after.view.names.tolist()
    assert json.dumps(plain(dict(before.states))) == json.dumps(plain(dict(after.states)))
    for name in names:
        a, b = before.splits[name], after.splits[name]
        assert asked_of(before.view.histories, a.queries) == asked_of(after.view.histories, b.queries), name
        assert same(without_labels(a), without_labels(b)), name


def assert_same_labels(before: Dataset, after: Dataset, names: tuple[str, ...]) -> None:
    for name in names:
        a, b = before.splits[name], after.splits[name]
        assert same(answers(a.labels), answers(b.labels)), name
        assert same(leaves(a.rows.label), leaves(b.rows.label)), name
        assert [own.cold for own in a.labels] == [own.cold for own in b.labels], name


@pytest.fixture(scope="module", autouse=True)
def broadcasting() -> Iterator[None]:
    """Networks and the training loop lean on it; the encoders' own tests do not allow it."""
    with jax.numpy_rank_promotion("allow"):
        yield


@pytest.fixture(scope="module")
def caches(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    yield tmp_path_factory.mktemp("caches")


@pytest.fixture(scope="module")
def shop(caches: Path) -> Dataset:
    """One shop with all groups, which every compiled function here is for."""
    return fold_of(prepared(shop_events(0), caches))


@pytest.fixture(scope="module")
def long_rows(caches: Path) -> Dataset:
    """The same with rows that hold several histories."""
    return fold_of(prepared(shop_events(0), caches), row_length=48, overlap=16)


@pytest.mark.parametrize("rule", RULES)
@FEW
@given(seed=SEEDS, future=SEEDS)
def test_nothing_after_the_valid_cutoff_reaches_training_or_a_valid_query(
    rule: str, caches: Path, seed: int, future: int
) -> None:
    events = shop_events(seed)
    before = fold_of(prepared(events, caches), categories=RULES[rule])
    after = fold_of(prepared(changed_after(events, VALID, future), caches), categories=RULES[rule])
    assert_same_inputs(before, after, ("train", "valid"))
    assert_same_labels(before, after, ("train",))


@pytest.mark.parametrize("rule", RULES)
@FEW
@given(seed=SEEDS, future=SEEDS)
def test_nothing_after_the_test_cutoff_reaches_a_test_query_or_a_choice(
    rule: str, caches: Path, seed: int, future: int
) -> None:
    events = shop_events(seed)
    before = fold_of(prepared(events, caches), categories=RULES[rule])
    after = fold_of(prepared(changed_after(events, TEST, future), caches), categories=RULES[rule])
    assert_same_inputs(before, after, ("train", "valid", "test"))
    assert_same_labels(before, after, ("train", "valid"))


def quick(function: Callable[..., Any]) -> Callable[..., Any]:
    """Compiled without optimising: what runs once is not worth it."""
    return jax.jit(function, compiler_options={"xla_backend_optimization_level": 0})


def some_params(network: Network, *arguments: Any) -> Any:
    """Parameters that are all away from zero, so that every part speaks; nothing is drawn, nothing compiled."""
    shapes = jax.eval_shape(network.init, jax.random.key(0), *arguments, None)["params"]
    return jax.tree.map(
        lambda leaf: 0.3 * np.cos(1 + np.arange(leaf.size, dtype=np.float32)).reshape(leaf.shape), shapes
    )


class Scores:
    """The scores of one network with fixed parameters, compiled once for one shape of rows."""

    def __init__(self, data: Dataset, model: Model) -> None:
        self.network = build_network(model, data, jnp.dtype("float32"))
        self.on = np.ones(len(data.groups), np.float32)
        self.params = some_params(self.network, data.splits["test"].rows, data.splits["test"].tables, self.on)
        self.apply = quick(self.network.apply)

    def __call__(self, split: Split) -> np.ndarray:
        """float32[Q, C], in the order of the split's queries."""
        scores = self.apply({"params": self.params}, split.rows, split.tables, self.on, None)
        return split.gather(np.asarray(scores))


@pytest.fixture(scope="module")
def scores(shop: Dataset) -> Scores:
    return Scores(shop, RNN(width=8))


@settings(FEW, max_examples=6)
@given(future=SEEDS)
def test_scores_of_a_network_do_not_know_the_future(shop: Dataset, scores: Scores, caches: Path, future: int) -> None:
    after = fold_of(prepared(changed_after(shop_events(0), TEST, future), caches))
    assert np.array_equal(scores(shop.splits["test"]), scores(after.splits["test"]))


@settings(FEW, max_examples=5)
@given(seed=SEEDS, future=SEEDS)
def test_scores_of_baselines_do_not_know_the_future(caches: Path, seed: int, future: int) -> None:
    events = shop_events(seed)
    both = [prepared(events, caches), prepared(changed_after(events, TEST, future), caches)]
    for h in range(len(HORIZONS)):
        told = [_baseline_scores(fold_of(histories, ("category",)), h) for histories in both]
        for name in told[0]:
            assert np.array_equal(told[0][name], told[1][name]), name


def _baseline_scores(data: Dataset, h: int) -> dict[str, np.ndarray]:
    train_, valid, test = (data.splits[name] for name in ("train", "valid", "test"))
    found = {}
    for baseline in default_baselines():
        known, chosen_on = (Asked(split.queries, split.labels[h]) for split in (train_, valid))
        fitted = baseline.fit(data.view, known, chosen_on, data.view.fold.horizons[h])
        found[baseline.name] = fitted.log_probabilities(fitted.scores(data.view, test.queries))
    return found


@pytest.fixture
def unoptimised() -> Iterator[None]:
    """Programs compile in half the time, and slow ones show the same."""
    jax.config.update("jax_disable_most_optimizations", True)
    yield
    jax.config.update("jax_disable_most_optimizations", False)


@pytest.mark.usefixtures("unoptimised")
def test_trained_parameters_do_not_know_what_follows_the_valid_cutoff(shop: Dataset, caches: Path) -> None:
    asked = Experiment(
        name="leak", source=_no_source(), target=Interest(), horizons=HORIZONS, features={"all": GROUPS},
        models=(RNN(width=8),), seeds=1, timeline=TIMELINE,
        # The only look at the valid split comes after the last step, so it chooses nothing.
        training=Training(steps=3, evaluate_every=3, batch=4, row_length=16, overlap=4),
    )  # fmt: skip
    cells = [cell for cell in grid(asked, "", False) if cell.kind == "model"]
    assembly = assemble(asked, shop, asked.models[0], cells)
    arrays = [cell_arrays(cell, shop.groups) for cell in cells]
    futures = [fold_of(prepared(changed_after(shop_events(0), VALID, seed), caches)) for seed in range(2)]
    runs = [
        train(assembly.program, arrays, feed(data, "train"), feed(shop, "valid"), lambda steps: None)
        for data in (shop, *futures)
    ]
    fresh, *others = [np.stack([one.params for one in run]) for run in runs]
    assert runs[0][0].steps == 3 and np.isfinite(fresh).all()
    for other in others:
        assert np.array_equal(fresh, other)


def _no_source() -> Any:
    from lab.data.sources import SyntheticShop

    return SyntheticShop()


class Nudged(Network):
    """A network whose embedded steps are moved by a parameter, to take gradients by."""

    def _embed(self, rows: Rows, switch: dict[str, Any]) -> Any:
        steps = super()._embed(rows, switch)
        return steps + self.param("nudge", nn.initializers.zeros, steps.shape)


def nudge_gradients(data: Dataset, model: Model, rows: Rows, tables: Any) -> np.ndarray:
    """float[Q, T, D] for one row: the gradient of each query's scores by the embedded steps."""
    plain_network = build_network(model, data, jnp.dtype("float32"))
    network = Nudged(**{name: getattr(plain_network, name) for name in Network.__dataclass_fields__ if name in FIELDS})
    on = np.ones(len(data.groups), np.float32)
    params = some_params(network, rows, tables, on)
    mix = np.random.default_rng(0).normal(size=data.view.candidates).astype(np.float32)

    def scores(nudge: Any) -> Any:
        return network.apply({"params": {**params, "nudge": nudge}}, rows, tables, on, None)[0] @ mix

    return np.asarray(quick(jax.jacrev(scores))(params["nudge"]))[:, 0]


FIELDS = ("encoder", "step_groups", "candidate_groups", "order", "candidates", "width", "dtype")


def crowded_row(split: Split) -> Rows:
    """The row with the most histories, alone."""
    chosen = int(np.argmax(split.rows.start.sum(1)))
    return jax.tree.map(lambda leaf: leaf[chosen : chosen + 1], split.rows)


def visible(rows: Rows) -> np.ndarray:
    """bool[Q, T]: the steps of a query's own history up to it, by the row's start flags."""
    history = np.cumsum(rows.start[0])
    position = rows.query.position[0][:, None]
    return (history[position] == history) & (np.arange(len(history)) <= position)


def assert_gradient_stops_at_the_query(data: Dataset, model: Model) -> None:
    split = data.splits["train"]
    rows = crowded_row(split)
    gradient = np.abs(nudge_gradients(data, model, rows, split.tables)).max(-1)[rows.query.real[0]]
    seen = visible(rows)[rows.query.real[0]]
    assert len(np.unique(np.cumsum(rows.start[0])[rows.query.position[0][rows.query.real[0]]])) > 1
    assert gradient[~seen].max() == 0.0, "a score moves with a step beyond its query or its history"
    own = rows.query.position[0][rows.query.real[0]]
    assert (gradient[np.arange(len(own)), own] > 0).all()


@pytest.mark.parametrize("model", MODELS, ids=lambda model: type(model).__name__)
def test_gradient_of_a_score_is_zero_beyond_its_query_and_its_history(long_rows: Dataset, model: Model) -> None:
    assert_gradient_stops_at_the_query(long_rows, model)


# What is planted below must be caught, or the tests above prove nothing.


@dataclass(frozen=True, kw_only=True)
class NextCategory(FeatureGroup):
    """Tells each step the category of the event that follows it in the log."""

    name: ClassVar[str] = "next_category"
    side: ClassVar = "step"

    def transform(self, view: FoldView, steps: Steps, state: State) -> dict[str, np.ndarray]:
        following = np.append(view.candidate[1:], np.int32(0)) + np.int32(1)
        return {"id": of_events(following, steps)}

    def module(self, state: State, shape: Shape) -> nn.Module:
        return Lookup(shape.candidates, shape)


@dataclass(frozen=True, kw_only=True)
class WholeLog(FeatureGroup):
    """Tells candidates how often the whole log, not the known one, takes them."""

    name: ClassVar[str] = "whole_log"
    side: ClassVar = "candidate"

    def tables(self, view: FoldView, steps: Steps, state: State) -> dict[str, np.ndarray]:
        return {"share": view.shares()}


@pytest.mark.parametrize("group", [NextCategory(), WholeLog()], ids=lambda group: group.name)
def test_a_group_that_peeks_is_caught(group: FeatureGroup, caches: Path) -> None:
    events = shop_events(0)
    before = fold_of(prepared(events, caches), ("category", group))

    def caught(future: int) -> bool:
        after = fold_of(prepared(changed_after(events, VALID, future), caches), ("category", group))
        try:
            assert_same_inputs(before, after, ("train", "valid"))
        except AssertionError:
            return True
        return False

    assert any(caught(future) for future in range(3))


def test_a_fit_on_the_whole_log_is_caught(caches: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lab.data.dataset.known_at", lambda view, moment: view)
    events = shop_events(0)
    before, after = (fold_of(prepared(log, caches)) for log in (events, changed_after(events, VALID, 0)))
    with pytest.raises(AssertionError):
        assert_same_inputs(before, after, ("train", "valid"))


class Backward(nn.Module):
    """Gives each step the sum of all that follow it in the row."""

    @nn.compact
    def __call__(self, steps: Any, starts: Any, time: Any, dropout: Any) -> Any:
        return jnp.cumsum(steps[:, ::-1], axis=1)[:, ::-1]


class Across(nn.Module):
    """Gives each step the sum of all before it, other histories' included."""

    @nn.compact
    def __call__(self, steps: Any, starts: Any, time: Any, dropout: Any) -> Any:
        return jnp.cumsum(steps, axis=1)


@dataclass(frozen=True, kw_only=True)
class Peeking(Model):
    """A model that says it is causal and is not."""

    make: Callable[[], nn.Module] = Backward

    def encoder(self, dtype: Any) -> nn.Module:
        return self.make()


@pytest.mark.parametrize("make", [Backward, Across])
def test_a_model_that_peeks_is_caught(long_rows: Dataset, make: Callable[[], nn.Module]) -> None:
    with pytest.raises(AssertionError, match="beyond"):
        assert_gradient_stops_at_the_query(long_rows, replace(Peeking(width=8), make=make))
