"""Cells come back as they were put in, or the store says why not."""

import csv
import json
import math
import os
import signal
import subprocess
import sys
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lab.core.errors import FaultError, InputError, LabError
from lab.core.sealed import seal
from lab.experiment.cell_record import CellRecord, Metric, from_json, sort_records, to_json
from lab.report.write import draw_report, write_report
from lab.results.cell_files import CHECKPOINT, CURVE, USERS
from lab.results.damage import find_damage
from lab.results.store import Store
from tests.results.made import evaluation, metrics, record, same_everywhere

ROOT = Path(__file__).parents[2]

CURVE_COLUMNS = {
    "step": np.array([10, 20]),
    "loss": np.array([1 / 3, math.nan]),
    "valid": np.array([math.nan, math.nan]),
    "rate": np.array([1e-300, math.inf]),
}


def write(store: Store, cell: CellRecord, value: float = 0.3) -> CellRecord:
    users = same_everywhere(value)
    cell = replace(cell, metrics=metrics(users))
    store.write(cell, curve=CURVE_COLUMNS, judged=evaluation(users), checkpoint=b"\x00weights")
    return cell


def test_a_cell_comes_back_whole(tmp_path: Path) -> None:
    store = Store(tmp_path)
    config = {"model": {"width": 64}, "horizons": [7, 30], "rate": 0.1 + 0.2}
    cell = write(store, record(config=config, fingerprints={"data": "ab"}, timing={"train": 1.5}, parameters=12))
    assert store.read(cell.id) == cell
    assert list(store.records()) == [cell] and store.is_finished(cell.id)
    users, curve = store.users(cell.id), store.curve(cell.id)
    for name, column in same_everywhere(0.3).items():
        np.testing.assert_array_equal(users[name], column)
    for name, column in CURVE_COLUMNS.items():
        np.testing.assert_array_equal(curve[name], column)
    assert store.checkpoint(cell.id) == b"\x00weights"


@given(st.lists(st.floats()), st.none() | st.integers(0, 2**31))
def test_numbers_of_any_kind_survive_the_record(values: list[float], seed: int | None) -> None:
    cell = record(seed=seed, metrics=tuple(Metric("test", "all", str(i), v) for i, v in enumerate(values)))
    back = from_json(to_json(cell))
    np.testing.assert_array_equal([m.value for m in back.metrics], values)
    assert replace(back, metrics=()) == replace(cell, metrics=())


