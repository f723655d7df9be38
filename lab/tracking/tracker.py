"""Finished cells mirrored to Weights & Biases, where no failure of it can reach the run.

A process of low priority (`lab.tracking.mirror`) reads the cells from the store and talks to W&B; this side hands it
names and never waits before the end. What fails there is said once, and changes nothing here.
"""

import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from queue import SimpleQueue
from types import TracebackType
from typing import Any, Literal

import lab
from lab.core.errors import InputError
from lab.core.fingerprint_marks import not_fingerprinted
from lab.core.number_limits import MOST, Limits, at_most
from lab.core.setting_types import check_types
from lab.tracking.ledger import SUMMARY, Ledger

SILENCE = 2.0
"""Seconds of waiting for W&B after which a person is told."""

UNHARMED = "the results are complete without it, and the same command mirrors what is missing"

# What WANDB_MODE may hold, and what it means here.
_ENVIRONMENT = {"online": "online", "run": "online", "offline": "offline", "dryrun": "offline", "disabled": "off"}


@dataclass(frozen=True, kw_only=True)
class Tracking:
    """Whether and where finished cells are mirrored to Weights & Biases."""

    mode: Literal["auto", "online", "offline", "off"] = "auto"
    """auto: online where you are logged in to W&B, else offline; WANDB_MODE is heeded."""
    project: str = "interest-lab"
    """W&B project."""
    entity: str | None = None
    """W&B team or user. Default: that of the login."""
    patience: float = 60
    """Seconds to wait for W&B when the run itself is done."""

    @staticmethod
    @not_fingerprinted
    def number_limits() -> Limits:
        """What each number can be."""
        return {"patience": at_most(MOST)}

    def __post_init__(self) -> None:
        check_types(self, "tracking")
        if not self.patience >= 0:
            raise InputError(f"tracking.patience: {self.patience} is not a number of seconds; use 0 or more.")


_OF_ONE_RUN = re.compile(
    r"WANDB_(RUN_|SWEEP_|RESUME|FORK_FROM|LAUNCH|JOB_|NAME$|NOTES$|TAGS$|CONFIG_PATHS$|PROGRAM|PROJECT$|X_LABEL$)"
)
"""Variables by which W&B's own programs, such as a sweep's agent, say which run a process is. Here one process writes
many, and `tracking.project` says where."""


def ignored(environment: Mapping[str, str]) -> list[str]:
    """The variables that would give all mirrored runs one identity, in the order of their names."""
    return sorted(name for name in environment if _OF_ONE_RUN.match(name))


def _environment() -> dict[str, str]:
    """What of this process's environment its mirror gets."""
    gone = ignored(os.environ)
    return {name: value for name, value in os.environ.items() if name not in gone}


class Tracker:
    """Hands the cells of one results folder to W&B; a context manager, quiet but for one line at its end.

    with Tracker(store.root, settings, say=print) as tracker:
        store.write(record, ...)
        tracker.cell(record.id)
    """

    def __init__(
        self, root: Path, settings: Tracking, say: Callable[[str], None], about: Mapping[str, Any] | None = None
    ) -> None:
        """`about`: the `group` of the runs and the `dataset` they use, as JSON has them."""
        self._root, self._settings, self._say = root, settings, say
        self._about = {"group": root.name, **(about or {})}
        self._mode = _mode(settings)
        self._mirror: _Mirror | None = None
        self._over = self._mode == "off"

    @property
    def active(self) -> bool:
        """Whether cells are mirrored."""
        return not self._over

    def __enter__(self) -> "Tracker":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        # Who pressed Ctrl-C wants to leave.
        self.close(min(self._settings.patience, 5) if kind else self._settings.patience)

    def cell(self, cell: str) -> None:
        """Mirror a cell that the store holds; returns at once."""
        if self._over:
            return
        try:
            self._mirror = self._mirror or self._begun()
        except OSError as error:
            self._give_up(f"its process cannot be started ({error})")
            return
        if self._mirror.ended:
            self.close(0)
        else:
            self._mirror.hand(cell)

    def _begun(self) -> "_Mirror":
        mirror = _Mirror(self._root, self._mode, self._settings, self._about)
        if names := ignored(os.environ):
            these = f"{', '.join(names)} of the environment {'is' if len(names) == 1 else 'are'} ignored"
            self._say(f"W&B: {these}: each cell has a run of its own.")
        return mirror

    def missing(self, cells: Iterable[str]) -> None:
        """Mirror those of the stored cells that never were, or not to the end: by a run that was killed, say."""
        if self._over:
            return
        ledger = Ledger(self._root, self._about["group"])
        try:
            lacking = [cell for cell in cells if ledger.lacks(cell)]
        except OSError as error:
            self._give_up(f"what it has cannot be read ({error})")
            return
        for cell in lacking:
            self.cell(cell)

    def summary(self) -> None:
        """Mirror the experiment's tables and figures, where they are not as they were mirrored last."""
        self.missing([SUMMARY])

    def _give_up(self, why: str) -> None:
        self._over = True
        self._say(f"W&B: {why}; {UNHARMED}.")

    def close(self, patience: float) -> None:
        """Let the mirror end, for `patience` seconds at most, and say what became of it."""
        if self._over or self._mirror is None:
            return
        self._over = True
        if not self._mirror.end(min(SILENCE, patience)) and patience > SILENCE:
            self._say(f"W&B: waiting up to {patience:g} s for its mirror to end.")
            self._mirror.end(patience - SILENCE)
        for line in self._mirror.outcome(patience):
            self._say(f"W&B: {line}")


