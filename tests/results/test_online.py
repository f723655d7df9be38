"""Cells that go online, to a server on loopback that answers W&B's real client; and what is done when it fails."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from lab.ledger import SUMMARY, run_id
from lab.store import CHECKPOINT, Store
from lab.tracking import Tracker, Tracking
from tests.results.made import record
from tests.wandb_server import KEY, Fault, Server, StoredRun

EXPERIMENT = """
from lab import Experiment, Training, register
from lab.baselines import RecentPopularity
from lab.data.sources import SyntheticShop
from lab.models import RNN
from lab.targets import Interest

register(Experiment(
    name="tiny", source=SyntheticShop(users=40, days=120, categories=8, items=40), target=Interest(), horizons=(7,),
    features={"ids": ("category",)}, models=(RNN(width=8),), seeds=1, baselines=(RecentPopularity(),),
    training=Training(steps=60, batch=4, row_length=32, overlap=8, evaluate_every=20, patience=0),
))
"""
DATA = {"fingerprint": "f" * 64, "licence": "CC0-1.0"}


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    with Server() as server:
        for name, value in environment(server, tmp_path).items():
            monkeypatch.setenv(name, value)
        yield server
    assert server.failures == []


def environment(server: Server, folder: Path) -> dict[str, str]:
    """What points W&B's client at the server, lets it wait for a busy machine, and keeps it from writing elsewhere."""
    places = {f"WANDB_{name}_DIR": str(folder / name) for name in ("DATA", "CACHE", "CONFIG")}
    patience = {f"WANDB_{what}_TIMEOUT": "100" for what in ("INIT", "FINISH", "HTTP")}
    return places | patience | {"WANDB_BASE_URL": server.url, "WANDB_API_KEY": KEY}


def curve(rows: int) -> dict[str, np.ndarray]:
    step = np.arange(1, rows + 1) * 10
    return {"step": step, "loss": 3.0 - step / 100}


def stored(root: Path) -> Store:
    """A trained cell and a baseline, and tables of them."""
    store = Store(root / "shop")
    store.write(record("a"), curve=curve(3), checkpoint=b"parameters")
    store.write(record("b", kind="baseline", model="repeat", features="", seed=None))
    (store.root / "summary.csv").write_text("model,mean\nlstm,0.25\n")
    return store


def tracker(store: Store, said: list[str], patience: float = 60) -> Tracker:
    about = {"group": "shop-1234", "dataset": DATA}
    return Tracker(store.root, Tracking(mode="online", patience=patience), said.append, about)


def mirrored(store: Store, *cells: str) -> list[str]:
    """What is said of mirroring the cells, or what is missing of all there are, and the tables."""
    said: list[str] = []
    with tracker(store, said) as mirror:
        mirror.missing(cells or [cell.id for cell in store.records()])
        mirror.summary()
    return [line for line in said if "waiting up to" not in line]


def run_of(server: Server, cell: str) -> StoredRun:
    return server.runs[run_id("shop-1234", cell)]


def below(pid: int) -> list[int]:
    """The processes that a process began, and those they began: the mirror, and W&B's service."""
    begun = [int(one) for path in Path(f"/proc/{pid}/task").glob("*/children") for one in path.read_text().split()]
    return [one for child in begun for one in (child, *below(child))]


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Server, Path, list[str]]]:
    """A whole experiment that went online, and did so again after it was killed as its first cell's run was ending."""
    home = tmp_path_factory.mktemp("online")
    (home / "tiny.py").write_text(EXPERIMENT)
    command = [sys.executable, "-m", "lab.run", "tiny.py", "--tracking.mode", "online", "--tracking.project", "lab"]
    with Server() as server:
        known = {"PYTHONPATH": str(Path(__file__).parents[2]), "LAB_CACHE": str(home / "cache"), "COLUMNS": "80"}
        known = os.environ | known | environment(server, home) | {"JAX_NUMPY_RANK_PROMOTION": "allow"}
        server.fault = Fault('"complete": *true', hangs=True)
        with subprocess.Popen(command, cwd=home, env=known, stdout=subprocess.DEVNULL) as first:
            assert server.noticed.wait(100)
            for pid in (first.pid, *below(first.pid)):
                os.kill(pid, signal.SIGKILL)
        server.fault = None
        server.released.set()
        again = subprocess.run(command, cwd=home, env=known, capture_output=True, text=True, timeout=100)
        assert again.returncode == 0, again.stderr
        yield server, home / "results" / "tiny", again.stdout.splitlines()
    assert server.failures == []


