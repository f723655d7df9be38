"""Several logs together, from the pins of their folders alone."""

import csv
import json
import re
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lab.across import main
from lab.core.errors import InputError
from lab.core.sealed import DIGEST
from lab.pins.pin_file import write_pin
from lab.report.across_logs import findings, read_across
from lab.statistics.across_runs import interquartile_mean

ROOT = Path(__file__).parents[2]
PIN = json.loads((ROOT / "tests" / "pins" / "tiny.json").read_text())


def cell(model: str, value: float, seed: int | None, horizon: float = 7.0, **changes: Any) -> dict[str, Any]:
    """A pinned cell of a model, or of a baseline where there is no seed."""
    named = {"kind": "baseline" if seed is None else "model", "features": "" if seed is None else "full"}
    values = {"metrics": [["test", "all", "ndcg@10", value]], "status": "done", "horizon": horizon, "seed": seed}
    return PIN["cells"][0] | named | {"model": model, "fold": 0} | values | changes


def folder(root: Path, log: str, cells: list[dict[str, Any]], **asked: Any) -> Path:
    place = root / log
    place.mkdir()
    measures = PIN["metrics"]["measures"] | asked.pop("measures", {})
    data, experiment = PIN["data"] | {"fingerprint": log}, PIN["experiment"] | asked
    metrics = PIN["metrics"] | {"measures": measures}
    pin = PIN | {"data": data, "experiment": experiment, "metrics": metrics, "cells": cells}
    write_pin(place / "pin.json", {name: value for name, value in pin.items() if name != DIGEST})
    return place


def logs(root: Path, count: int) -> list[Path]:
    """Three models of which a is always best, and a baseline that is always last."""
    rng, made = np.random.default_rng(0), []
    for log in range(count):
        cells = [
            cell(model, more + rng.normal(0, 0.01), seed)
            for model, more in (("a", 0.5), ("b", 0.4), ("c", 0.39))
            for seed in range(5)
        ]
        cells += [cell("last", 0.1, None), cell("oracle", 0.9, None, kind="oracle")]
        made.append(folder(root, f"log{log}", cells))
    return made


def test_a_log_counts_once_whatever_the_number_of_its_tasks(tmp_path: Path) -> None:
    one = folder(tmp_path, "one", [cell("a", 0.2, 0), cell("a", 0.4, 1), cell("a", 0.9, 0, 30.0), cell("b", 0.5, 0)])
    two = folder(tmp_path, "two", [cell("a", 0.3, 0), cell("b", 0.1, 0)])
    found = read_across([one, two])
    assert found.names == ("a · full", "b · full") and found.logs == ("one", "two")
    assert found.values == pytest.approx(np.array([[0.6, 0.5], [0.3, 0.1]]))
    assert found.ranks.tolist() == [1, 2]
    tasks = [np.array([0.2, 0.4]), np.array([0.9]), np.array([0.3])]
    assert found.interquartile("a · full") == (interquartile_mean(tasks), None)
    # On the first log no run of two, on the second the only one; a horizon that b lacks does not count.
    assert found.improvement("a · full", "b · full") == 0.5


def test_rows_that_a_folder_lacks_or_has_not_whole_are_left_out_and_named(tmp_path: Path) -> None:
    cells = [cell("a", 0.2, 0), cell("b", 0.3, 0), cell("c", 0.3, 0)]
    failed = [cell("a", 0.1, 0), cell("b", 0.1, 0), cell("b", 0.1, 1, status="failed", metrics=[])]
    found = read_across([folder(tmp_path, "one", cells), folder(tmp_path, "two", failed)])
    assert found.names == ("a · full",) and found.left_out == ("b · full", "c · full")
    assert "b · full, c · full" in findings(found)[0]


def test_a_folder_without_a_pin_is_refused_in_words(tmp_path: Path) -> None:
    one, bare, absent = folder(tmp_path, "one", [cell("a", 0.2, 0)]), tmp_path / "bare", tmp_path / "absent"
    bare.mkdir()
    for place, lack in ((bare, "has no pin.json"), (absent, "there is no such folder")):
        with pytest.raises(InputError, match=rf"{place}: {lack}.*; name folders that runs left"):
            read_across([one, place])


