"""Files are the old ones or the new ones, whole, on full disks and in forbidden folders too."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lab.core.errors import FaultError
from lab.core.files import canonical_json, write_whole
from lab.data.log.cache import prepare_log
from lab.data.sources import Table
from lab.pins.pin import write_pin
from lab.results.checkpoint_files import CheckpointFiles
from lab.results.store import Store
from tests.results.made import record

# Run as root too, whom no permission stops: the writer becomes somebody else first.
WRITER = """
import os, resource, signal, sys
from pathlib import Path
from lab.core.errors import LabError
from lab.core.files import write_whole
path, size, limit, user = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4])
if limit:
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
if user:
    os.setuid(user)
try:
    write_whole(path, b"x" * size)
except LabError as error:
    print(error, file=sys.stderr)
    sys.exit(error.exit_code)
"""


def write_in_process(path: Path, size: int, limit: int = 0, user: int = 0) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", WRITER, str(path), str(size), str(limit), str(user)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_a_file_is_replaced_and_nothing_else_is_left(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "er" / "file"
    for content in (b"old", b"new"):
        write_whole(path, content)
    assert path.read_bytes() == b"new"
    assert os.listdir(path.parent) == ["file"]


def test_a_full_disk_is_one_sentence_and_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "cells.csv"
    path.write_bytes(b"old")
    ended = write_in_process(path, size=100_000, limit=10_000)
    assert ended.returncode == 1
    assert ended.stderr.count("\n") == 1 and "the disk is full" in ended.stderr and str(path) in ended.stderr
    assert path.read_bytes() == b"old" and os.listdir(tmp_path) == ["cells.csv"]


def test_a_file_system_without_room_is_one_sentence(tmp_path: Path) -> None:
    path = tmp_path / "cells.csv"
    script = f'mount -t tmpfs -o size=64k none "{tmp_path}" && exec "$@"'
    command = ["unshare", "-rm", "sh", "-c", script, "sh", sys.executable, "-c", WRITER, str(path), "100000", "0", "0"]
    try:
        ended = subprocess.run(command, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        pytest.skip("no unshare here to mount a small file system with")
    if "lab" not in ended.stderr and "the disk is full" not in ended.stderr and ended.returncode != 0:
        pytest.skip(f"cannot mount a small file system here: {ended.stderr.strip()}")
    assert ended.returncode == 1
    assert ended.stderr.count("\n") == 1 and "the disk is full" in ended.stderr


def test_a_read_only_folder_is_one_sentence(tmp_path: Path) -> None:
    folder = tmp_path / "results"
    folder.mkdir()
    (folder / "cells.csv").write_bytes(b"old")
    folder.chmod(0o555)
    root = os.getuid() == 0
    if root:  # somebody else has to find the way there
        for above in (tmp_path, *tmp_path.parents[:2]):
            above.chmod(0o755)
    ended = write_in_process(folder / "cells.csv", size=10, user=65534 if root else 0)
    folder.chmod(0o755)
    assert ended.returncode == 1
    assert ended.stderr.count("\n") == 1 and "may not be written to" in ended.stderr
    assert (folder / "cells.csv").read_bytes() == b"old"


def test_a_file_where_a_folder_should_be_is_named(tmp_path: Path) -> None:
    (tmp_path / "results").write_bytes(b"")
    with pytest.raises(FaultError, match=r"results/x/cells\.csv: cannot be written"):
        write_whole(tmp_path / "results" / "x" / "cells.csv", b"")


class Synced:
    """What was made durable, renamed and made, in its order; each call goes through to the system."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.events: list[tuple[str, str, str | int]] = []
        real = {name: getattr(os, name) for name in ("fsync", "replace", "rename", "mkdir")}

        def fsync(file: int) -> None:
            real["fsync"](file)
            self.events.append(("fsync", os.readlink(f"/proc/self/fd/{file}"), os.fstat(file).st_size))

        def moved(name: str) -> Callable[..., None]:
            def call(source: str, target: str, **how: Any) -> None:
                real[name](source, target, **how)
                source = os.path.join(os.path.realpath(os.path.dirname(source)), os.path.basename(source))
                self.events.append(("rename", source, os.path.realpath(target)))

            return call

        def mkdir(path: str, *how: Any, **more: Any) -> None:
            real["mkdir"](path, *how, **more)
            self.events.append(("mkdir", os.path.realpath(path), 0))

        monkeypatch.setattr(os, "fsync", fsync)
        monkeypatch.setattr(os, "mkdir", mkdir)
        for name in ("replace", "rename"):
            monkeypatch.setattr(os, name, moved(name))

    def synced(self, path: Path, after: int = 0, before: int | None = None, size: int | None = None) -> bool:
        """Whether a path was made durable between two events, with so many bytes in it."""
        found = [(one, bytes_) for what, one, bytes_ in self.events[after:before] if what == "fsync"]
        return any(one == str(path) and size in (None, bytes_) for one, bytes_ in found)

    def lacking(self, root: Path) -> list[str]:
        """The files and folders below a root that a loss of power could take away, or leave half."""
        files = [path for path in root.rglob("*") if path.is_file() and not path.name.endswith(".lock")]
        return [*self._made_carelessly(root), *(str(path) for path in files if not self._is_durable(path, root))]

    def _is_durable(self, path: Path, root: Path) -> bool:
        """Its bytes before it got its name, or its folder got its own, and after that the folder of the name."""
        for at, (what, source, target) in enumerate(self.events):
            if what == "rename" and (path == Path(str(target)) or Path(str(target)) in path.parents):
                under = Path(source) / path.relative_to(str(target)) if path != Path(str(target)) else Path(source)
                whole = self.synced(under, before=at, size=path.stat().st_size)
                inside = under == Path(source) or self.synced(under.parent, before=at)
                if whole and inside and self.synced(Path(str(target)).parent, after=at):
                    return True
        return False

    def _made_carelessly(self, root: Path) -> Iterator[str]:
        for at, (what, path, _) in enumerate(self.events):
            is_there = what == "mkdir" and Path(path).is_dir() and root in Path(path).parents
            if is_there and not self.synced(Path(path).parent, after=at):
                yield path


