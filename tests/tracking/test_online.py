"""Cells that go online, to a server on loopback that answers W&B's real client; and what is done when it fails."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from lab.evaluation.measures import Measures, MetricSpec
from lab.results.cell_files import CHECKPOINT
from lab.results.store import Store
from lab.tracking.ledger import SUMMARY, run_id
from lab.tracking.tracker import UNHARMED, Tracker, Tracking
from tests.forking import Home
from tests.forking import Server as Forks
from tests.results.made import record
from tests.tracking.wandb_server import ENTITY, KEY, Fault, Server, StoredRun

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


def stored(root: Path, **changes: Any) -> Store:
    """A trained cell and a baseline, with `changes` of both, and tables of them."""
    store = Store(root / "shop")
    store.write(record("a", **changes), curve=curve(3), checkpoint=b"parameters")
    store.write(record("b", kind="baseline", model="repeat", features="", seed=None, **changes))
    (store.root / "summary.csv").write_text("model,mean\nlstm,0.25\n")
    (store.root / "figures").mkdir()
    Image.new("RGB", (3, 2)).save(store.root / "figures" / "horizons.png")
    return store


def tracker(store: Store, said: list[str], mode: Literal["online", "offline"] = "online") -> Tracker:
    about = {"group": "shop-1234", "dataset": DATA}
    return Tracker(store.root, Tracking(mode=mode, patience=600), said.append, about)


def mirrored(store: Store, mode: Literal["online", "offline"] = "online") -> list[str]:
    """What is said of mirroring what is missing of the cells, and the tables."""
    said: list[str] = []
    with tracker(store, said, mode) as mirror:
        mirror.missing([cell.id for cell in store.records()])
        mirror.summary()
    return [line for line in said if "waiting up to" not in line and "W&B: workspace: " not in line]


def pid_of(tracker: Tracker) -> int:
    assert tracker._mirror is not None
    return tracker._mirror.pid


def run_of(server: Server, cell: str) -> StoredRun:
    return server.runs[run_id("shop-1234", cell)]


def below(pid: int) -> list[int]:
    """The processes that a process began, and those they began: the mirror, and W&B's service."""
    begun = [int(one) for path in Path(f"/proc/{pid}/task").glob("*/children") for one in path.read_text().split()]
    return [one for child in begun for one in (child, *below(child))]


@pytest.fixture(scope="module")
def finished(forks: Forks, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Server, Path, list[str]]]:
    """A whole experiment that went online, and did so again after it was killed as its first cell's run was ending."""
    home = tmp_path_factory.mktemp("online")
    (home / "tiny.py").write_text(EXPERIMENT)
    online = ("tiny.py", "--tracking.mode", "online", "--tracking.project", "lab", "--tracking.patience", "600")
    with Server() as server:
        commands = Home(forks, home, {"WANDB_MODE": "online"} | environment(server, home))
        server.fault = Fault('"complete": *true', hangs=True)
        first = commands.start("lab.run", *online)
        assert server.noticed.wait(600)
        for pid in (first.number, *below(first.number)):
            os.kill(pid, signal.SIGKILL)
        first.wait()
        server.fault = None
        server.released.set()
        again = commands.run("lab.run", *online)
        assert again.code == 0, again.complained
        yield server, home / "results" / "tiny", again.said.splitlines()
    assert server.failures == []


Finished = tuple[Server, Path, list[str]]


def by_name(server: Server, project: str | None = None) -> dict[str, StoredRun]:
    """The runs of a project, or of all, by the names they are shown by."""
    return {run.fields["displayName"]: run for run in server.runs.values() if project in (None, run.project)}


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
    defined = {one.get("1") or one["2"]: one for one in run.metrics}
    # All others are drawn over the step, which is named by its place, from 1.
    assert all(run.metrics[defined[one]["5"] - 1]["1"] == "step" for one in ("*", "valid_loss"))
    assert defined["valid_loss"]["7"] == [1]  # 1: min
    assert run.summary["valid_loss"] == {"min": pytest.approx(np.nanmin(curve["valid_loss"]))}
    measured = {f"{one.split}/{one.slice}/{one.metric}": one.value for one in cell.metrics}
    assert {name: run.summary[name] for name in measured} == pytest.approx(measured, nan_ok=True)
    assert defined["test/novel/ndcg@10"]["7"] == [2]  # 2: max
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
    shown = {key.removeprefix("figures/") for key in runs["summary"].history[-1] if key.startswith("figures/")}
    assert shown == {path.stem for path in (root / "figures").glob("*.png")}


