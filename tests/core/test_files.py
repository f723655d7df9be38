"""Files are the old ones or the new ones, whole, on full disks and in forbidden folders too."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lab.core.errors import FaultError
from lab.core.files import canonical_json, write_whole

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