def test_two_folders_of_one_log_are_refused(tmp_path: Path) -> None:
    one = folder(tmp_path, "one", [cell("a", 0.2, 0)])
    with pytest.raises(InputError, match="are of the same log"):
        read_across([one, one / "pin.json"])
    with pytest.raises(InputError, match="no row of one table is complete in all the others"):
        read_across([one, folder(tmp_path, "two", [cell("b", 0.2, 0)])])


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"target": {"type": "NextItem"}}, "target is Interest and NextItem"),
        ({"timeline": {"protocol": "leave_one_out"}}, "timeline.protocol is calendar and leave_one_out"),
        ({"measures": {"population": "nobody"}}, "and nobody"),
        ({"measures": {"leading": "auc"}}, "the leading metric is ndcg@10 and auc"),
    ],
)
def test_folders_that_ask_other_things_are_refused(tmp_path: Path, asked: dict[str, Any], said: str) -> None:
    cells = [cell("a", 0.2, 0)]
    folders = [folder(tmp_path, "one", cells), folder(tmp_path, "two", cells, **asked)]
    with pytest.raises(InputError, match=re.escape(f"one and {folders[1]} ask other things")) as error:
        read_across(folders)
    assert str(error.value).endswith(f"{said}.")


def run(monkeypatch: pytest.MonkeyPatch, *arguments: object) -> int:
    """The exit code of the command with these arguments."""
    monkeypatch.setattr(sys, "argv", ["lab.across", *map(str, arguments)])
    monkeypatch.setenv("COLUMNS", "80")
    try:
        main()
    except SystemExit as end:
        return int(end.code or 0)
    return 0


def test_from_five_logs_on_the_command_draws_which_ranks_differ(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    assert run(monkeypatch, *logs(tmp_path, 6), "--out", out) == 0
    printed = capsys.readouterr().out
    assert {path.name for path in out.iterdir()} == {"ranks.csv", "pairs.csv", "ranks.svg", "ranks.png"}
    assert max(map(len, printed.splitlines()[:-1])) <= 80
    text = " ".join(printed.split())
    assert "Over 6 logs, Friedman's p is < .001; mean ranks that are 1.91 apart differ (Nemenyi, 5 %)" in text
    with (out / "pairs.csv").open(newline="") as file:
        told = {(row["a"], row["b"]): row["told_apart"] for row in csv.DictReader(file)}
        file.seek(0)
        first = next(csv.DictReader(file))
    assert told["a · full", "last"] == "True" and told["b · full", "c · full"] == "False"
    assert (first["a"], first["b"], first["improvement"]) == ("a · full", "b · full", "1.0")
    assert float(first["wilcoxon_holm_p"]) == pytest.approx(6 * 2 / 2**6)  # six pairs, each of one sign on six logs
    with (out / "ranks.csv").open(newline="") as file:
        first = next(csv.DictReader(file))
    assert (first["line"], first["rank"]) == ("a · full", "1.0") and float(first["low"]) < 0.5 < float(first["high"])


def test_fewer_logs_have_means_and_a_word_on_what_they_cannot_say(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(monkeypatch, *logs(tmp_path, 3), "--out", tmp_path / "out") == 0
    text = " ".join(capsys.readouterr().out.split())
    assert "3 logs and 4 rows are too few to tell ranks apart; it takes 5 and 3." in text
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"ranks.csv", "pairs.csv"}


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["one"], "name two or more"),
        (["one", "two", "--out"], "--out: names no folder"),
        (["one", "two", "--best"], "--best: is no setting"),
        (["one", "two"], "one: there is no such folder"),
    ],
)
def test_mistakes_are_answered_in_words(
    arguments: list[str], words: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(monkeypatch, *arguments) == 2
    said = capsys.readouterr().err
    assert said.startswith("error: ") and words in said
