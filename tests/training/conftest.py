"""Programs that several tests of the training loop share, compiled once."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import jax
import pytest

from lab.data.timeline import Timeline
from lab.dataset.dataset import Dataset
from tests.training.small import Bench, small_dataset, small_experiment


@pytest.fixture(scope="session", autouse=True)
def compiled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Programs that differ in nothing a compiler sees are compiled once."""
    jax.config.update("jax_compilation_cache_dir", str(tmp_path_factory.mktemp("compiled")))
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.1)
    with jax.numpy_rank_promotion("allow"):
        yield
    jax.config.update("jax_compilation_cache_dir", None)


@pytest.fixture(scope="session")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("logs")


@pytest.fixture(scope="session")
def data(cache: Path) -> Dataset:
    return small_dataset(small_experiment(), cache)


@pytest.fixture(scope="session")
def crowd(cache: Path, data: Dataset) -> Bench:
    """Three cells in a chunk."""
    return Bench.of(small_experiment(cells_at_once=3), cache, data)


@pytest.fixture(scope="session")
def alone(cache: Path, data: Dataset) -> Bench:
    """One cell in a chunk."""
    return Bench.of(small_experiment(cells_at_once=1), cache, data)


@pytest.fixture(scope="session")
def ids_only(cache: Path) -> Bench:
    """The same experiment, had it never heard of the other feature groups."""
    experiment = small_experiment(cells_at_once=1)
    return Bench.of(replace(experiment, features={"ids": experiment.features["ids"]}), cache)


@pytest.fixture(scope="session")
def sharded(cache: Path) -> Bench:
    """One cell in a chunk, its log in shards."""
    experiment = replace(small_experiment(cells_at_once=1), timeline=Timeline(shard_events=700))
    bench = Bench.of(experiment, cache)
    assert len(bench.data.rest) > 1
    return bench
