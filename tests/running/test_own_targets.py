"""Targets of somebody's own file that predict numbers, through every command and every file that a run leaves."""

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest

from lab.pins.pin_file import measures_of, read_pin
from lab.results.store import Store
from lab.tracking.wandb_run import run_name
from tests.forking import ROOT, Ended, Home, Server
from tests.tracking.test_online import by_name, environment
from tests.tracking.wandb_server import Server as WandbServer

OWN = (ROOT / "tests" / "running" / "own_targets.py").read_text()


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("own")
    (home / "online").mkdir()
    (home / "silent.py").write_text(OWN)
    # The same by a metric of whole cells of which more is better, and of another log.
    auc = OWN.replace('LEADING = "log_loss"', 'LEADING = "roc_auc"').replace('name="own"', 'name="auc"')
    (home / "auc.py").write_text(auc)
    (home / "other.py").write_text(OWN.replace('name="own"', 'name="other"').replace("items=40", "items=40, seed=1"))
    counts = OWN.replace("target=Silent()", "target=HowMany()").replace('name="own"', 'name="counts"')
    (home / "counts.py").write_text(counts)
    return home


@pytest.fixture(scope="module")
def commands(home: Path, forks: Server) -> Home:
    return Home(forks, home)


@pytest.fixture(scope="module")
def wandb_server() -> Iterator[WandbServer]:
    with WandbServer() as server:
        yield server
    assert server.failures == []


@pytest.fixture(scope="module")
def runs(commands: Home, home: Path, forks: Server, wandb_server: WandbServer) -> dict[str, Ended]:
    """Those of each target; the binary one and the count go online too."""
    mirrored = Home(forks, home / "online", {"WANDB_MODE": "online"} | environment(wandb_server, home))
    online = ("--out", "../results", "--tracking.patience", "600")
    processes = {"auc": commands.start("lab.run", "auc.py")} | {
        name: mirrored.start("lab.run", f"../{name}.py", "--tracking.project", name, *online)
        for name in ("silent", "counts")
    }
    ended = {name: one.ended() for name, one in processes.items()}
    for name, one in ended.items():
        assert one.code == 0 and "Traceback" not in one.complained, (name, one.said, one.complained)
    return ended


def table(home: Path, name: str) -> pd.DataFrame:
    return pd.read_csv(home / "results" / name / "summary.csv")


def best(frame: pd.DataFrame, metric: str, least: bool) -> list[str]:
    """The best row of each horizon, by hand."""
    mine = frame[(frame.metric == metric) & (frame.slice == "all")]
    rows = [part.loc[part["mean"].idxmin() if least else part["mean"].idxmax()] for _, part in mine.groupby("horizon")]
    return [" · ".join(filter(lambda part: part == part and part, (row.model, row.features))) for row in rows]


@pytest.mark.parametrize(
    ("name", "metric", "least", "label"),
    [("own", "log_loss", True, "log loss"), ("auc", "roc_auc", False, "ROC AUC"), ("counts", "mae", True, "MAE")],
)
def test_the_best_row_is_best_in_every_table(
    home: Path, runs: dict[str, Ended], name: str, metric: str, least: bool, label: str
) -> None:
    root, said = home / "results" / name, runs["silent" if name == "own" else name].said
    wanted = best(table(home, name), metric, least)
    rows = [line for line in said.splitlines() if "*" in line.split("Best")[0] and "±" in line]
    assert [line.split("  ")[0] for line in rows] == wanted
    assert f"{label}" in said and (("Lower is better." in said) == least)
    markdown, latex = (root / "summary.md").read_text(), (root / "summary.tex").read_text()
    assert [line.split(" | ")[0][2:] for line in markdown.splitlines() if "**" in line] == wanted
    assert latex.count("\\textbf{") == len(wanted) and label in latex
    for horizon, winner in zip((3, 14), wanted, strict=True):
        assert f"Next {horizon} days: {winner} " in " ".join(said.split())


def test_who_leads_is_ahead_by_a_positive_number_whatever_is_better(home: Path, runs: dict[str, Ended]) -> None:
    for name in ("silent", "auc", "counts"):
        said = " ".join(runs[name].said.split())
        leads = re.findall(r" by (-?[\d.]+) (?:log loss|ROC AUC|MAE) \(", said)
        assert len(leads) == 2 and all(float(one) > 0 for one in leads), said