def test_a_cell_that_went_on_joins_its_run_and_adds_what_is_new(server: Server, tmp_path: Path) -> None:
    store = stored(tmp_path)
    assert mirrored(store) == ["W&B: 3 runs mirrored online."]
    before, tables = run_of(server, "a").history, run_of(server, SUMMARY)
    drawn = tables.files[tables.history[-1]["figures/horizons"]["path"]]
    assert drawn == (store.root / "figures" / "horizons.png").read_bytes()
    store.write(record("a"), curve=curve(5), checkpoint=b"others")
    assert mirrored(store) == ["W&B: 1 run mirrored online."]
    run = run_of(server, "a")
    assert run.joined == 1 and run.history[:3] == before
    assert [row["step"] for row in run.history] == [10, 20, 30, 40, 50]
    models = [one["files"][CHECKPOINT] for one in server.artifacts.values() if one["type"] == "model"]
    assert models == [b"parameters", b"others"]
    asked = len(server.asked)
    assert mirrored(store) == []  # nothing is missing now
    assert len(server.asked) == asked


KEPT = "from here on runs are kept offline."
ANSWERS = {
    "fails": (Fault("/graphql"), "Failed to get resume status"),
    "hangs": (Fault("/graphql", hangs=True), "Failed to get resume status"),
    "refuses the key": (None, "(is the key right? wandb login --relogin)"),
    "fails as a run ends": (Fault("file_stream"), "a run was not taken within 1 s"),
    "hangs as a run ends": (Fault("file_stream", hangs=True), "a run was not taken within 1 s"),
    "fails to take the checkpoint": (Fault("CreateArtifact ", status=403), "403"),
}


