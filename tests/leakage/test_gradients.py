"""Where a network could reach: the gradient of a score is exactly zero beyond its query and beyond its history.

Models that peek are planted, to see that they are caught.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import linen as nn

from lab.data.rows.batch import Rows
from lab.dataset.dataset import Dataset, Split
from lab.models import GRU, HSTU, LSTM, RNN, Transformer
from lab.models.base import Model
from lab.models.network import Network
from lab.running.assembly import build_network
from lab.targets import Interest
from tests.leakage.networks import some_params
from tests.quick import quick
from tests.whole_path import fold_of, prepared, shop_events

MODELS = (
    RNN(width=8),
    LSTM(width=8),
    GRU(width=8),
    Transformer(width=8, layers=1, heads=2),
    HSTU(width=8, layers=1),
    HSTU(width=8, layers=1, recurrent=1),
)
PARTS = ("encoder", "step_groups", "candidate_groups", "order", "candidates", "width", "dtype")

pytestmark = pytest.mark.usefixtures("broadcasting")


@pytest.fixture(scope="module")
def long_rows(caches: Path) -> Dataset:
    """One shop with all groups, in rows that hold several histories."""
    return fold_of(prepared(shop_events(0), caches), row_length=48, overlap=16)


class Nudged(Network):
    """A network whose embedded steps are moved by a parameter, to take gradients by."""

    def _embed(self, rows: Rows, switch: dict[str, Any]) -> Any:
        steps = super()._embed(rows, switch)
        return steps + self.param("nudge", nn.initializers.zeros, steps.shape)


def nudge_gradients(data: Dataset, model: Model, rows: Rows, tables: Any) -> np.ndarray:
    """float[Q, T, D] for one row: the gradient of each query's scores by the embedded steps."""
    plain = build_network(model, data, jnp.dtype("float32"), Interest())
    network = Nudged(**{name: getattr(plain, name) for name in PARTS})
    on = np.ones(len(data.groups), np.float32)
    params = some_params(network, rows, tables, on)
    mix = np.random.default_rng(0).normal(size=data.view.candidates).astype(np.float32)

    def scores(nudge: Any) -> Any:
        return network.apply({"params": {**params, "nudge": nudge}}, rows, tables, on, None)[0] @ mix

    return np.asarray(quick(jax.jacrev(scores))(params["nudge"]))[:, 0]


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


# What is planted below must be caught, or the test above proves nothing.


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