@pytest.mark.parametrize(("name", "metric"), [("own", "log_loss"), ("auc", "roc_auc"), ("counts", "mae")])
def test_differences_and_intervals_are_those_of_the_means(
    home: Path, runs: dict[str, Ended], name: str, metric: str
) -> None:
    found = pd.read_csv(home / "results" / name / "comparisons.csv")
    means = table(home, name)
    mine = means[(means.metric == metric) & (means.slice == "all")].assign(
        row=lambda frame: frame.model + frame.features.fillna("").map(lambda one: f" · {one}" if one else "")
    )
    at = {(row.horizon, row.row): row["mean"] for _, row in mine.iterrows()}
    assert len(found) == 6 and set(found.metric) == {metric}
    for _, one in found.iterrows():
        assert one.difference == pytest.approx(at[one.horizon, one.a] - at[one.horizon, one.b], abs=1e-9)
        assert one.users_low <= one.difference <= one.users_high
        assert one.queries == one.users > 50 and 0 < one.users_p <= 1
    assert mine.users_low.notna().all() and (mine.users_low < mine["mean"]).all()


def test_a_metric_of_whole_cells_has_an_interval_over_users(home: Path, runs: dict[str, Ended]) -> None:
    means = table(home, "own")
    auc = means[means.metric == "roc_auc"]
    draws = {len(pd.read_parquet(path)) for path in (home / "results" / "own" / "cells").glob("*/draws.parquet")}
    assert draws == {10_000}
    for name, shown in (("auc", True), ("own", False)):
        assert ("Users were resampled" in runs["silent" if name == "own" else name].said) == shown
    assert len(auc) == 6 and (auc.users_low < auc["mean"]).all() and (auc["mean"] < auc.users_high).all()


@pytest.mark.parametrize(("name", "label"), [("own", "log loss"), ("auc", "ROC AUC"), ("counts", "MAE")])
def test_the_page_is_of_the_target_s_own_metric(home: Path, runs: dict[str, Ended], name: str, label: str) -> None:
    page = (home / "results" / name / "report.html").read_text()
    assert label in page and "NDCG" not in page and "repeat" not in page and "novel" not in page
    figures = {path.stem for path in (home / "results" / name / "figures").glob("*.svg")}
    assert {"horizon", "comparisons", "ablation", "learning"} <= figures and "novel" not in figures


def test_the_pin_says_how_it_was_judged(home: Path, runs: dict[str, Ended]) -> None:
    pin = read_pin(home / "results" / "own" / "pin.json")
    assert pin["metrics"]["target"] == "silent" and pin["metrics"]["measures"]["leading"] == "log_loss"
    assert [one.better for one in measures_of(pin).metrics] == ["lower", "lower", "higher"]
    assert "ndcg" not in json.dumps(pin)


TABLES = ("summary", "comparisons", "cells")


@pytest.mark.parametrize(
    ("project", "name", "directions"),
    [
        ("silent", "own", {"log_loss": "min", "brier": "min", "roc_auc": "max"}),
        ("counts", "counts", {"mae": "min", "deviance": "min"}),
    ],
)
def test_wandb_has_the_target_s_metrics_and_which_way_is_better(
    home: Path, runs: dict[str, Ended], wandb_server: WandbServer, project: str, name: str, directions: dict[str, str]
) -> None:
    mine = {key: run for key, run in by_name(wandb_server, project).items() if key != "summary"}
    records = {run_name(record): record for record in Store(home / "results" / name).records()}
    assert mine.keys() == records.keys() and len(mine) == 10
    for key, record in records.items():
        run = mine[key]
        measured = {f"{one.split}/{one.slice}/{one.metric}": one.value for one in record.metrics}
        assert {one: run.summary[one] for one in measured} == pytest.approx(measured, nan_ok=True)
        assert {f"test/all/{metric}" for metric in directions} <= measured.keys()
        assert not any("ndcg" in one or "repeat" in one for one in run.summary)
        assert run.config["cell/target"]["value"] == records[key].target
        defined = {one["1"]: one["7"] for one in run.metrics if one.get("1", "").startswith("test/all/") and "7" in one}
        assert defined == {f"test/all/{metric}": [AGGREGATES[best]] for metric, best in directions.items()}


