"""Strict jax for every test of the encoders."""

from collections.abc import Iterator

import jax
import pytest

from tests.models.packed import NAMES, Built, build


@pytest.fixture(autouse=True)
def strict() -> Iterator[None]:
    with jax.numpy_dtype_promotion("strict"), jax.numpy_rank_promotion("raise"):
        yield


@pytest.fixture(params=NAMES)
def name(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture(scope="session")
def _built() -> dict[str, Built]:
    return {}


@pytest.fixture
def built(name: str, _built: dict[str, Built]) -> Built:
    """Two layers of the model called `name`."""
    if name not in _built:
        _built[name] = build(name, layers=2)
    return _built[name]