@pytest.mark.parametrize("what", ANSWERS)
def test_what_a_server_does_not_take_is_kept_offline_and_said(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    store = stored(tmp_path)
    server.fault, said = ANSWERS[what]
    if server.fault is None:
        monkeypatch.setenv("WANDB_API_KEY", "w" * 40)
    else:
        monkeypatch.setenv("WANDB_FINISH_TIMEOUT" if "run ends" in what else "WANDB_INIT_TIMEOUT", "1")
    warned, kept, *left = mirrored(store)
    assert server.url in warned and said in warned and warned.endswith(KEPT)
    # What the server may have a part of is not sent from a copy, which would follow that part.
    count = 3 - bool(left)
    assert kept == f"W&B: {count} runs kept offline; to send them: wandb sync {store.root}/wandb/offline-run-*"
    assert bool(left) == bool(server.runs)
    assert len(list((store.root / "wandb").glob("offline-run-*"))) == count


def test_a_killed_service_costs_a_line_and_its_run_is_joined_later(server: Server, tmp_path: Path) -> None:
    store, said = stored(tmp_path), []
    server.fault = Fault('"complete": *true', hangs=True)
    with tracker(store, said) as mirror:
        mirror.cell("a")
        assert server.noticed.wait(300)
        for pid in below(pid_of(mirror)):
            os.kill(pid, signal.SIGKILL)
        mirror.cell("b")
    assert said[-3:] == [
        f"W&B: W&B's service on this machine ended before its run did; {KEPT}",
        f"W&B: 1 run kept offline; to send them: wandb sync {store.root}/wandb/offline-run-*",
        "W&B: 1 run begun online; the same command, online, ends what is there.",
    ]
    server.fault = None
    assert mirrored(store) == ["W&B: 2 runs mirrored online."]
    assert [row["step"] for row in run_of(server, "a").history] == [10, 20, 30]


def test_a_server_that_hangs_is_waited_for_no_longer_than_said(server: Server, tmp_path: Path) -> None:
    store, said = stored(tmp_path), []
    server.fault = Fault("/graphql", hangs=True)
    with tracker(store, said) as mirror:
        mirror.cell("a")
        mirror.close(3)
    assert said == ["W&B: waiting up to 3 s for its mirror to end.", f"W&B: not done within 3 s and left; {UNHARMED}."]


def sync(store: Store) -> None:
    """What a run says to do."""
    copies = sorted((store.root / "wandb").glob("offline-run-*"))
    command = [sys.executable, "-m", "wandb", "sync", *map(str, copies)]
    subprocess.run(command, cwd=store.root, check=True, capture_output=True)


def test_a_sync_makes_each_cell_one_whole_run_though_the_mirror_was_killed(server: Server, tmp_path: Path) -> None:
    store = stored(tmp_path)
    with tracker(store, [], "offline") as mirror:
        mirror.cell("a")
        while not list((store.root / "wandb").glob("offline-run-*/*.wandb")):
            time.sleep(0.01)
        for pid in (pid_of(mirror), *below(pid_of(mirror))):
            os.kill(pid, signal.SIGKILL)
    (kept,) = mirrored(store, "offline")
    assert kept.startswith("W&B: 3 runs kept offline")
    sync(store)
    assert {name: run.fields["groupName"] for name, run in by_name(server).items()} == dict.fromkeys(
        ("lstm-full-7d-0", "repeat-7d", "summary"), "shop-1234"
    )
    assert [row["step"] for row in run_of(server, "a").history] == [10, 20, 30]
    assert {one["type"] for one in server.artifacts.values()} == {"dataset", "model", "run_table"}
    sync(store)  # what was sent is sent no more
    assert [row["step"] for row in run_of(server, "a").history] == [10, 20, 30]
    # A copy of more would follow what is there: that run must be joined.
    store.write(record("a"), curve=curve(5))
    assert mirrored(store, "offline") == ["W&B: 1 run begun online; the same command, online, ends what is there."]
    assert mirrored(store) == ["W&B: 1 run mirrored online."]
    assert [row["step"] for row in run_of(server, "a").history] == [10, 20, 30, 40, 50]


IDENTITY = {
    "WANDB_RUN_ID": "taken", "WANDB_SWEEP_ID": "sweep", "WANDB_RUN_GROUP": "others", "WANDB_NAME": "mine",
    "WANDB_RESUME": "must", "WANDB_JOB_TYPE": "job", "WANDB_NOTES": "note", "WANDB_TAGS": "a,b", "WANDB_PROJECT": "p",
    "WANDB_FORK_FROM": "taken?_step=1", "WANDB_RESUME_FROM": "taken?_step=1", "WANDB_RUN_NAME": "mine",
}  # fmt: skip


@pytest.mark.parametrize("mode", ["online", "offline"])
def test_runs_have_ids_of_their_own_whatever_the_environment_says(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mode: Literal["online", "offline"]
) -> None:
    store = stored(tmp_path)
    for name, value in IDENTITY.items():
        monkeypatch.setenv(name, value)
    told, _ = mirrored(store, mode)
    assert told == (
        f"W&B: {', '.join(sorted(IDENTITY))} of the environment are ignored: each cell has a run of its own."
    )
    for name in IDENTITY:
        monkeypatch.delenv(name)
    if mode == "offline":
        sync(store)
    assert set(server.runs) == {run_id("shop-1234", name) for name in ("a", "b", SUMMARY)}
    assert set(by_name(server)) == {"lstm-full-7d-0", "repeat-7d", "summary"}
    for run in server.runs.values():
        assert run.fields["groupName"] == "shop-1234" and run.project == "interest-lab"
        assert not run.fields.get("sweep") and not run.fields.get("notes") and "a" not in (run.fields.get("tags") or [])
    assert run_of(server, "a").fields["jobType"] == "model"


def test_a_group_is_given_one_workspace_where_the_package_is_there(server: Server, tmp_path: Path) -> None:
    pytest.importorskip("wandb_workspaces")
    store = stored(tmp_path)
    assert mirrored(store) == ["W&B: 3 runs mirrored online."]
    (tmp_path / "shop" / "summary.csv").write_text("model,mean\nlstm,0.5\n")
    assert mirrored(store) == ["W&B: 1 run mirrored online."]
    (view,) = server.views
    assert (view["projectName"], view["entityName"], view["displayName"]) == ("interest-lab", ENTITY, "shop-1234")
    assert "shop-1234" in json.dumps(json.loads(view["spec"])["section"]["runSets"][0]["filters"])
    shown = set(re.findall(r"valid_loss|test/\w+/ndcg@10", view["spec"]))
    assert shown == {"valid_loss", "test/all/ndcg@10", "test/repeat/ndcg@10", "test/novel/ndcg@10"}
    (order,) = order_of(view)
    assert order == {"key": {"section": "summary", "name": "test/all/ndcg@10"}, "ascending": False}


def order_of(view: dict[str, Any]) -> list[dict[str, Any]]:
    """What the runs of a workspace are sorted by."""
    return json.loads(view["spec"])["section"]["runSets"][0]["sort"]["keys"]


def test_a_workspace_of_a_metric_of_which_less_is_better_begins_with_the_least(server: Server, tmp_path: Path) -> None:
    pytest.importorskip("wandb_workspaces")
    loss = MetricSpec(name="log_loss", title="log loss", definition="of the chance", better="lower")
    store = stored(tmp_path, measures=Measures(metrics=(loss,), leading="log_loss"))
    assert mirrored(store) == ["W&B: 3 runs mirrored online."]
    (view,) = server.views
    assert set(re.findall(r"test/\w+/\w+", view["spec"])) == {"test/all/log_loss"} and "log loss, all" in view["spec"]
    (order,) = order_of(view)
    assert order == {"key": {"section": "summary", "name": "test/all/log_loss"}, "ascending": True}