AGGREGATES = {"min": 1, "max": 2}
"""W&B's numbers of them."""


@pytest.mark.parametrize(("project", "name"), [("silent", "own"), ("counts", "counts")])
def test_wandb_has_the_tables_and_figures_of_such_a_target(
    home: Path, runs: dict[str, Ended], wandb_server: WandbServer, project: str, name: str
) -> None:
    run, root = by_name(wandb_server, project)["summary"], home / "results" / name
    for table in TABLES:
        shown = json.loads(run.files[run.history[-1][f"tables/{table}"]["path"]])
        there = pd.read_csv(root / f"{table}.csv")
        assert shown["columns"] == list(there.columns) and len(shown["data"]) == len(there) > 0
        metric = shown["columns"].index("metric")
        assert [row[metric] for row in shown["data"]] == there.metric.tolist()
    drawn = {key.removeprefix("figures/") for key in run.history[-1] if key.startswith("figures/")}
    assert drawn == {path.stem for path in (root / "figures").glob("*.png")} >= {"horizon", "comparisons"}


def test_a_report_is_made_again_without_the_file(home: Path, commands: Home, runs: dict[str, Ended]) -> None:
    before = (home / "results" / "auc" / "summary.csv").read_bytes()
    (home / "results" / "auc" / "summary.csv").unlink()
    assert commands.run("lab.report.__main__", "results/auc").code == 0
    assert (home / "results" / "auc" / "summary.csv").read_bytes() == before


def test_status_reproduce_and_across_know_the_target(home: Path, commands: Home, runs: dict[str, Ended]) -> None:
    status = commands.run("lab.run", "silent.py", "--status")
    assert status.code == 0 and "by recency" in status.said
    again = commands.run("lab.reproduce", "results/own/pin.json", "--with", "silent.py", "--cells", "2")
    assert again.code == 0 and "2 of 2 matched at level bitwise; shown: log_loss on test" in again.said
    assert commands.run("lab.run", "other.py", "--no-report").code == 0
    across = commands.run("lab.across", "results/own", "results/other")
    assert across.code == 0 and "interquartile mean of log loss" in across.said
    ranks = pd.read_csv(home / "results" / "across" / "ranks.csv")
    assert ranks.loc[ranks["rank"].idxmin(), "line"] == ranks.loc[ranks.interquartile_mean.idxmin(), "line"]
    unlike = commands.run("lab.across", "results/other", "results/counts")
    assert unlike.code == 2 and "target is Silent and HowMany" in unlike.complained


MISTAKES = {
    "no labels": ("def labels(self, view, queries, horizon):", "def answers_of(self):", "defines no labels("),
    "no measures": ("    def measures(self):", "    def numbers_of(self):", "defines no measures("),
    "no judge": ("    def judge(self, view, queries, labels):", "    def weigh(self):", "defines no judge("),
    "a group that scores candidates": ('("category", "time")', '("category", "habit")', "has none of"),
    "a baseline that ranks": (
        "(ByRecency(),)",
        "(RecentPopularity(),)",
        "ranks candidates, and target silent predicts",
    ),
    "another target's baseline": ("(ByRecency(),)", "(LastWindow(),)", "serves target how_many, not silent"),
    "smoothing": ("steps=60", "label_smoothing=0.1, steps=60", "which this loss does not look at; leave it at 0"),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_told_before_training(home: Path, commands: Home, mistake: str) -> None:
    old, new, said = MISTAKES[mistake]
    assert old in OWN
    text = OWN.replace(old, new, 1).replace("from lab.baselines import Baseline", BASELINES)
    (home / "mistaken.py").write_text(text)
    code, out, complained = commands.run("lab.run", "mistaken.py", "--out", "mistaken")
    assert code == 2 and said in complained and len(complained.splitlines()) == 1, (out, complained)


BASELINES = "from lab.baselines import Baseline, RecentPopularity"