class _Mirror:
    """The process that does the work, and the thread that hands it names however slowly it takes them."""

    def __init__(self, root: Path, mode: str, settings: Tracking, about: Mapping[str, Any]) -> None:
        self._log = root / "wandb" / "mirror.log"
        self._log.parent.mkdir(parents=True, exist_ok=True)
        self._said = tempfile.TemporaryFile()  # noqa: SIM115  # closed when it has been read
        command = [
            sys.executable,
            "-P",
            "-m",
            "lab.tracking.mirror",
            str(root),
            mode,
            settings.project,
            json.dumps(about),
        ]
        sources = [str(Path(lab.__path__[0]).parent), os.environ.get("PYTHONPATH", "")]
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                command + ([settings.entity] if settings.entity else []),
                stdin=subprocess.PIPE,
                stdout=self._said,
                stderr=log,
                env=_environment() | {"PYTHONPATH": os.pathsep.join(filter(None, sources))},
                start_new_session=True,  # a Ctrl-C is meant for the run; the mirror ends with its input
            )
        self._cells: SimpleQueue[str | None] = SimpleQueue()
        self._feeder = threading.Thread(target=self._feed, daemon=True)
        self._feeder.start()

    @property
    def ended(self) -> bool:
        return self._process.poll() is not None

    @property
    def pid(self) -> int:
        return self._process.pid

    def hand(self, cell: str) -> None:
        self._cells.put(cell)

    def end(self, patience: float) -> bool:
        """Hand over no more, and wait; whether it has ended."""
        self._cells.put(None)
        try:
            self._process.wait(patience)
        except subprocess.TimeoutExpired:
            return False
        return True

    def outcome(self, patience: float) -> list[str]:
        """What it had to say, in lines; one that still runs is killed."""
        late = not self.ended
        if late:
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        self._feeder.join()
        with self._said as file:
            file.seek(0)
            said = file.read().decode().splitlines()
        if late:
            return [*said, f"not done within {patience:g} s and left; {UNHARMED}."]
        return said if said or not self._process.returncode else [f"the mirror broke off, see {self._log}; {UNHARMED}."]

    def _feed(self) -> None:
        assert self._process.stdin is not None
        try:
            with self._process.stdin as file:
                while (cell := self._cells.get()) is not None:
                    file.write(f"{cell}\n".encode())
                    file.flush()
        except BrokenPipeError:
            return  # it has ended early; its exit code and its words say why


def _mode(settings: Tracking) -> str:
    """The mode that is meant, WANDB_MODE having its say only where the settings leave it open."""
    asked = os.environ.get("WANDB_MODE")
    if settings.mode != "auto" or not asked:
        return settings.mode
    if asked not in _ENVIRONMENT:
        raise InputError(f"WANDB_MODE: {asked!r} is none of {', '.join(_ENVIRONMENT)}.")
    return _ENVIRONMENT[asked]
