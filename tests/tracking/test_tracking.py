"""Cells in the real W&B, kept offline; and W&B really failing while the run goes on."""

import os
import resource
import shlex
import signal
import time
from pathlib import Path

import numpy as np
import pytest

from lab.core.errors import InputError
from lab.evaluation.measures import Metric
from lab.results.store import Store
from lab.tracking import wandb_file
from lab.tracking.ledger import run_id
from lab.tracking.tracker import UNHARMED, Tracker, Tracking
from lab.tracking.wandb_run import flat, run_name
from tests.results.made import record


def two_cells(root: Path) -> Store:
    store = Store(root)
    config = {"model": {"width": 64, "lab.models": "LSTM"}, "training": {"rate": 0.1}}
    metrics = (Metric("test", "all", "ndcg@10", 0.25), Metric("test", "novel", "ndcg@10", float("nan")))
    curve = {"step": np.array([10, 20, 30]), "loss": np.array([3.0, 2.5, 2.25]), "valid": np.array([np.nan, 0.2, 0.3])}
    store.write(record("a", config=config, metrics=metrics), curve=curve)
    store.write(record("b", seed=1, status="diverged", reason="not finite at step 3"))
    return store


def mirrored(root: Path, settings: Tracking, cells: tuple[str, ...] = ("a", "b")) -> list[str]:
    said: list[str] = []
    with Tracker(root, settings, said.append) as tracker:
        for cell in cells:
            tracker.cell(cell)
    return [line for line in said if "waiting up to" not in line]


def pid_of(tracker: Tracker) -> int:
    assert tracker._mirror is not None
    return tracker._mirror.pid


def runs_by_name(root: Path) -> dict:
    """What is kept of each run, and all its records."""
    runs = {}
    for folder in (root / "wandb").glob("offline-run-*"):
        records = list(wandb_file.records(next(folder.glob("*.wandb"))))
        run = next(one.run for one in records if one.HasField("run"))
        assert run.display_name not in runs
        runs[run.display_name] = run, records
    return runs


@pytest.fixture(scope="module")
def offline(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[str]]:
    root = tmp_path_factory.mktemp("results") / "lstm_vs_transformer"
    two_cells(root)
    return root, mirrored(root, Tracking(project="lab-tests"))


def test_a_run_per_cell_is_kept_offline_and_said_in_one_line(offline: tuple[Path, list[str]]) -> None:
    root, said = offline
    assert len(list((root / "wandb").glob("offline-run-*"))) == 2
    assert said == [f"W&B: 2 runs kept offline; to send them: wandb sync {root}/wandb/offline-run-*"]


def test_the_command_that_sends_them_can_be_typed(tmp_path: Path) -> None:
    two_cells(tmp_path / "my $results")
    (said,) = mirrored(tmp_path / "my $results", Tracking(project="lab-tests"), ("a",))
    assert shlex.split(said.partition("them: ")[2]) == ["wandb", "sync", f"{tmp_path}/my $results/wandb/offline-run-*"]


def test_a_run_carries_what_its_cell_is(offline: tuple[Path, list[str]]) -> None:
    root, _ = offline
    runs = runs_by_name(root)
    run, records = runs["lstm-full-7d-0"]
    assert (run.project, run.run_group, run.job_type) == ("lab-tests", "lstm_vs_transformer", "model")
    assert set(run.tags) == {"lstm", "full", "interest", "7 days", "done"}
    config = {item.key for one in records if one.HasField("run") for item in one.run.config.update}
    assert {"cell/id", "config/model/width", "config/model/lab_models", "config/training/rate"} <= config
    assert not any("." in key for key in config)
    history = [one.history for one in records if one.HasField("history")]
    assert len(history) == 3
    metrics = {one.metric.name or one.metric.glob_name for one in records if one.HasField("metric")}
    assert metrics >= {"step", "*"}
    assert "diverged" in runs["lstm-full-7d-1"][0].tags


def test_handing_a_cell_over_waits_for_nothing(tmp_path: Path) -> None:
    two_cells(tmp_path)
    with Tracker(tmp_path, Tracking(mode="offline", patience=0), lambda line: None) as tracker:
        tracker.cell("a")  # starts the process
        assert tracker._mirror is not None
        os.kill(
            tracker._mirror._process.pid, signal.SIGSTOP
        )  # it reads nothing from here on: who waited for it would hang
        for _ in range(20_000):  # more than a pipe holds
            tracker.cell("b" * 100)
        os.kill(tracker._mirror._process.pid, signal.SIGCONT)


def test_off_is_off(tmp_path: Path) -> None:
    two_cells(tmp_path)
    assert mirrored(tmp_path, Tracking(mode="off")) == []
    assert not (tmp_path / "wandb").exists()


def test_a_refusal_by_wandb_is_told_once(tmp_path: Path) -> None:
    two_cells(tmp_path)
    (said,) = mirrored(tmp_path, Tracking(mode="offline", project="no/such?project"))
    assert "no/such?project" in said and "results are complete without it" in said


