"""Next items from a log to a table: on a calendar, and as each user's last event of a log without times."""

import csv
from dataclasses import replace
from io import StringIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rich.console import Console

from lab.baselines import Logistic, Markov
from lab.commands.command_line import parse
from lab.core.errors import InputError
from lab.data.sources import SyntheticShop, Table
from lab.data.timeline import LAST_EVENT, Timeline
from lab.experiment.experiment import Experiment
from lab.models import RNN
from lab.pins.pin_file import measures_of, read_pin
from lab.predicting.items import next_items
from lab.predicting.trained_cell import load_cell
from lab.predicting.users import user_ids, user_rows
from lab.running.run_settings import RunSettings
from lab.running.runner import Run
from lab.targets import Interest, NextItem
from lab.tracking.tracker import Tracking
from lab.training.settings import Training

TRAINING = Training(steps=6, batch=4, row_length=32, overlap=8, evaluate_every=3, patience=0)
SMOOTHED = replace(TRAINING, label_smoothing=0.1)
LAST = Timeline(protocol="leave_one_out", min_events=1)


def experiment(source: Any, **changes: Any) -> Experiment:
    settings: dict[str, Any] = {
        "name": "next",
        "source": source,
        "target": NextItem(),
        "features": {"ids": ("item",)},
        "models": (RNN(width=8),),
        "seeds": 1,
        "training": TRAINING,
        "baselines": (Markov(windows=(7.0,)),),
    }
    return Experiment(**settings | changes)


def run(asked: Experiment, folder: Path) -> tuple[Run, int, str]:
    told = StringIO()
    console = Console(file=told, width=80)
    one = Run(asked, RunSettings(folder / "out", folder / "cache", Tracking(mode="off"), console, report=False))
    return one, one.compute(), " ".join(told.getvalue().split())


def values(one: Run, kind: str, metric: str, part: str = "all") -> list[float]:
    with (one.store.root / "cells.csv").open() as file:
        rows = list(csv.DictReader(file))
    ids = {cell.id for cell in one.cells if cell.kind == kind}
    wanted = ("test", part, metric)
    return [float(r["value"]) for r in rows if (r["split"], r["slice"], r["metric"]) == wanted and r["cell"] in ids]


