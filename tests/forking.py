"""Real processes of the lab's commands, without the seconds that their imports take: forked from one that has them.

A server of requests, one a line, as JSON: {"module": "lab.run", "arguments": [...], "folder", "environment", "said",
"complained"} starts a process and answers its number; {"wait": number} answers how it ended. With `limit` bytes, the
system ends it in the middle of the write that would make a file longer than that; where `full`, it refuses the write
instead, as a full disk does. One that is `obedient` writes nothing that permissions forbid, even as root; one with a
number of `cores` sees no more; one with a `hash_seed` of its own is begun as a shell begins it, imports and all.
"""

import ctypes
import importlib
import itertools
import json
import os
import resource
import signal
import subprocess
import sys
import time
import traceback
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

ROOT = Path(__file__).resolve().parents[1]


QUICK = "JAX_DISABLE_MOST_OPTIMIZATIONS"
"""In an environment: programs are compiled in a third of the time, for processes that compile much and run little."""
AS_USERS_DO = {"XLA_FLAGS": ""}
"""The environment in which programs are compiled as they are without tests."""


class Server:
    """Forks processes, and waits for them."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self._process = process

    def ask(self, **request: Any) -> Any:
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.write(json.dumps(request) + "\n")
        self._process.stdin.flush()
        return json.loads(self._process.stdout.readline())


@contextmanager
def serving() -> Iterator[Server]:
    with subprocess.Popen(
        [sys.executable, "-m", "tests.forking"],
        cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        env=os.environ | {"PYTHONPATH": str(ROOT), "PYTHONHASHSEED": "1", "JAX_NUMPY_RANK_PROMOTION": "allow"},
    ) as process:  # fmt: skip
        yield Server(process)
        assert process.stdin is not None
        process.stdin.close()


class Ended(NamedTuple):
    """Exit code, what it said, and what it complained of."""

    code: int
    said: str
    complained: str


@dataclass(frozen=True)
class Process:
    """One that was started, what it says and what it complains of."""

    number: int
    _server: Server
    _said: Path
    _complained: Path

    def wait(self) -> int:
        """The exit code; of one that was killed, the signal's number below zero."""
        return self._server.ask(wait=self.number)

    def ended(self) -> Ended:
        """What is known of it at its end, which is waited for."""
        return Ended(self.wait(), self._said.read_text("utf-8"), self._complained.read_text("utf-8"))

    @property
    def alive(self) -> bool:
        """Whether it runs: one that has ended is a zombie until it is waited for."""
        return Path(f"/proc/{self.number}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"

    def signal(self, how: signal.Signals) -> None:
        """To one that has ended and was not waited for, it does nothing."""
        os.kill(self.number, how)


class Home:
    """A folder in which commands are run, as in a terminal of 80 columns, with a cache that all of them share."""

    def __init__(
        self, server: Server, folder: Path, environment: Mapping[str, str] | None = None, quick: bool = True
    ) -> None:
        self._server, self._folder, self._numbers = server, folder, itertools.count()
        self.environment = {"LAB_CACHE": str(folder / "cache"), "WANDB_MODE": "disabled", "COLUMNS": "80"}
        self.environment |= ({QUICK: "1"} if quick else AS_USERS_DO) | dict(environment or {})

    def start(self, module: str, *arguments: str, **how: Any) -> Process:
        number = next(self._numbers)
        said, complained = (self._folder / f".{what}.{number}" for what in ("said", "complained"))
        said.touch()  # a process killed at once has not come to make them
        complained.touch()
        place = {"folder": str(self._folder), "said": str(said), "complained": str(complained)}
        asked = {"module": module, "arguments": arguments, "environment": self.environment}
        return Process(self._server.ask(**asked, **place, **how), self._server, said, complained)

    def run(self, module: str, *arguments: str, **how: Any) -> Ended:
        """A process from its start to its end, without a traceback."""
        ended = self.start(module, *arguments, **how).ended()
        assert "Traceback" not in ended.said + ended.complained, ended.complained
        return ended


def wait_for(sight: Any, process: Process, seconds: float = 300) -> bool:
    """Look until something is seen; False where the process ended before that."""
    deadline = time.monotonic() + seconds
    while not sight():
        assert time.monotonic() < deadline
        if not process.alive:
            return False
        time.sleep(0.002)
    return True


PATIENCE = 300
"""Seconds after which a process is killed that is waited for."""


IMPORTED = (
    *(
        "lab.running.backend",
        "lab.commands.command_line",
        "lab.experiment.loading",
        "lab.running.runner",
        "lab.pins.comparison",
        "lab.report.write",
    ),
    # What these import only when it is needed.
    *("lab.baselines", "lab.data.sources", "lab.features", "lab.models", "lab.targets", "lab.report.figures"),
    *("jaxlib.mlir.dialects.mhlo", "matplotlib.backends.backend_agg", "matplotlib.backends.backend_svg"),
    *("jinja2", "matplotlib.figure", "pandas", "scipy.linalg", "scipy.special"),
)


def _serve() -> None:
    for module in IMPORTED:
        importlib.import_module(module)
    # That other threads may hold locks: there are none before JAX has its devices.
    warnings.filterwarnings("ignore", message=r"os\.fork\(\) was called", category=RuntimeWarning)
    for line in sys.stdin:
        request = json.loads(line)
        print(json.dumps(_wait(request["wait"]) if "wait" in request else _fork(request)), flush=True)


def _wait(number: int) -> int:
    deadline = time.monotonic() + PATIENCE
    while True:
        ended, how = os.waitpid(number, os.WNOHANG)
        if ended:
            return os.waitstatus_to_exitcode(how)
        if time.monotonic() > deadline:
            os.kill(number, signal.SIGKILL)
        time.sleep(0.002)


def _fork(request: Mapping[str, Any]) -> int:
    number = os.fork()
    if number:
        return number
    for stream, name in ((1, "said"), (2, "complained")):
        os.dup2(os.open(request[name], os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o644), stream)
    os.chdir(request["folder"])
    os.environ.update(request["environment"])
    if QUICK in request["environment"]:
        importlib.import_module("jax").config.update(QUICK.lower(), True)
    if limit := request.get("limit"):
        # It is not to be met by a program that this one happens to keep, having compiled it more slowly than the last.
        importlib.import_module("jax").config.update("jax_persistent_cache_min_entry_size_bytes", 1 << 40)
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN if request.get("full") else signal.SIG_DFL)
    if request.get("obedient"):
        _obey_permissions()
    if cores := request.get("cores"):
        os.sched_setaffinity(0, list(os.sched_getaffinity(0))[:cores])
    sys.argv = [request["module"], *request["arguments"]]
    code: Any = 0
    try:
        if "hash_seed" in request:
            os.environ["PYTHONHASHSEED"] = str(request["hash_seed"])
            os.execv(sys.executable, [sys.executable, "-m", *sys.argv])
        code = importlib.import_module(request["module"]).main()
    except SystemExit as error:
        code = error.code
    except BaseException:
        traceback.print_exc()
        code = 70
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code or 0)
    raise AssertionError


def _obey_permissions() -> None:
    """Give up what lets root write where nobody may (CAP_DAC_OVERRIDE, bit 1 of the effective capabilities)."""
    libc = ctypes.CDLL(None, use_errno=True)
    version_and_self, sets = (ctypes.c_uint32 * 2)(0x20080522, 0), (ctypes.c_uint32 * 6)()
    assert libc.capget(version_and_self, sets) == 0
    sets[0] &= ~(1 << 1)
    assert libc.capset(version_and_self, sets) == 0


if __name__ == "__main__":
    _serve()