def test_a_server_that_is_not_there_leaves_the_runs_offline(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    two_cells(tmp_path)
    monkeypatch.setenv("WANDB_BASE_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("WANDB_API_KEY", "x" * 40)
    monkeypatch.setenv("WANDB_INIT_TIMEOUT", "1")
    warned, told = mirrored(tmp_path, Tracking(mode="online"))
    assert "from here on runs are kept offline" in warned and "2 runs kept offline" in told


def test_a_killed_mirror_is_told_once_and_the_run_goes_on(tmp_path: Path) -> None:
    two_cells(tmp_path)
    said: list[str] = []
    with Tracker(tmp_path, Tracking(mode="offline"), said.append) as tracker:
        tracker.cell("a")
        os.kill(pid_of(tracker), signal.SIGKILL)
        time.sleep(0.1)
        tracker.cell("b")
        tracker.cell("b")
    assert len(said) == 1 and "results are complete without it" in said[0]


def test_a_mirror_that_does_not_end_is_left(tmp_path: Path) -> None:
    two_cells(tmp_path)
    said: list[str] = []
    with Tracker(tmp_path, Tracking(mode="offline", patience=0.2), said.append) as tracker:
        tracker.cell("a")
        os.kill(pid := pid_of(tracker), signal.SIGSTOP)
    assert said == [f"W&B: not done within 0.2 s and left; {UNHARMED}."]
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def test_a_folder_for_wandb_that_cannot_be_made_is_told_once(tmp_path: Path) -> None:
    two_cells(tmp_path)
    (tmp_path / "wandb").write_bytes(b"in the way")
    (said,) = mirrored(tmp_path, Tracking(mode="offline"))
    assert "results are complete without it" in said


def test_a_disk_that_is_full_for_wandb_is_told_and_the_cell_made_up_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows, store = 1_000, Store(tmp_path)
    store.write(record("a"), curve={"step": np.arange(rows), "loss": np.linspace(3, 1, rows)})
    monkeypatch.setenv("WANDB_FINISH_TIMEOUT", "2")
    said: list[str] = []
    with Tracker(tmp_path, Tracking(mode="offline", patience=600), said.append) as tracker:
        tracker.cell("a")
        # Room for W&B's logs, and not for all of a run.
        resource.prlimit(pid_of(tracker), resource.RLIMIT_FSIZE, (30_000, 30_000))
    assert "is the disk full?" in said[-1] and said[-1].endswith("the same command mirrors what is missing.")
    monkeypatch.delenv("WANDB_FINISH_TIMEOUT")
    with Tracker(tmp_path, Tracking(mode="offline", patience=600), said.append) as tracker:
        tracker.missing(["a"])
    assert "1 run kept offline" in said[-1]
    ((_, records),) = runs_by_name(tmp_path).values()
    assert len([one for one in records if one.HasField("history")]) == rows


def test_settings_are_checked(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"tracking\.mode"):
        Tracking(mode="on")  # type: ignore[arg-type]
    with pytest.raises(InputError, match=r"tracking\.patience"):
        Tracking(patience=-1)
    monkeypatch.setenv("WANDB_MODE", "banana")
    with pytest.raises(InputError, match="WANDB_MODE: 'banana'"):
        Tracker(tmp_path, Tracking(), print)


def test_nested_settings_become_one_level_without_dots() -> None:
    assert flat({"a": {"b.c": 1, "d": {}}, "e": [1, 2]}) == {"a/b_c": 1, "a/d": {}, "e": [1, 2]}


def test_a_run_is_named_by_what_was_compared() -> None:
    assert run_name(record()) == "lstm-full-7d-0"
    assert run_name(record(fold=2, seed=3)) == "lstm-full-7d-fold2-3"
    assert run_name(record(kind="baseline", model="repeat", features="", seed=None)) == "repeat-7d"


def test_a_cell_mirrored_twice_offline_is_one_run_with_one_history(tmp_path: Path) -> None:
    two_cells(tmp_path)
    settings = Tracking(mode="offline")
    mirrored(tmp_path, settings, ("a",))
    mirrored(tmp_path, settings, ("a",))
    ((run, records),) = runs_by_name(tmp_path).values()
    assert run.run_id == run_id(tmp_path.name, "a")
    assert len([one for one in records if one.HasField("history")]) == 3


def test_lineage_and_tables_are_kept_and_no_row_of_the_log(tmp_path: Path) -> None:
    store = two_cells(tmp_path)
    store.write(record("c", seed=2), checkpoint=b"parameters")
    (tmp_path / "summary.csv").write_text("model,mean\nlstm,0.25\n")
    data = {"fingerprint": "f" * 64, "licence": "CC0-1.0", "folds": [{"test_cutoff": 7}]}
    with Tracker(tmp_path, Tracking(mode="offline"), print, {"group": "shop-1234", "dataset": data}) as tracker:
        tracker.cell("c")
        tracker.summary()
    runs = runs_by_name(tmp_path)
    run, records = runs["lstm-full-7d-2"]
    assert run.run_group == "shop-1234"
    kinds = {a.type: a for one in records if (a := one.request.log_artifact.artifact).type}
    kinds |= {one.artifact.type: one.artifact for one in records if one.HasField("artifact")}
    assert set(kinds) == {"dataset", "model"}
    assert kinds["dataset"].use_after_commit and not kinds["model"].use_after_commit
    assert [entry.path for entry in kinds["model"].manifest.contents] == ["checkpoint"]
    assert [entry.path for entry in kinds["dataset"].manifest.contents] == ["dataset.json"]
    run, records = runs["summary"]
    assert run.job_type == "summary"
    (history,) = [one.history for one in records if one.HasField("history")]
    logged = {(item.key or "/".join(item.nested_key)).split("/")[1] for item in history.item if "/" in str(item)}
    assert "summary" in logged and "comparisons" not in logged