def a_cell(root: Path) -> None:
    Store(root / "deep").write(record(), curve={"step": np.arange(3)}, checkpoint=b"weights")


def a_log(root: Path) -> None:
    frame = pl.DataFrame({"user": ["a", "b"], "item": ["x", "y"], "time": ["2020-01-01", "2020-01-02"]})
    prepare_log(Table(frame=frame), cache=root / "cache")


WRITES: dict[str, Callable[[Path], object]] = {
    "a file": lambda root: write_whole(root / "deep" / "er" / "file", b"content" * 1000),
    "a file anew": lambda root: [write_whole(root / "file", content) for content in (b"old", b"new one")] and None,
    "a cell": a_cell,
    "a state": lambda root: CheckpointFiles(root / "cell", "unfinished").write(1, b"state"),
    "a pin": lambda root: write_pin(root / "results" / "pin.json", {"format": "interest-lab pin"}),
    "a log in the cache": a_log,
}


@pytest.mark.parametrize("name", WRITES)
def test_what_is_written_whole_outlives_a_loss_of_power(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """Bytes before the name, the name before the end, and each new folder in the one above it."""
    root = tmp_path.resolve()
    synced = Synced(monkeypatch)
    WRITES[name](root)
    monkeypatch.undo()
    assert any(path.is_file() for path in root.rglob("*"))
    assert synced.lacking(root) == []


@given(st.dictionaries(st.text(), st.floats(allow_nan=False, allow_infinity=False) | st.integers() | st.text()))
def test_json_reads_back_to_the_same_bits_whatever_the_order(values: dict) -> None:
    text = canonical_json(values)
    assert json.loads(text) == values
    assert canonical_json(dict(reversed(values.items()))) == text


def test_json_knows_numpy_and_refuses_what_it_has_no_word_for() -> None:
    assert json.loads(canonical_json({"a": (np.float32(0.1), np.int64(3)), "b": float("nan")})) == {
        "a": [float(np.float32(0.1)), 3],
        "b": None,
    }
    with pytest.raises(ValueError):
        canonical_json(float("inf"))
    with pytest.raises(TypeError):
        canonical_json({"a": np.arange(3)})