Finished = tuple[Server, Path, list[str]]


def by_name(server: Server) -> dict[str, StoredRun]:
    return {run.fields["displayName"]: run for run in server.runs.values()}


def test_every_cell_has_a_run_of_its_name_in_one_group(finished: Finished) -> None:
    server, root, said = finished
    (group,) = {run.fields["groupName"] for run in server.runs.values()}
    assert group.startswith("tiny-")
    assert set(server.runs) == {run_id(group, cell) for cell in [*(r.id for r in Store(root).records()), SUMMARY]}
    assert {name: run.fields["jobType"] for name, run in by_name(server).items()} == {
        "oracle-7d": "oracle", "popularity-7d": "baseline", "RNN width=8-ids-7d-0": "model", "summary": "summary",
    }  # fmt: skip
    assert all(run.project == "lab" and run.exits[-1] == 0 for run in server.runs.values())
    assert any("W&B: 4 runs mirrored online." in line for line in said)


def test_a_history_is_whole_and_has_one_step_metric(finished: Finished) -> None:
    server, root, _ = finished
    run = by_name(server)["RNN width=8-ids-7d-0"]
    (cell,) = (record for record in Store(root).records() if record.kind == "model")
    curve = Store(root).curve(cell.id)
    assert [row["_step"] for row in run.history] == list(range(len(curve["step"])))
    for name, column in curve.items():
        assert [row[name] for row in run.history] == pytest.approx(column.tolist(), nan_ok=True)
    named, others = run.metrics
    assert (named["1"], others["2"], others["5"]) == ("step", "*", 1)  # all others are drawn over metric no. 1
    measured = {f"{one.split}/{one.slice}/{one.metric}": one.value for one in cell.metrics}
    assert {name: run.summary[name] for name in measured} == pytest.approx(measured, nan_ok=True)
    assert run.config["config/training/steps"]["value"] == 60


def test_the_run_that_a_kill_cut_off_was_joined_again(finished: Finished) -> None:
    server, _, _ = finished
    (joined,) = [run for run in server.runs.values() if run.joined]
    # The killed process said that it was at its end, too, and was not heard.
    assert (joined.joined, joined.exits) == (1, [0])


def test_the_log_and_the_checkpoint_are_artifacts_and_the_tables_are_looked_at(finished: Finished) -> None:
    server, root, _ = finished
    runs = by_name(server)
    (log,) = (name for name, one in server.artifacts.items() if one["type"] == "dataset")
    assert all(run.used == [log] or run.joined for run in runs.values())
    assert set(json.loads(server.artifacts[log]["files"]["dataset.json"])) >= {"fingerprint", "licence", "folds"}
    (model,) = (one for one in server.artifacts.values() if one["type"] == "model")
    (cell,) = (record for record in Store(root).records() if record.kind == "model")
    assert model["files"][CHECKPOINT] == Store(root).checkpoint(cell.id)
    assert {one["state"] for one in server.artifacts.values()} == {"COMMITTED"}
    for table in ("summary", "comparisons", "cells"):
        shown = json.loads(runs["summary"].files[runs["summary"].history[-1][f"tables/{table}"]["path"]])
        assert shown["columns"] == list(pd.read_csv(root / f"{table}.csv").columns)
        assert len(shown["data"]) == len(pd.read_csv(root / f"{table}.csv"))


def test_a_cell_that_went_on_joins_its_run_and_adds_what_is_new(server: Server, tmp_path: Path) -> None:
    store = stored(tmp_path)
    assert mirrored(store) == ["W&B: 3 runs mirrored online."]
    before = run_of(server, "a").history
    store.write(record("a"), curve=curve(5), checkpoint=b"others")
    assert mirrored(store) == ["W&B: 1 run mirrored online."]
    run = run_of(server, "a")
    assert run.joined == 1 and run.history[:3] == before
    assert [row["step"] for row in run.history] == [10, 20, 30, 40, 50]
    models = [one["files"][CHECKPOINT] for one in server.artifacts.values() if one["type"] == "model"]
    assert models == [b"parameters", b"others"]


def test_what_is_mirrored_is_left_alone(server: Server, tmp_path: Path) -> None:
    store = stored(tmp_path)
    mirrored(store)
    asked = len(server.asked)
    assert mirrored(store) == []
    assert len(server.asked) == asked
