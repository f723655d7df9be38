"""Real processes of the main command, without the seconds that its imports take: forked from one that has them.

A server of requests, one a line, as JSON: {"run": [arguments], "said": file} starts a process and answers its number;
{"wait": number} answers how it ended. With `limit` bytes, the system ends it in the middle of the write that would make
a file longer than that; where `full`, it refuses the write instead, as a full disk does.
One that is `obedient` writes nothing that permissions forbid, even as root; one with a number of `cores` sees no more.
"""

import ctypes
import json
import os
import resource
import signal
import subprocess
import sys
import time
import traceback
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]


class Server:
    """Starts processes of `python -m lab.run` in a folder."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self._process = process

    def start(self, said: Path, *arguments: str, **how: Any) -> int:
        return self._ask({"run": arguments, "said": str(said)} | how)

    def wait(self, number: int) -> int:
        """The exit code of a process; of one that was killed, the signal's number below zero."""
        return self._ask({"wait": number})

    def _ask(self, request: dict[str, Any]) -> Any:
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.write(json.dumps(request) + "\n")
        self._process.stdin.flush()
        return json.loads(self._process.stdout.readline())


@contextmanager
def serving(home: Path) -> Iterator[Server]:
    environment = {"PYTHONPATH": str(ROOT), "LAB_CACHE": str(home / "cache"), "WANDB_MODE": "disabled"}
    with subprocess.Popen(
        [sys.executable, "-m", "tests.forking"],
        cwd=home, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        env=os.environ | environment | {"COLUMNS": "80", "JAX_NUMPY_RANK_PROMOTION": "allow"},
    ) as process:  # fmt: skip
        yield Server(process)
        assert process.stdin is not None
        process.stdin.close()


def alive(number: int) -> bool:
    """Whether a process runs: one that has ended is a zombie until it is waited for."""
    return Path(f"/proc/{number}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"


def wait_for(sight: Any, number: int, seconds: float = 300) -> bool:
    """Look until something is seen; False where the process ended before that."""
    deadline = time.monotonic() + seconds
    while not sight():
        assert time.monotonic() < deadline
        if not alive(number):
            return False
        time.sleep(0.0005)
    return True


def _serve() -> None:
    import lab.backend
    import lab.command_line
    import lab.loading
    import lab.runner  # noqa: F401

    # That other threads may hold locks: there are none before JAX has its devices.
    warnings.filterwarnings("ignore", message=r"os\.fork\(\) was called", category=RuntimeWarning)
    for line in sys.stdin:
        request = json.loads(line)
        answer = os.waitpid(request["wait"], 0)[1] if "wait" in request else _fork(request)
        print(json.dumps(os.waitstatus_to_exitcode(answer) if "wait" in request else answer), flush=True)


def _fork(request: dict[str, Any]) -> int:
    number = os.fork()
    if number:
        return number
    file = os.open(request["said"], os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o644)
    os.dup2(file, 1)
    os.dup2(file, 2)
    if limit := request.get("limit"):
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN if request.get("full") else signal.SIG_DFL)
    if request.get("obedient"):
        _obey_permissions()
    if cores := request.get("cores"):
        os.sched_setaffinity(0, list(os.sched_getaffinity(0))[:cores])
    from lab.run import main

    sys.argv = ["lab.run", *request["run"]]
    code: Any = 70
    try:
        main()
    except SystemExit as error:
        code = error.code
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)
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
