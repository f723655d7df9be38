"""A report is made of tables as the run wrote them: an edited one is refused, whatever it is."""

import json
import os
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

from lab.core.errors import InputError
from lab.core.sealed import seal
from lab.report.contents import read_contents
from lab.report.write import write_report
from lab.results.store import Store
from lab.results.table_files import DIGESTS, NO_DIGESTS, read_digests, read_table_file, write_table_files
from lab.results.tables import write_tables
from tests.results.made import evaluation, metrics, record, same_everywhere

ROOT = Path(__file__).parents[2]
TABLES = ("cells.csv", "summary.csv", "comparisons.csv")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("report") / "made"
    store = Store(root)
    for model, value in (("lstm", 0.3), ("gru", 0.35)):
        table = same_everywhere(value, noise=0.2, seed=0)
        store.write(replace(record(f"{model}-0", model=model), metrics=metrics(table)), judged=evaluation(table))
    write_tables(store)
    return root


@pytest.fixture
def clone(folder: Path, tmp_path: Path) -> Path:
    """As git has it: without cells."""
    return Path(shutil.copytree(folder, tmp_path / "clone", ignore=shutil.ignore_patterns("cells")))


def report(folder: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "lab.report", str(folder)]
    return subprocess.run(command, cwd=ROOT, env=dict(os.environ), capture_output=True, text=True, check=False)


def test_tables_as_the_run_wrote_them_are_read(clone: Path) -> None:
    done = report(clone)
    assert (done.returncode, done.stderr) == (0, "") and DIGESTS not in done.stdout
    assert pd.read_csv(clone / "cells.csv").columns[0] == "cell"  # a plain table for whatever else reads it


@pytest.mark.parametrize("name", TABLES)
def test_a_table_that_was_edited_is_refused(clone: Path, name: str) -> None:
    text = (clone / name).read_text()
    (clone / name).write_text(text[::-1].replace("3", "4", 1)[::-1])
    done = report(clone)
    assert done.returncode == 2 and done.stderr.startswith(f"error: {clone / name}: is damaged or was edited")
    assert "run the experiment again" in " ".join(done.stderr.split())
    assert not (clone / "report.html").exists()


@pytest.mark.parametrize("name", TABLES)
def test_of_a_folder_with_cells_tables_are_made_anew_and_the_plan_is_not_taken_from_an_edited_one(
    folder: Path, tmp_path: Path, name: str
) -> None:
    whole = Path(shutil.copytree(folder, tmp_path / "whole"))
    before = (whole / name).read_bytes()
    (whole / name).write_bytes(before + before.splitlines()[-1] + b"\n")
    if name == "cells.csv":
        with pytest.raises(InputError, match=r"cells.csv: is damaged or was edited"):
            write_report(whole)
        return
    write_report(whole)
    assert (whole / name).read_bytes() == before


def test_digests_that_were_edited_are_refused(clone: Path) -> None:
    (clone / "cells.csv").write_text((clone / "cells.csv").read_text().replace("lstm", "rnn"))
    content = json.loads((clone / DIGESTS).read_bytes())
    content["sha256"]["cells.csv"] = ["0" * 64]
    (clone / DIGESTS).write_text(json.dumps(content))
    with pytest.raises(InputError, match=rf"{DIGESTS}: is damaged or was edited"):
        read_contents(clone)


def test_a_folder_of_an_older_version_is_read_and_said(clone: Path) -> None:
    (clone / DIGESTS).unlink()
    done = report(clone)
    assert done.returncode == 0 and NO_DIGESTS in " ".join(done.stdout.split())


def test_a_shipped_folder_of_an_older_version_is_read() -> None:
    assert not (ROOT / "results/ml1m" / DIGESTS).exists()
    assert read_contents(ROOT / "results/ml1m").compared


def test_an_edited_pin_is_refused(clone: Path) -> None:
    pin = seal({"format": "interest-lab pin", "experiment": {"timeline": {"protocol": "calendar"}}})
    (clone / "pin.json").write_text(json.dumps(pin))
    assert not read_contents(clone).leaves_one_out
    (clone / "pin.json").write_text(json.dumps(pin).replace("calendar", "leave_one_out"))
    with pytest.raises(InputError, match=r"pin.json: is damaged or was edited"):
        read_contents(clone)


def test_a_kill_between_any_two_writes_leaves_tables_that_are_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    old, new = ({name: f"{name} {age}".encode() for name in TABLES} for age in ("old", "new"))
    for stop in range(6):  # digests, three tables, digests; and not stopped
        root = tmp_path / str(stop)
        write_table_files(root, old)
        _stopped_after(root, new, stop)
        assert [read_table_file(root, name) for name in TABLES]
    write_table_files(tmp_path / "new", new)
    assert read_digests(tmp_path / "5") == read_digests(tmp_path / "new")


def _stopped_after(root: Path, tables: dict[str, bytes], writes: int) -> None:
    """Write tables in a process that ends, as by a kill, once it has replaced so many files."""
    code = (
        "import os, pathlib, sys\n"
        "from lab.results.table_files import write_table_files\n"
        "left = int(sys.argv[2])\n"
        "plain = pathlib.Path.replace\n"
        "def replace(self, other):\n"
        "    global left\n"
        "    if left == 0:\n"
        "        os._exit(9)\n"
        "    left -= 1\n"
        "    return plain(self, other)\n"
        "pathlib.Path.replace = replace\n"
        "write_table_files(pathlib.Path(sys.argv[1]), {name: name.encode() + b' new' for name in sys.argv[3:]})\n"
    )
    command = [sys.executable, "-c", code, str(root), str(writes), *tables]
    done = subprocess.run(command, cwd=ROOT, env=dict(os.environ), check=False)
    assert done.returncode == (9 if writes < 5 else 0)
