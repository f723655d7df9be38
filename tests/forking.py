"""Real processes of the main command, without the seconds that its imports take: forked from one that has them.

A server of requests, one a line, as JSON: {"run": [arguments], "said": file, "limit": bytes, "full": whether} starts a
process and answers its number; {"wait": number} answers how it ended. With `limit`, the system ends it in the middle of
the write that would make a file longer than that; where `full`, it refuses the write instead, as a full disk does.
"""

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

    def start(self, said: Path, *arguments: str, limit: int | None = None, full: bool = False) -> int:
        return self._ask({"run": arguments, "said": str(said), "limit": limit, "full": full})

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
    if request["limit"]:
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        resource.setrlimit(resource.RLIMIT_FSIZE, (request["limit"], request["limit"]))
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN if request["full"] else signal.SIG_DFL)
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


if __name__ == "__main__":
    _serve()
