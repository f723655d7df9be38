"""The histories' cache: whole or not there, served again, verified, shared by two runs, safe on a full disk."""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import textwrap
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from lab.core.digests import file_digest
from lab.data.log.cache import prepare_log
from lab.data.log.cleaning import Cleaning
from lab.data.log.histories import Histories
from lab.data.sources import Table
from lab.data.timeline import Timeline

FRAME = pl.DataFrame(
    {
        "user": ["b", "a", "a", "b"],
        "item": ["y", "x", "x", "z"],
        "time": ["2020-01-02", "2020-01-03", "2020-01-01", "2020-01-04"],
        "category": ["cat", None, "dog", "cat"],
        "price": [1.0, None, 3.0, 4.0],
        "text": ["Y", "X later", "X first", None],
    }
)


def prepared(cache: Path, frame: pl.DataFrame = FRAME, said: list[str] | None = None, **settings) -> Histories:
    return prepare_log(Table(frame=frame), cache=cache, say=(said if said is not None else []).append, **settings)


def folder_of(cache: Path) -> Path:
    (folder,) = [p for p in (cache / "histories").iterdir() if not p.name.startswith(".")]
    return folder


def test_logs_of_the_same_events_and_another_span_have_another_fingerprint(tmp_path: Path) -> None:
    """Cutoffs count back from the end of the log, and the event there may be of an item that cleaning leaves out."""
    rows = [("a", "x", day) for day in range(1, 10)] + [("b", "x", day) for day in range(1, 10)]
    found = []
    for day in (9, 20):
        some = [*rows, ("b", "rare", day)]
        frame = pl.DataFrame(some, schema=["user", "item", "day"], orient="row")
        frame = frame.select("user", "item", time=pl.datetime(2020, 1, "day"))
        found.append(prepared(tmp_path, frame, cleaning=Cleaning(item_min_events=2)))
    assert [one.events for one in found] == [18, 18] and np.array_equal(found[0].time, found[1].time)
    assert found[0].span != found[1].span
    assert found[0].fingerprint != found[1].fingerprint


def test_histories_hold_what_the_log_held(tmp_path: Path) -> None:
    found = prepared(tmp_path)
    assert found.offsets.tolist() == [0, 2, 4]
    assert found.item_names[found.item].tolist() == ["x", "x", "y", "z"]
    assert found.category is not None and found.category_names is not None and found.item_text is not None
    assert found.category.tolist() == [1, -1, 0, 0]
    assert found.category_names.tolist() == ["cat", "dog"]
    assert found.item_text.tolist() == ["X first", "Y", None]
    assert found.price is not None
    assert np.array_equal(found.price, np.array([3, np.nan, 1, 4], np.float32), equal_nan=True)
    assert found.quantity is None
    assert found.user_names.tolist() == ["a", "b"]
    assert [a.dtype for a in (found.offsets, found.time, found.item, found.behaviour)] == ["i8", "i8", "i4", "i1"]
    assert isinstance(found.time, np.memmap)


def test_raw_users_stand_in_the_cache_of_users_alone(tmp_path: Path) -> None:
    prepared(tmp_path, FRAME.with_columns(user="someone-real-" + pl.col("user")))
    holders = {file.name for file in folder_of(tmp_path).iterdir() if b"someone-real" in file.read_bytes()}
    assert holders <= {"users.parquet"}


def test_a_second_run_is_served_from_the_cache(tmp_path: Path) -> None:
    first = prepared(tmp_path)
    stamp = (folder_of(tmp_path) / "time.npy").stat().st_ino
    second = prepared(tmp_path)
    assert (folder_of(tmp_path) / "time.npy").stat().st_ino == stamp
    assert first.fingerprint == second.fingerprint
    assert first.facts == second.facts


