"""Shared by all tests: strict jax, no network, and where the real logs lie."""

import os
import signal
import time
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path

import pytest
from hypothesis import Phase, settings
from xdist.remote import Producer
from xdist.scheduler import LoadScopeScheduling

from tests.forking import Server, serving

# Set before anything imports jax, and inherited by the processes that tests start.
os.environ.setdefault("JAX_PLATFORMS", "cpu")
os.environ["JAX_NUMPY_RANK_PROMOTION"] = "raise"
os.environ["WANDB_MODE"] = "offline"
if version("jaxlib").startswith("0.10."):
    # XLA's former way with fusions compiles in half the time. Later ones may not have it, and end at a flag they do not
    # know. What must be as users have it runs in processes that are not `quick` (tests/forking.py).
    os.environ.setdefault("XLA_FLAGS", "--xla_cpu_use_fusion_emitters=false")
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # As a shell sets it for what runs in the background; the processes that tests start and stop would inherit it.
    signal.signal(signal.SIGINT, signal.default_int_handler)

# How long an example takes is the machine's business: no test has a limit of time.
settings.register_profile("lab", deadline=None)
# The same examples each time, and none that fails made smaller, which can take minutes: for `benchmarks.mutants`, which
# asks no more than whether a test fails.
settings.register_profile(
    "first failure", deadline=None, derandomize=True, database=None, phases=(Phase.explicit, Phase.generate)
)
settings.load_profile(os.environ.get("LAB_TEST_PROFILE", "lab"))

DATA = Path(__file__).resolve().parents[2] / "shared" / "data"


def real_data(name: str) -> Path:
    """The folder of a real log, beside the checkout; skips the test where it is absent."""
    folder = DATA / name
    if not folder.is_dir():
        pytest.skip(f"the real log {name} is not at {folder}")
    return folder


LONG = ("test_run", "training", "test_notebooks", "test_kills", "test_online", "test_report")
"""What takes longest and begins first where workers share the tests, so that none works on alone for long."""


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--budget", type=float, default=0.0, help="seconds after which no further test is begun (0: none)")


@pytest.hookimpl(trylast=True)
def pytest_runtest_teardown(item: pytest.Item) -> None:
    """End a session whose time is up; the files of which nothing was begun are named at its end."""
    budget = item.config.getoption("--budget")
    item.config.stash.setdefault(BEGUN, set()).add(item.path)
    if budget and time.monotonic() - STARTED > budget:
        item.session.shouldstop = f"{budget:.0f} s are over; the rest is for `make test`"


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    if config.getoption("--budget"):
        begun = config.stash.get(BEGUN, set())
        left = [name for name in config.args if Path(name).resolve() not in begun]
        if left:
            terminalreporter.write_line(f"left to `make test`: {', '.join(left)}")


STARTED = time.monotonic()
BEGUN = pytest.StashKey[set[Path]]()


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if hasattr(config, "workerinput"):
        order = {name: place for place, name in enumerate(LONG)}
        items.sort(key=lambda item: order.get(Path(_group(item.nodeid)).name, len(LONG)))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> LoadScopeScheduling:
    """One worker has all tests of a file, and of a folder whose files share programs, so that each is made once."""
    config.option.loadscopereorder = False
    return ByGroup(config, log)


class ByGroup(LoadScopeScheduling):
    """Tests in groups; the marks that xdist has for it are lost under pytest 9.2."""

    def _split_scope(self, nodeid: str) -> str:
        return _group(nodeid)


def _group(nodeid: str) -> str:
    """The file, or its folder where the folder's files share programs."""
    file = Path(nodeid.partition("::")[0])
    return str(file.parent if file.parent.name == "training" else file.with_suffix(""))


@pytest.fixture(scope="session")
def forks() -> Iterator[Server]:
    """Starts processes of the lab's commands that need not import what each of them imports."""
    with serving() as server:
        yield server


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
