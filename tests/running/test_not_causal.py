"""Models that read a history both ways: each query has a history of its own, which ends where it is asked."""

import io
from dataclasses import replace
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from rich.console import Console

from lab.baselines import LastCategory
from lab.dataset.dataset import Dataset
from lab.models import RNN
from lab.running.run_settings import RunSettings
from lab.running.runner import Run
from lab.tracking.tracker import Tracking
from tests.bag import Bag
from tests.training.small import small_experiment
from tests.whole_path import fold_of, prepared, shop_events


@pytest.fixture(scope="module")
def by_layout(tmp_path_factory: pytest.TempPathFactory) -> dict[bool, Dataset]:
    histories = prepared(shop_events(0), tmp_path_factory.mktemp("cache"))
    return {causal: fold_of(histories, row_length=48, overlap=16, causal=causal) for causal in (True, False)}


def reach(data: Dataset) -> np.ndarray:
    """bool: for each training query of the fullest row, whether its answer moves with a step that follows it."""
    rows = data.splits["train"].rows
    row = int(np.argmax(rows.query.real.sum(1)))
    starts, position = rows.start[row : row + 1], rows.query.position[row][rows.query.real[row]]
    encoder = Bag(width=4).encoder(jnp.dtype("float32"))
    steps = jnp.asarray(np.random.default_rng(0).normal(size=(1, starts.shape[1], 4)), jnp.float32)
    params = encoder.init(jax.random.key(0), steps, starts, None, None)

    def answers(steps: jax.Array) -> jax.Array:
        return jnp.asarray(encoder.apply(params, steps, starts, None, None))[0, position].sum(-1)

    moved = np.abs(np.asarray(jax.jacrev(answers)(steps))[:, 0]).max(-1) > 0
    assert len(position) > 1 and moved[np.arange(len(position)), position].all()
    return (moved & (np.arange(starts.shape[1]) > position[:, None])).any(1)


def test_a_query_is_out_of_reach_of_what_follows_it(by_layout: dict[bool, Dataset]) -> None:
    assert not reach(by_layout[False]).any()
    # Else the test above would prove nothing: rows shared by a history's queries do show them their future.
    assert reach(by_layout[True]).any()


@pytest.mark.usefixtures("quick_compile")
def test_a_run_gives_each_kind_of_model_its_rows(tmp_path: Path) -> None:
    small = small_experiment(steps=4, evaluate_every=4)
    both = replace(small, models=(RNN(width=8), Bag(width=8)), seeds=1, horizons=(7,), baselines=(LastCategory(),))
    said = io.StringIO()
    place = RunSettings(tmp_path, tmp_path / "cache", Tracking(mode="off"), Console(file=said, width=80), report=False)
    run = Run(both, place)
    with jax.numpy_rank_promotion("allow"):  # networks lean on it
        assert run.compute() == 0
    assert said.getvalue().count("for models that are not causal") == 1
    records = [run.store.read(cell.id) for cell in run.cells]
    assert {record.model for record in records} == {"RNN width=8", "Bag width=8", "oracle", LastCategory.name}
    # Asked and judged alike, whatever rows they read.
    assert len({len(run.store.users(record.id)["user"]) for record in records}) == 1