def test_what_matters_has_its_own_folder_and_what_does_not_shares_one(tmp_path: Path) -> None:
    long = pl.concat([FRAME, FRAME.with_columns(time=pl.lit("2020-03-01"))])
    plain = Cleaning(outliers=None, bots=None)
    keys = [
        prepared(tmp_path, long, cleaning=plain, horizons=(7,)).folder,
        prepared(
            tmp_path, long, cleaning=plain, horizons=(2, 5)
        ).folder,  # no rule is fitted: the horizons do not matter
        prepared(tmp_path, long, horizons=(7,)).folder,
        prepared(tmp_path, long, horizons=(2, 7)).folder,  # only the longest horizon moves the cutoff
        prepared(tmp_path, long, horizons=(5,)).folder,
        prepared(tmp_path, long, timeline=Timeline(end="2020-02-28"), horizons=(7,)).folder,
    ]
    assert [keys.index(key) for key in keys] == [0, 0, 2, 2, 4, 5]


def test_fingerprint_is_of_the_events_not_of_the_users_names(tmp_path: Path) -> None:
    one = prepared(tmp_path).fingerprint
    assert prepared(tmp_path, FRAME.with_columns(user=pl.col("user") + "!")).fingerprint == one
    assert prepared(tmp_path, FRAME.with_columns(item=pl.col("item") + "!")).fingerprint != one