def test_cells_csv_has_every_cell_and_exact_numbers(tmp_path: Path) -> None:
    store = Store(tmp_path)
    done = write(store, record("a", seed=1), 1 / 3)
    store.write(record("b", seed=2, status="diverged", reason="not finite at step 3"))
    planned = [record("c", seed=3, status="missing"), record("b", seed=2, status="missing"), done]
    store.write_cells_table(planned)
    with (tmp_path / "cells.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["cell"] for row in rows] == ["c", "b", "a", "a", "a"]
    assert [row["status"] for row in rows] == ["missing", "diverged", "done", "done", "done"]
    assert [row["seed"] for row in rows] == ["3", "2", "1", "1", "1"]
    assert [float(row["value"]) for row in rows[2:]] == [m.value for m in done.metrics]
    columns = "cell,model,features,target,horizon,fold,seed,split,slice,metric,value,status"
    assert (tmp_path / "cells.csv").read_text().startswith(columns + "\nc,lstm,full,interest,7,0,3,,,,,missing\n")


def test_tables_of_all_cells_do_not_depend_on_the_order_of_writing(tmp_path: Path) -> None:
    cells = [record(f"c{i}", seed=i, horizon=h) for i, h in enumerate((30.0, 7.0, 0.5, 7.0))]
    tables = []
    for name, some in (("one", cells), ("other", cells[::-1])):
        store = Store(tmp_path / name)
        for cell in some:
            write(store, cell)
        store.write_cells_table()
        tables.append((tmp_path / name / "cells.csv").read_bytes())
    assert tables[0] == tables[1]
    assert [cell.id for cell in sort_records(cells)] == ["c2", "c1", "c3", "c0"]


def test_a_cell_written_again_keeps_nothing_of_the_old_one(tmp_path: Path) -> None:
    store = Store(tmp_path)
    cell = write(store, record())
    (store.folder(cell.id) / ".users.parquet.1.partial").write_bytes(b"left by a killed process")
    store.write(record(status="failed", reason="out of memory"))
    assert os.listdir(store.folder(cell.id)) == ["cell.json"]
    assert not store.is_finished(cell.id) and not store.has(cell.id, USERS)
    with pytest.raises(FaultError, match=r"kept without users\.parquet"):
        store.users(cell.id)


@pytest.mark.parametrize("name", ["cell.json", CURVE, USERS, CHECKPOINT])
@pytest.mark.parametrize("damage", ["flip", "cut", "remove"])
def test_damage_is_named_and_never_read(tmp_path: Path, name: str, damage: str) -> None:
    store = Store(tmp_path)
    cell = write(store, record()).id
    path = store.folder(cell) / name
    content = path.read_bytes()
    if damage == "remove":
        path.unlink()
    else:
        path.write_bytes(content[:-3] if damage == "cut" else bytes([content[0] ^ 1]) + content[1:])
    with pytest.raises(FaultError) as caught:
        store.read(cell)
        store.curve(cell)
        store.users(cell)
        store.checkpoint(cell)
    assert str(path) in str(caught.value)


def test_files_that_are_missing_cut_or_changed_are_all_told(tmp_path: Path) -> None:
    store = Store(tmp_path)
    cell = write(store, record()).id
    folder = store.folder(cell)
    assert find_damage(store, [cell, "none"]) == find_damage(store, [cell], checkpoints=False) == {}
    users, checkpoint = (folder / USERS).read_bytes(), (folder / CHECKPOINT).read_bytes()
    (folder / USERS).write_bytes(bytes([users[0] ^ 1]) + users[1:])
    (folder / CHECKPOINT).write_bytes(checkpoint[::-1])
    assert find_damage(store, [cell]) == {cell: [CHECKPOINT, USERS]}
    assert find_damage(store, [cell], checkpoints=False) == {cell: [USERS]}
    (folder / CHECKPOINT).write_bytes(b"cut")
    assert find_damage(store, [cell], checkpoints=False) == {cell: [CHECKPOINT, USERS]}
    (folder / CURVE).unlink()
    (folder / USERS).write_bytes(users[:-1])
    assert find_damage(store, [cell]) == {cell: [CHECKPOINT, CURVE, USERS]}
    (folder / "cell.json").write_text("{")
    assert find_damage(store, [cell]) == {cell: ["cell.json"]}


def everything(store: Store, cell: str) -> Any:
    """All that is read of a cell."""
    tables = store.users(cell), store.curve(cell), store.table(cell, "reliability")
    read = [{name: column.tolist() for name, column in table.items()} for table in tables]
    return store.read(cell), store.checkpoint(cell), json.dumps(read)


def whole_cell(root: Path) -> tuple[Store, str]:
    store = Store(root)
    config = {"steps": 3, "rate": 0.5, "sets": ["a", "b"]}
    cell = record(config=config, fingerprints={"data": "a"}, modules={"m": "1"}, measures=None)
    judged = evaluation(same_everywhere(0.3, queries=3), reliability={"low": np.zeros(2)})
    store.write(cell, curve=CURVE_COLUMNS, judged=judged, checkpoint=b"weights")
    return store, cell.id


def test_no_bit_of_a_record_changes_unseen(tmp_path: Path) -> None:
    store, cell = whole_cell(tmp_path)
    path = store.folder(cell) / "cell.json"
    content, before = path.read_bytes(), store.read(cell)
    seen = 0
    for bit in range(8 * len(content)):
        flipped = bytearray(content)
        flipped[bit // 8] ^= 1 << bit % 8
        path.write_bytes(flipped)
        try:
            assert store.read(cell) == before  # a blank that became another
        except FaultError:
            seen += 1
    assert seen > 7 * len(content)


@given(st.sampled_from(["cell.json", CURVE, USERS, "reliability.csv", CHECKPOINT]), st.data())
def test_a_bit_flipped_in_any_file_of_a_cell_is_noticed_or_harmless(name: str, data: st.DataObject) -> None:
    with tempfile.TemporaryDirectory() as folder:
        store, cell = whole_cell(Path(folder))
        path = store.folder(cell) / name
        content, before = bytearray(path.read_bytes()), everything(store, cell)
        place = data.draw(st.integers(0, 8 * len(content) - 1))
        content[place // 8] ^= 1 << place % 8
        path.write_bytes(content)
        if not find_damage(store, [cell]):
            assert name == "cell.json" and everything(store, cell) == before
        else:
            assert find_damage(store, [cell]) == {cell: [name]}


@pytest.mark.parametrize(("metric", "value"), [("ndcg@10", 7.249), ("auc", -0.1), ("queries", -1), ("f1_macro", 1.1)])
def test_a_metric_that_cannot_be_is_neither_written_nor_read(tmp_path: Path, metric: str, value: float) -> None:
    store = Store(tmp_path)
    wrong = record(metrics=(Metric("test", "all", metric, value),))
    with pytest.raises(FaultError, match=rf"test all {metric} is {value:g}, and can only be at "):
        store.write(wrong)
    assert not store.is_finished(wrong.id)
    right = record(metrics=(Metric("test", "all", metric, 0.5), Metric("test", "all", "loss", -3.0)))
    store.write(right)
    path = store.folder(right.id) / "cell.json"
    content = json.loads(path.read_bytes())
    content["metrics"][0][3] = value
    path.write_text(json.dumps(seal({k: v for k, v in content.items() if k != "digest"})))
    with pytest.raises(FaultError, match=r"cell\.json: is missing, damaged or was changed"):
        store.read(right.id)
    assert find_damage(store, [right.id]) == {right.id: ["cell.json"]}


def test_a_record_of_an_earlier_version_is_told_apart_from_a_damaged_one(tmp_path: Path) -> None:
    store = Store(tmp_path)
    for name in ("old", "damaged", "new"):
        store.write(record(name))
    old, damaged = (store.folder(name) / "cell.json" for name in ("old", "damaged"))
    content = json.loads(old.read_bytes())
    old.write_text(json.dumps({k: v for k, v in content.items() if k not in ("version", "digest", "modules")}))
    damaged.write_bytes(damaged.read_bytes().replace(b"lstm", b"lstn"))
    assert store.outdated() == ["old"]
    assert [one.id for one in store.readable()] == ["new"]


def test_raw_ids_are_kept_out() -> None:
    with pytest.raises(ValueError, match="row numbers"):
        Store(Path("nowhere")).write(record(), judged=evaluation({"user": np.array(["alice"])}))
    with pytest.raises(ValueError, match="cell id"):
        Store(Path("nowhere")).folder("../escape")


WRITER = """
import sys
from pathlib import Path
from lab.results.store import Store
from tests.results.made import evaluation, metrics, record, same_everywhere
from dataclasses import replace
store = Store(Path(sys.argv[1]))
for i in range(100_000):
    value = 2.0 ** -(i % 1_000)  # a power of two, so that the mean of equal values is the value to the last bit
    users = same_everywhere(value)
    store.write(replace(record(), metrics=metrics(users)), judged=evaluation(users), checkpoint=str(value).encode())
    if i == 0:
        print("ready", flush=True)
"""


def test_a_kill_at_any_moment_leaves_a_whole_cell_or_none(tmp_path: Path) -> None:
    store, found = Store(tmp_path), 0
    for wait in (0.0, 0.011, 0.023, 0.037):
        command = [sys.executable, "-c", WRITER, str(tmp_path)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, cwd=ROOT) as process:
            assert process.stdout is not None and process.stdout.readline() == b"ready\n"
            with pytest.raises(subprocess.TimeoutExpired):
                process.wait(wait)
            process.send_signal(signal.SIGKILL)
        for cell in store.records():
            value = float(store.checkpoint(cell.id))
            assert set(store.users(cell.id)["ndcg@10"]) == {value}
            assert {m.value for m in cell.metrics} == {value}
            found += 1
    assert found


@pytest.mark.parametrize("name", ["figures", "cells", "claims", "wandb", "cells/some"])
def test_a_folder_of_the_results_that_is_a_link_is_not_written_through(tmp_path: Path, name: str) -> None:
    (elsewhere := tmp_path / "elsewhere").mkdir()
    root = tmp_path / "results"
    (root / "cells").mkdir(parents=True)
    if name == "cells":
        (root / "cells").rmdir()
    (root / name).symlink_to(elsewhere)
    for write in (Store(root).check_writable, lambda: write_report(root), lambda: draw_report(root)):
        with pytest.raises(InputError, match=f"results/{name}: is a link to {elsewhere}, which would be written to"):
            write()
    assert os.listdir(elsewhere) == []
    (link := tmp_path / "link").symlink_to(tmp_path / "whole")
    (tmp_path / "whole").mkdir()
    Store(link).check_writable()  # the folder itself may lie elsewhere


def test_a_folder_that_cannot_be_written_is_told_before_any_work(tmp_path: Path) -> None:
    Store(tmp_path / "new").check_writable()
    assert os.listdir(tmp_path) == []
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(InputError, match="file is a file; name a folder"):
        Store(tmp_path / "file").check_writable()
    if (forbidden := Path("/sys")).is_dir():  # also to the superuser
        with pytest.raises(InputError, match="--out: /sys/lab may not be written to; name another folder"):
            Store(forbidden / "lab").check_writable()
    if Path("/proc/self").is_dir():  # where nothing can be made, and nothing says that it is forbidden
        with pytest.raises(LabError) as refused:
            Store(Path("/proc/lab")).check_writable()
        assert "/proc/lab: cannot be written" in str(refused.value) and ".writable" not in str(refused.value)
