"""What is shown beside published numbers: of which cells, and how their times are told."""

from dataclasses import replace
from math import inf
from pathlib import Path

import numpy as np
import pytest

from benchmarks.peers import keep
from benchmarks.published import Asked, arguments_of, epochs_of, looks, planned, reached, show, typical
from benchmarks.shared.courses import Course, Epoch, draw, draw_courses
from lab.core.errors import InputError
from lab.evaluation.measures import Metric
from lab.experiment.cell_record import CellRecord
from lab.results.store import Store


def cell(
    store: Store, name: str, seed: int, ndcg: float, curve: tuple[float, ...], seconds: float = 80.0
) -> CellRecord:
    """A planned cell, of which a finished one lies in the store."""
    place = dict(kind="model", model=name, features="ids", target="next_item", horizon=1.0, fold=0, seed=seed)
    record = CellRecord(id=f"{name}-{seed}-{ndcg}", status="missing", **place)  # type: ignore[arg-type]
    metrics = (
        Metric("test", "all", "ndcg@10", ndcg),
        Metric("test", "all", "hr@10", 2 * ndcg),
        Metric("valid", "all", "loss", 1 - curve[-1]),
    )
    steps = np.arange(1, len(curve) + 1) * 100
    done = replace(record, status="done", metrics=metrics, timing={"train": seconds})
    store.write(done, curve={"step": steps, "valid_loss": 1 - np.array(curve)})
    return record


def test_a_mark_is_reached_at_the_first_look_that_sees_it(tmp_path: Path):
    store = Store(tmp_path)
    done = store.read(cell(store, "GRU", 0, 0.2, (0.1, 0.15, 0.13, 0.17)).id)
    assert [reached(store, done, mark) for mark in (0.05, 0.14, 0.16, 0.2)] == [20, 40, 80, inf]


def test_epochs_of_peers_are_drawn_beside_ours(tmp_path: Path):
    peers = [
        Course("GRU4Rec (RecBole)", 9, 9, 9, "cpu", 1.0, [Epoch(30.0, 1.0, 31.0, 0.02), Epoch(30.0, 1.0, 62.0, 0.04)]),
        Course("GRU (lab)", 9, 9, 9, "cpu", 1.0, [Epoch(2.0, 0.1, 2.1, 0.05)]),
    ]
    keep(tmp_path / "peers.csv", peers)
    assert (tmp_path / "peers.png").is_file()
    theirs = epochs_of(tmp_path / "peers.csv")
    assert theirs == [("GRU4Rec (RecBole)", [31.0, 62.0], [0.02, 0.04]), ("GRU (lab)", [2.1], [0.05])]
    store = Store(tmp_path)
    seconds, ndcg = looks(store, store.read(cell(store, "GRU", 0, 0.2, (0.1, 0.15, 0.13, 0.17)).id))
    np.testing.assert_allclose([seconds, ndcg], [[20, 40, 60, 80], [0.1, 0.15, 0.13, 0.17]])
    draw([("GRU", seconds, ndcg), ("GRU", seconds, 2 * ndcg), *theirs], tmp_path / "both.png", {0.126: 8.0})
    assert (tmp_path / "both.png").read_bytes().startswith(b"\x89PNG")


def test_a_goal_is_named_where_it_stands_and_one_epoch_alone_is_seen():
    figure = draw_courses([("GRU", [31.0, 62.0], [0.02, 0.04]), ("SASRec", [2.1], [0.05])], {0.126: 8.0, 0.16: 25.0})
    (axes,) = figure.axes
    said = {text.get_text(): text.get_position()[1] for text in axes.texts}
    assert said == {"wanted: .126\nwithin 8 min": 0.126, "wanted: .160\nwithin 25 min": 0.16}
    strokes = [line for line in axes.lines if line.get_marker() == "|"]
    assert [line.get_xydata().tolist() for line in strokes] == [[[480, 0.126]], [[1500, 0.16]]]
    course, alone = figure.legends[0].get_lines()
    assert alone.get_markersize() >= 2 * course.get_markersize() and alone.get_linestyle() == "None"
    figure.draw_without_rendering()
    assert figure.get_tightbbox().x1 <= figure.get_figwidth()


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        ({"figure": "a.png"}, "--figure, --only: give --path too"),
        ({"path": "log.txt", "beside": "a.csv"}, "--beside: name by --figure"),
        ({"path": "log.txt", "figure": "gone/a.png"}, "--figure: there is no folder"),
        ({"path": "log.txt", "figure": "a.png", "beside": "log.txt"}, "log.txt is no CSV file that"),
    ],
)
def test_what_is_of_no_use_or_would_fail_later_is_told_first(
    flags: dict[str, str], said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.chdir(tmp_path)
    Path("log.txt").write_text("1 2\n")
    named = {name: (Path(value),) if name == "beside" else Path(value) for name, value in flags.items()}
    with pytest.raises(InputError, match=said):
        Asked(**named)  # type: ignore[arg-type]


def test_a_miss_is_infinite_in_the_median():
    assert typical([30.0, inf, 1234.0]) == "1,234 (2 of 3)"
    assert typical([inf, 30.0, inf]) == "never (1 of 3)"
    assert typical([inf, 30.0]) == "never (1 of 2)"
    assert typical([20.0, 30.0]) == "25 (2 of 2)"


def test_only_planned_cells_are_shown(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    store = Store(tmp_path)
    plan = [
        cell(store, "GRU", 0, 0.18, (0.13, 0.17)),
        cell(store, "GRU", 1, 0.20, (0.10, 0.14), seconds=100),
        cell(store, "GRU", 2, 0.22, (0.13, 0.17), seconds=60),
    ]
    cell(store, "GRU", 0, 0.9, (0.9, 0.9))  # of older code, say
    missing = replace(plan[0], id="GRU-3-missing", seed=3)
    show(store, [*plan, missing])
    told = capsys.readouterr().out.splitlines()
    rows = [line.split() for line in told if line.startswith("GRU ")]
    assert rows[0] == ["GRU", "3", "0.2000", "±0.0200", "0.4000", "±0.0400", "0.1600", "±0.0173", "80"]
    assert rows[1] == ["GRU", "40", "(3", "of", "3)", "80", "(2", "of", "3)"]
    assert "left out: 1 of 4 planned cells are not done" in told


def test_what_is_planned_are_the_cells_of_the_run(tmp_path: Path):
    log = tmp_path / "log.txt"
    log.write_text("".join(f"{user} {(user * 3 + place) % 11}\n" for user in range(12) for place in range(8)))
    asked = Asked(path=log, seeds=2, only=("model=gru",), out=tmp_path / "out", cache=tmp_path)
    store, cells = planned(arguments_of(asked))
    assert store.root == tmp_path / "out" / "ml1m"
    assert sorted(one.seed for one in cells if one.kind == "model") == [0, 1]  # type: ignore[type-var]