@pytest.mark.parametrize("name", ["time.npy", "items.parquet", "users.parquet", "quarantine.csv", "meta.json"])
def test_a_flipped_byte_is_said_and_the_histories_built_anew(tmp_path: Path, name: str) -> None:
    before = prepared(tmp_path)
    file = folder_of(tmp_path) / name
    raw = bytearray(file.read_bytes())
    raw[len(raw) // 2] ^= 1
    file.write_bytes(raw)
    said: list[str] = []
    after = prepared(tmp_path, said=said)
    assert said == [f"cache: {file} is damaged; building the histories anew."]
    assert after.fingerprint == before.fingerprint
    assert np.array_equal(after.time, before.time)


def test_the_hash_of_a_large_file_is_remembered_until_it_changes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lab.data.log.cache.LARGE", 100)
    prepared(tmp_path)
    file = folder_of(tmp_path) / "time.npy"
    os.utime(file, (1e9, 1e9))  # old enough to be remembered
    prepared(tmp_path)
    notes = [json.loads(note.read_text()) for note in (tmp_path / "digests").iterdir()]
    assert [note[0] for note in notes] == [str(file)]
    raw = bytearray(file.read_bytes())
    raw[-1] ^= 1
    file.write_bytes(raw)
    os.utime(file, (1e9, 1e9))
    said: list[str] = []
    assert prepared(tmp_path, said=said).events == 4
    assert said == [f"cache: {file} is damaged; building the histories anew."]


def test_a_missing_file_is_damage_too(tmp_path: Path) -> None:
    prepared(tmp_path)
    (folder_of(tmp_path) / "item.npy").unlink()
    said: list[str] = []
    assert prepared(tmp_path, said=said).events == 4
    assert "item.npy is damaged" in said[0]


def test_what_a_killed_run_left_is_swept(tmp_path: Path) -> None:
    prepared(tmp_path)
    folder = folder_of(tmp_path)
    shutil.copytree(folder, folder.with_name(f".{folder.name}.partial"))
    shutil.rmtree(folder)
    assert prepared(tmp_path).events == 4
    assert not folder.with_name(f".{folder.name}.partial").exists()


def test_a_files_hash_is_remembered_until_it_changes(tmp_path: Path) -> None:
    path = tmp_path / "log.csv"
    path.write_text("one")
    os.utime(path, (1e9, 1e9))  # old enough to be remembered
    first = file_digest(path, tmp_path)
    (note,) = (tmp_path / "digests").iterdir()
    entry = json.loads(note.read_text())
    note.write_text(json.dumps([*entry[:-1], "remembered"]))
    assert file_digest(path, tmp_path) == "remembered"
    path.write_text("two")  # same size; a second utime cannot hide it, since the time of change moves on
    os.utime(path, (1e9, 1e9))
    assert file_digest(path, tmp_path) not in (first, "remembered")


PREPARE = """
    import resource, sys
    from pathlib import Path
    import polars as pl
    from lab.commands.describe_log import main
    {before}
    sys.exit(main(["{log}", "--cache", "{cache}"]))
"""


def command(tmp_path: Path, before: str = "", rows: int = 200_000) -> list[str]:
    log = tmp_path / "log.csv"
    if not log.exists():
        k = pl.int_range(rows, eager=True)
        frame = pl.DataFrame({"user": k % 977, "item": k * 7919 % 10_007, "time": 1_500_000_000 + k * 60})
        frame.write_csv(log)
    code = textwrap.dedent(PREPARE).format(before=before, log=log, cache=tmp_path / "cache")
    return [sys.executable, "-c", code]


def test_two_runs_at_once_build_one_cache(tmp_path: Path) -> None:
    run = command(tmp_path)
    pipe = subprocess.PIPE
    runs = [subprocess.Popen(run, stdout=pipe, stderr=pipe, text=True) for _ in range(2)]
    outputs = [process.communicate(timeout=60) for process in runs]
    assert [process.returncode for process in runs] == [0, 0], outputs
    assert outputs[0][0] == outputs[1][0]
    assert folder_of(tmp_path / "cache").is_dir()
    assert not [p for p in (tmp_path / "cache" / "histories").iterdir() if p.name.endswith(".partial")]


def test_a_disk_that_fills_is_said_and_nothing_half_written_stays(tmp_path: Path) -> None:
    # A real failure: the kernel refuses to let any file grow past 100 kB.
    run = command(tmp_path, "resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))")
    done = subprocess.run(run, capture_output=True, text=True, timeout=60)
    assert done.returncode == 1
    assert "its quota used up while caching the histories" in done.stderr
    assert done.stderr.count("\n") == 1
    assert [p.name for p in (tmp_path / "cache" / "histories").iterdir() if not p.name.endswith(".lock")] == []


def test_a_cache_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    (tmp_path / "cache").write_text("a file where the folder should be")
    done = subprocess.run(command(tmp_path, rows=10), capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr.count("\n")) == (1, 1)
    assert "name another folder with --cache" in done.stderr


# The first run imports everything; then permissions change, and root, whom none stops, becomes somebody else.
SHUT = """
    import os, sys
    from pathlib import Path
    from lab.data.log.cache import prepare_log
    from lab.data.sources import Table
    from lab.core.errors import LabError
    home = Path("{home}")
    log = Table(path=str(home / "log.csv"))
    prepare_log(log, cache=home / "warm")
    (home / "{place}").chmod({mode})
    if os.getuid() == 0:
        os.setuid(65534)
    try:
        prepare_log(log, cache=home / "cache")
    except LabError as error:
        print(error.exit_code, error)
"""


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that everybody finds the way to, as none below `tmp_path` is."""
    with tempfile.TemporaryDirectory() as folder:
        yield Path(folder)


def shut(home: Path, place: str, mode: int) -> str:
    """What is said when a file or folder has these permissions."""
    (home / "log.csv").write_text("user,item,time\nann,x,2020-01-01\nbob,y,2020-01-02\n")
    (home / "cache" / "histories").mkdir(parents=True)
    for folder in (home, home / "cache", home / "cache" / "histories"):
        folder.chmod(0o777)
    code = textwrap.dedent(SHUT).format(home=home, place=place, mode=mode)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    (home / place).chmod(0o777)
    assert done.stderr == ""
    return done.stdout


def test_a_log_that_cannot_be_read_is_said(open_folder: Path) -> None:
    assert shut(open_folder, "log.csv", 0o000) == f"2 {open_folder / 'log.csv'}: cannot be read (Permission denied).\n"


def test_a_read_only_cache_is_said(open_folder: Path) -> None:
    said = shut(open_folder, "cache/histories", 0o555)
    assert said.startswith(f"1 {open_folder / 'cache' / 'histories'}") and said.count("\n") == 1
    assert "the folder may not be written to while opening the cache; " in said
    assert list((open_folder / "cache" / "histories").iterdir()) == []
