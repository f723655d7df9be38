"""Shared by all tests: strict jax, no network, and where the real logs lie."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

# Set before anything imports jax, and inherited by the processes that tests start.
os.environ.setdefault("JAX_PLATFORMS", "cpu")
os.environ["JAX_NUMPY_RANK_PROMOTION"] = "raise"
os.environ["WANDB_MODE"] = "offline"
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # As a shell sets it for what runs in the background; the processes that tests start and stop would inherit it.
    signal.signal(signal.SIGINT, signal.default_int_handler)

DATA = Path(__file__).resolve().parents[2] / "shared" / "data"


def real_data(name: str) -> Path:
    """The folder of a real log, beside the checkout; skips the test where it is absent."""
    folder = DATA / name
    if not folder.is_dir():
        pytest.skip(f"the real log {name} is not at {folder}")
    return folder


@pytest.fixture(scope="module")
def broadcasting() -> Iterator[None]:
    """Networks and the training loop lean on it; the encoders' own tests do not allow it."""
    import jax

    with jax.numpy_rank_promotion("allow"):
        yield


@pytest.fixture
def quick_compile() -> Iterator[None]:
    """Compile without most optimisations, in a third of the time: for tests that compile much and run little."""
    import jax

    jax.config.update("jax_disable_most_optimizations", True)
    yield
    jax.config.update("jax_disable_most_optimizations", False)