@pytest.fixture(scope="module")
def ordered(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A log in order without times: each user goes round a circle of 12 items, one step in ten astray."""
    rng = np.random.default_rng(0)
    path = tmp_path_factory.mktemp("ordered") / "log.txt"
    lines = []
    for user in range(60):
        place = rng.integers(12)
        for _ in range(rng.integers(5, 20)):
            place = (place + 1) % 12 if rng.random() < 0.9 else rng.integers(12)
            lines.append(f"{user} {place}")
    path.write_text("\n".join(lines) + "\n")
    return path


def rows_of(path: Path) -> Table:
    return Table(path=str(path), order="rows", user="1", item="2")


@pytest.mark.usefixtures("broadcasting")
def test_a_model_learns_what_comes_next_in_a_log_without_times(ordered: Path, tmp_path: Path) -> None:
    long = replace(TRAINING, steps=150, evaluate_every=50, learning_rate=0.02, prior_precision=0.0, dropout=0.0)
    asked = experiment(
        rows_of(ordered), timeline=LAST, training=long, target=NextItem(objective="sampled", negatives=6)
    )
    one, code, told = run(asked, tmp_path)
    assert "in train each event asks for the next one, in valid and test one a user" in told
    assert ", next event: popularity_days 7, prior " in told and " on 60 valid queries" in told, told
    (markov,) = (one.store.read(cell.id) for cell in one.cells if cell.kind == "baseline")
    assert markov.value("valid", "all", "queries") == 60 and markov.value("valid", "all", "ndcg@10") > 0.5
    assert code == 0 and "next event" in told and "1970" not in told and "leave-one-out" in told
    assert values(one, "model", "queries") == [60.0] and values(one, "model", "cold") == [0.0]
    # Chance is 1 in 12; nine in ten go on, and one in twelve of the rest too.
    assert values(one, "model", "hr@5")[0] > 0.8 and values(one, "baseline", "hr@5")[0] > 0.8
    assert values(one, "model", "coverage@10") == [1.0]
    _its_first_items_are_those_it_was_judged_by(one, tmp_path)
    measures = measures_of(read_pin(one.store.root / "pin.json"))
    kept = set(one.store.users(one.cells[-1].id))
    assert "items known" in measures.population
    assert {spec.name for spec in measures.metrics if spec.per == "query"} <= kept


REFUSED_USERS: list[tuple[Any, str]] = [
    ([60], "row 60 is never asked; name some of 0, 1, 2, 3, 4, ..."),
    ([], "names nobody; name some of 0, 1, 2, 3, 4, ..."),
    (3, r"3 is not a list; write one such as \[3, 14\]"),
    ([3.5], "3.5 is no row number; lab.predicting.user_rows gives those of users by their ids in the log"),
    (["x"], "'x' is no row number; lab.predicting.user_rows"),
]


def _its_first_items_are_those_it_was_judged_by(one: Run, folder: Path) -> None:
    """On the run above, since another would cost as much again."""
    (cell,) = (cell for cell in one.cells if cell.kind == "model")
    trained = load_cell(one.store.root, cell.id, source=one.experiment.source, cache=folder / "cache")
    table, kept = next_items(trained, first=10), one.store.users(cell.id)
    user, known, place, item, taken, rank = (table[name].to_numpy() for name in table)  # no cutoff without times
    every, best = kept["slice"] == "all", np.flatnonzero(place == 1)
    best = best[np.argsort(user[best])][kept["user"][every]]
    assert len(best) == 60 and len(set(zip(user, item, strict=True))) == 600
    assert known[best].tolist() == kept["history"][every].tolist()
    assert (rank[best] <= 10).tolist() == (kept["hr@10"][every] == 1).tolist()
    there = place == rank
    assert there.sum() > 40 and (item[there] == taken[there]).all()
    some = next_items(trained, users=[7, 3], first=2)
    assert some["item"].tolist() == item[np.isin(user, [3, 7]) & (place <= 2)].tolist()
    rows = user_rows(trained, ["10", 2])
    assert rows.tolist() == [2, 12] and user_ids(trained, rows).tolist() == ["10", "2"]  # 0, 1, 10, ... as texts
    assert sorted(set(next_items(trained, users=rows)["user"])) == [2, 12]
    for users, said in REFUSED_USERS:
        with pytest.raises(InputError, match=f"users: {said}"):
            next_items(trained, users=users)
    for first in (21, 2.5):
        with pytest.raises(InputError, match=f"first: {first} is no number of items that can be had; use 1 to 20"):
            next_items(trained, first=first)  # type: ignore[arg-type]
    with pytest.raises(InputError, match="ids: '60' is no user of the log"):
        user_rows(trained, [60])
    with pytest.raises(InputError, match="rows: 60 is no row number of the log's users; they are 0 to 59"):
        user_ids(trained, [60])
    with pytest.raises(InputError, match=f"holds no cell 'nope'; its trained cells are {cell.id}."):
        load_cell(one.store.root, "nope", source=one.experiment.source, cache=folder / "cache")
    with pytest.raises(
        InputError, match=r"log\.txt: no such file.* source=Table\(path='FOLDER/log\.txt', user='1', item='2'"
    ):
        load_cell(one.store.root, cell.id, cache=folder / "cache")
    with pytest.raises(InputError, match=r"never holds the scores of all candidates; lab\.predicting\.next_items has"):
        trained.scores(trained.data.splits["test"].packed, {})


@pytest.mark.usefixtures("broadcasting")
def test_a_set_without_the_item_group_is_the_same_beside_one_that_has_it(tmp_path: Path) -> None:
    """Candidates are scored by the item group's vectors only where the cell's own set has that group."""
    shop, few = SyntheticShop(users=60, days=90, categories=8, items=40), {"few": ("category",)}
    found = {}
    for name, sets in (("alone", few), ("beside", few | {"ids": ("item",)})):
        asked = experiment(shop, horizons=(7,), features=sets, baselines=(), target=NextItem(stop_by="loss"))
        one, code, _ = run(asked, tmp_path / name)
        assert code == 0
        (cell,) = (cell for cell in one.cells if cell.kind == "model" and cell.features == "few")
        record = one.store.read(cell.id)
        found[name] = cell.id, record.metrics
        # By the log loss of the labels alone: near that of chance, and never without an end.
        assert 0 < record.value("valid", "all", "loss") < 2 * np.log(40)
    assert found["alone"] == found["beside"]


@pytest.mark.usefixtures("broadcasting", "quick_compile")
def test_on_a_calendar_every_event_of_the_window_is_asked(tmp_path: Path) -> None:
    shop = SyntheticShop(users=60, days=90, categories=8, items=40)
    sets = {"ids": ("item",), "more": ("item", "category", "behaviour", "time", "price")}
    asked = experiment(shop, horizons=(7, 14), features=sets, target=NextItem(repeats=False))
    one, code, told = run(asked, tmp_path)
    assert code == 0 and "each event asks for the next one" in told
    log, fold = one.histories, one.folds[0]
    owner = log.user_of_event
    inside = [(log.time > fold.test_cutoff) & (log.time <= fold.test_cutoff + h) for h in fold.horizons]
    # An event is a label where its user had enough events before and not its item, which was known by the valid cutoff.
    known = np.isin(log.item, log.item[log.time <= fold.valid_cutoff])
    late = np.arange(log.events) - log.offsets[owner] >= asked.timeline.min_events
    new = np.zeros(log.events, bool)
    new[np.unique(owner * np.int64(len(log.item_names)) + log.item, return_index=True)[1]] = True
    wanted = [float((part & known & late & new).sum()) for part in inside]
    assert "labels taken before in 14 days" in told and 0 < wanted[0] < wanted[1]
    assert values(one, "model", "queries") == [wanted[0]] * 2 + [wanted[1]] * 2
    assert values(one, "baseline", "queries") == wanted
    with pytest.raises(StopIteration):
        next(cell for cell in one.cells if cell.kind == "oracle")


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"target": Interest(), "timeline": LAST}, "timeline.protocol: leave_one_out asks for one event"),
        ({"timeline": LAST, "horizons": (7,)}, "horizons: 7 days are given, but timeline.protocol='leave_one_out'"),
        ({"timeline": Timeline(query_every=2), "horizons": (7,)}, "timeline.query_every: is given, but target next_"),
        ({"horizons": (7,), "features": {"all": ("item", "habit")}}, "features.all: habit scores every candidate"),
        ({"horizons": (7,), "baselines": (Logistic(),)}, "baselines: logistic cannot be asked after each event"),
        (
            {"horizons": (7,), "target": NextItem(objective="gbce"), "training": SMOOTHED},
            "training.label_smoothing: 0.1 spreads a label over all candidates",
        ),
        ({}, "horizons: none is named"),
    ],
)
def test_what_does_not_go_together_is_said(changes: dict[str, Any], said: str) -> None:
    with pytest.raises(InputError) as error:
        experiment(SyntheticShop(users=50), **changes)
    assert said in str(error.value)


@pytest.mark.parametrize("changes", [{"negatives": 0}, {"calibration": 1.5}, {"drawn": "popularity"}])
def test_settings_that_will_not_do_are_said(changes: dict[str, Any]) -> None:
    with pytest.raises(InputError, match=f"target.{next(iter(changes))}"):
        NextItem(**changes)


def test_a_log_without_times_has_no_days_ahead(ordered: Path, tmp_path: Path) -> None:
    for target, features in ((Interest(), ("category",)), (NextItem(), ("item",))):
        asked = experiment(rows_of(ordered), target=target, features={"ids": features}, horizons=(7,))
        with pytest.raises(InputError, match="the log is in order but has no times"):
            Run(asked, RunSettings(tmp_path, tmp_path, Tracking(mode="off"), Console(quiet=True)))
    with pytest.raises(InputError, match="'rows' is for a log without times"):
        Table(path=str(ordered), order="rows", time="3")


def test_feature_groups_of_the_clock_are_left_out_where_there_is_none(ordered: Path, tmp_path: Path) -> None:
    asked = experiment(rows_of(ordered), features={"ids": ("item", "time")}, timeline=LAST)
    one = Run(asked, RunSettings(tmp_path, tmp_path, Tracking(mode="off"), Console(quiet=True)))
    assert one.experiment.features == {"ids": ("item",)} and one.experiment.horizons == (LAST_EVENT,)
    data, split = (one.pin([])[part] for part in ("data", "split"))
    assert len(data["left_out"]) == 1 and data["left_out"][0].startswith("features: time is left out, ")
    assert (data["timed"], data["calendar"]["leaked"], split["query_every"]) == (False, None, None)


def test_the_first_cutoff_of_a_log_of_whole_days_is_a_day_of_the_log(tmp_path: Path) -> None:
    """Events of one day are laid microseconds apart, the first of them before midnight."""
    rows = [f"{user},{(user + day) % 7},2018-01-{day:02}" for user in range(9) for day in range(1, 29) for _ in "ab"]
    (tmp_path / "log.csv").write_text("\n".join(["user,item,time", *rows]))
    source, told = Table(path=str(tmp_path / "log.csv"), user="user", item="item", time="time"), StringIO()
    asked = experiment(source, horizons=(7,), timeline=Timeline(min_events=1))
    asked = replace(asked, cleaning=replace(asked.cleaning, duplicates=False))
    one = Run(asked, RunSettings(tmp_path, tmp_path, Tracking(mode="off"), Console(file=told, width=80)))
    one.dataset(one.folds[0], one.cells)
    assert "2017" not in told.getvalue() and told.getvalue().count("2018-01-01") == 1
    assert "  first asked at " in told.getvalue() and "labels of unknown items" in told.getvalue()
    one.show_plan()
    order = "share their time with another of the same user; which of these comes next is said by the order of the rows"
    assert order in " ".join(told.getvalue().split())


def test_another_target_on_the_command_line_brings_its_own_baselines() -> None:
    declared = experiment(SyntheticShop(users=50), target=Interest(), horizons=(7,), baselines=None)
    asked, _ = parse(declared, "x", "", ["target:next-item"])
    assert isinstance(asked.target, NextItem)
    assert [baseline.name for baseline in asked.baselines] == [
        b.name for b in declared.baselines if b.name != "logistic"
    ]
