"""What all tests of leakage start from."""

from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def caches(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the logs of all futures are prepared."""
    return tmp_path_factory.mktemp("caches")
