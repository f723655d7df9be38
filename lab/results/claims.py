"""Who computes which cell, where several processes, on one host or on several, share a results folder.

A claim is a file `claims/<cell id>.<n>` that one process alone can create. The highest n holds the cell; who finds its
owner dead creates n + 1, which again only one can. Nothing is renamed, and only who holds a cell takes
claims on it away, so that of two that find the same owner dead neither can undo the other's.
"""

import json
import os
import secrets
import threading
import time
from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any

from lab.core.errors import InputError
from lab.core.files import make_folder, write_error
from lab.core.words import plural

BEAT = 5.0
"""Seconds between two signs of life of an owner."""

LEASE = 60.0
"""Seconds without one after which an owner on another host is taken for dead, by the clock of who waits."""


class Claims:
    """The claims of one process on the cells of a results folder; a context manager that gives back what it holds."""

    def __init__(self, root: Path, beat: float = BEAT, lease: float = LEASE, devices: int = 0) -> None:
        """`devices`: how many of a CPU this process trains on; 0 where its bits are promised to nobody."""
        self._folder, self._beat, self._lease, self._devices = root / "claims", beat, lease, devices
        self._owner = {"host": _host(), "pid": os.getpid(), "started": _started(os.getpid()), "devices": devices}
        self._token = secrets.token_hex(8)
        self._mine: dict[str, Path] = {}
        self._seen: dict[Path, tuple[bytes, float]] = {}
        self._over = threading.Event()
        self._heart = threading.Thread(target=self._live, daemon=True)

    def __enter__(self) -> "Claims":
        try:
            make_folder(self._folder)
        except OSError as error:
            raise write_error(self._folder, error) from error
        self._heart.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        self._heart.join()
        self.release(list(self._mine))

    def free(self, cell: str) -> bool:
        """Whether nobody holds a cell, or nobody who lives."""
        newest = self._newest(cell)
        return newest is None or self._is_dead(newest)

    def take(self, cell: str) -> bool:
        """Claim a cell, where it is free; whether this process now holds it."""
        newest = self._newest(cell)
        if newest is not None and not self._is_dead(newest):
            return False
        path = self._path(cell, 1 if newest is None else _number(newest) + 1)
        try:
            file = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o644)
        except FileExistsError:
            return False
        except OSError as error:
            raise write_error(path, error) from error
        with os.fdopen(file, "wb") as stream:
            stream.write(self._content(0))
        self._mine[cell] = path
        self._require_like_devices()
        return self.holds(cell)

    def _require_like_devices(self) -> None:
        """Raise InputError where another process computes here on another number of CPU devices.

        Seen after a claim was made, so that of two that begin at once one at least sees the other.
        """
        for other in devices_in_use(self._folder.parent, self._mine.values()) if self._devices else ():
            if other != self._devices:
                raise InputError(
                    f"{self._folder.parent}: another process computes here on {plural(other, 'CPU device')}, this one "
                    f"on {self._devices}, and last bits differ by that. Run the same command again: it takes as many."
                )

    def holds(self, cell: str) -> bool:
        """Whether this process still holds a cell: one that was paused for long may have been taken for dead."""
        path = self._mine.get(cell)
        return path is not None and path == self._newest(cell) and self._token.encode() in _read(path)

    def release(self, cells: Sequence[str]) -> None:
        """Give cells back: they are on disk by now, or will not be computed here."""
        for cell in cells:
            held = self.holds(cell)
            path = self._mine.pop(cell, None)
            # With its own go those of the dead before it; a claim that was lost is its new owner's to remove.
            for old in self._all(cell) if path is not None and held else []:
                _remove(old)

    def _is_dead(self, path: Path) -> bool:
        content, now = _read(path), time.monotonic()
        if _is_gone(content):
            return True
        before, since = self._seen.get(path, (None, now))
        if content != before:
            self._seen[path] = content, now
            return False
        return now - since >= self._lease

    def _live(self) -> None:
        count = 0
        while not self._over.wait(self._beat):
            count += 1
            for path in list(self._mine.values()):
                _rewrite(path, self._content(count))

    def _content(self, count: int) -> bytes:
        return json.dumps(self._owner | {"token": self._token, "beat": f"{count:012d}"}).encode()

    def _path(self, cell: str, number: int) -> Path:
        return self._folder / f"{cell}.{number}"

    def _all(self, cell: str) -> list[Path]:
        present = self._folder.iterdir() if self._folder.is_dir() else ()
        names = (path for path in present if path.name.rpartition(".")[0] == cell)
        return sorted((path for path in names if path.suffix[1:].isdigit()), key=_number)

    def _newest(self, cell: str) -> Path | None:
        return next(reversed(self._all(cell)), None)


def devices_in_use(root: Path, but: Iterable[Path] = ()) -> list[int]:
    """On how many CPU devices those compute who hold cells of a results folder, and are not known to be dead."""
    folder, mine = root / "claims", set(but)
    present = [path for path in folder.iterdir() if path not in mine] if folder.is_dir() else []
    found = []
    for content in map(_read, present):
        with suppress(ValueError):  # being written
            if not _is_gone(content):
                found.append(int(json.loads(content or b"{}").get("devices", 0)))
    return [devices for devices in found if devices]


def _number(path: Path) -> int:
    return int(path.suffix[1:])


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError:  # given back this very moment
        return b""


def _rewrite(path: Path, content: bytes) -> None:
    """In place and only where it still is: a claim that was given back must not come to life again.

    A sign of life that cannot be written is no fault here: the cell is then taken over, and its owner finds so.
    """
    try:
        file = os.open(path, os.O_WRONLY)
        try:
            os.pwrite(file, content, 0)
        finally:
            os.close(file)
    except OSError:
        return


def _remove(path: Path) -> None:
    """One that the folder does not let go of ends with its owner's process, as that of a process killed does."""
    try:
        path.unlink(missing_ok=True)
    except OSError:
        return


def _is_gone(content: bytes) -> bool:
    """Whether the owner ran on this very host and is no more; a number that another process has now does not count."""
    try:
        owner: dict[str, Any] = json.loads(content)
    except ValueError:  # being written
        return False
    here = _host()
    return bool(here) and owner["host"] == here and _started(owner["pid"]) != owner["started"]


def _host() -> str:
    """This boot of this host, and the space its process numbers are of; empty where the system does not tell."""
    try:
        return f"{Path('/proc/sys/kernel/random/boot_id').read_text().strip()} {os.readlink('/proc/self/ns/pid')}"
    except OSError:
        return ""


def _started(pid: int) -> str:
    """When a process began, in ticks since boot; empty where it is none, or one that has ended and was not fetched."""
    try:
        state, *rest = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return ""
    return "" if state in "ZX" else rest[18]
