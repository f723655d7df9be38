"""Pins: settings that come back as the same experiment, pins that are refused, and the verdicts."""

import csv
import json
import tempfile
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.shared.truths import at_most
from lab.core.errors import InputError
from lab.core.sealed import seal
from lab.data.log.cleaning import Cleaning
from lab.data.sources import MovieLens, Source, SyntheticShop, Table
from lab.data.timeline import Timeline
from lab.experiment.experiment import Experiment
from lab.experiment.fingerprints import digest
from lab.experiment.registry import shipped
from lab.experiment.settings import experiment_from_settings, plain, settings_of
from lab.pins import environment
from lab.pins.chosen_cells import choose_cells
from lab.pins.comparison import check_seeds, judge_cell, judge_lines, judge_seeds, tolerance_of
from lab.pins.environment import without_paths
from lab.pins.pin import FORMAT, VERSION, read_pin, write_pin
from lab.report.page import _reproduce
from lab.targets import NextItem
from lab.targets.interest.measures import MEASURES
from lab.training.settings import Training
from tests.small_experiment import small_experiment

ROOT = Path(__file__).resolve().parents[2]
TINY = ROOT / "tests" / "pins" / "tiny.json"


def back(experiment: Experiment) -> Experiment:
    return experiment_from_settings(json.loads(json.dumps(settings_of(experiment))))


def test_every_shipped_class_comes_back_from_a_pin() -> None:
    groups = tuple(cls() for cls in shipped("feature group").values())
    everything = small_experiment(
        models=tuple(cls() for cls in shipped("model").values()),
        groups=groups,
        features={"zz first": tuple(group.name for group in groups), "aa second": (groups[0].name,)},
        baselines=tuple(cls() for cls in shipped("baseline").values()),
    )
    assert back(everything) == everything
    assert list(back(everything).features) == ["zz first", "aa second"]


@pytest.mark.parametrize("name", sorted(shipped("source")))
def test_every_shipped_source_comes_back(name: str) -> None:
    source = shipped("source")[name]()
    assert back(small_experiment(source=source)).source == source


def test_changed_settings_come_back_with_their_types_and_their_order() -> None:
    experiment = small_experiment(
        source=Table(path=("a.csv", "b.csv"), behaviours={"z": "view", "a": "purchase"}, separator="/"),
        timeline=Timeline(end="2022-08-31", query_every=2.0, active_days=None, folds=3),
        cleaning=Cleaning(item_min_events=4),
        training=Training(steps=7, dropout=0.0, dtype="bfloat16", cells_at_once=2),
        horizons=(0.5, 3),
    )
    again = back(experiment)
    assert again == experiment and digest(plain(again.training)) == digest(plain(experiment.training))
    assert isinstance(again.training.dropout, float) and isinstance(again.source, Table)
    assert list(again.source.behaviours) == ["z", "a"]


def test_no_folder_of_the_machine_is_kept() -> None:
    said = json.dumps(settings_of(small_experiment(source=Table(path="/home/someone/private/log.csv"))))
    assert "log.csv" in said and "someone" not in said
    assert without_paths("/home/someone/log.csv: is damaged (see ~/x/y.txt), 3 km/h") == (
        "log.csv: is damaged (see y.txt), 3 km/h"
    )


@pytest.mark.parametrize(
    ("source", "line"),
    [
        (Table(path="/a/my log.csv"), "pin.json --source.path 'FOLDER/my log.csv'"),
        (Table(path=("/a/b.csv", "c.csv"), attributes="/x/y.csv"),
         "pin.json --source.path FOLDER/b.csv FOLDER/c.csv --source.attributes FOLDER/y.csv"),
        (MovieLens(), "pin.json"),
        (MovieLens(path="/d/ml"), "pin.json --source.path FOLDER/ml"),
        (SyntheticShop(), "pin.json"),
        (Table(frame=pl.DataFrame({"user": [1], "item": [2], "time": [3]})), "pin.json --with FILE"),
    ],
)  # fmt: skip
def test_the_page_says_what_else_a_pin_needs(source: Source, line: str) -> None:
    pin = {"experiment": json.loads(json.dumps(settings_of(small_experiment(source=source))))}
    assert _reproduce(pin) == f"python -m lab.reproduce {line}"


def test_a_class_that_does_not_ship_asks_for_its_file() -> None:
    settings = settings_of(small_experiment())
    settings["models"][0]["type"] = "Fade"
    with pytest.raises(InputError, match=r"models: the class 'Fade' does not ship .* --with FILE"):
        experiment_from_settings(settings)
    settings = settings_of(small_experiment())
    settings["training"]["stepz"] = 1
    with pytest.raises(InputError, match="Training has no setting 'stepz'"):
        experiment_from_settings(settings)


@pytest.mark.parametrize(
    ("part", "setting", "value", "said"),
    [
        ("training", "steps", "many", r"experiment\.training\.steps: 'many' is not a whole number\. The pin"),
        ("training", "steps", True, r"training\.steps: True is not a whole number"),
        ("training", "cells_at_once", 1.5, r"cells_at_once: 1.5 is not a whole number or None"),
        ("training", "dtype", "float8", "dtype: 'float8' is not 'float32' or 'bfloat16'"),
        ("cleaning", "missing", 0, r"cleaning\.missing: 0 is not True or False"),
        (None, "horizons", [7, "soon"], r"experiment\.horizons: 'soon' is not a number"),
        (None, "horizons", 7, r"experiment\.horizons: 7 is not a list of numbers"),
        (None, "training", [], r"experiment\.training: \(\) is not Training\(\.\.\.\)"),
    ],
)
def test_a_value_of_another_kind_is_named(part: str | None, setting: str, value: Any, said: str) -> None:
    settings = json.loads(json.dumps(settings_of(small_experiment())))
    (settings[part] if part else settings)[setting] = value
    with pytest.raises(InputError, match=said):
        experiment_from_settings(settings)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"{", "is no JSON"),
        (b"[]", "is no pin"),
        (json.dumps({"format": FORMAT, "version": 1}).encode(), f"of version 1; this lab reads version {VERSION}"),
        (json.dumps({"format": FORMAT, "version": VERSION}).encode(), "is damaged or was edited"),
        (json.dumps(seal({"format": FORMAT, "version": VERSION})).encode(), "the field `experiment` is missing"),
        (b"[" * 200_000, "is no JSON, or a damaged one .it nests too deep"),
        (b'{"format": ' * 200_000, "it nests too deep"),
        (b'{"format": NaN}', "NaN is no JSON"),
        (b'{"format": "interest-lab pin", "version": 3, "digest": "\\ud800", "x": "\\ud800"}', "is damaged"),
        (b"\xff\xfe", "is no JSON"),
    ],
)
def test_what_is_no_pin_is_refused_in_words(tmp_path: Path, content: bytes, said: str) -> None:
    (tmp_path / "pin.json").write_bytes(content)
    with pytest.raises(InputError, match=said) as error:
        read_pin(tmp_path / "pin.json")
    assert "pin.json" in str(error.value)
    with pytest.raises(InputError, match="cannot be read"):
        read_pin(tmp_path / "none.json")


@given(st.integers(0, 8 * TINY.stat().st_size - 1))
def test_a_bit_flipped_in_a_pin_is_noticed_or_harmless(place: int) -> None:
    content = bytearray(TINY.read_bytes())
    content[place // 8] ^= 1 << place % 8
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "pin.json"
        path.write_bytes(content)
        try:
            assert json.dumps(read_pin(path)) == json.dumps(read_pin(TINY))
        except InputError as error:
            assert str(path) in str(error)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda pin: pin["cells"][0]["metrics"][1].__setitem__(3, 7.249), "is 7.249, which cannot be"),
        (lambda pin: pin["cells"][0]["config"].update(horizon=8), "is not of the settings and fingerprints beside it"),
        (lambda pin: pin["experiment"]["source"].update(users=10**9), r"asks for 1,000,000,000 users, .* had 60"),
        (lambda pin: pin["cells"][0].pop("fingerprints"), r"the field `cells\[0\].fingerprints` is missing"),
        (lambda pin: pin["cells"][0]["metrics"][0].__setitem__(3, "many"), r"is not \[split, slice, metric, value\]"),
    ],
)
def test_a_pin_that_contradicts_itself_is_refused(tmp_path: Path, change: Callable[[Any], Any], said: str) -> None:
    """Even with a digest of its own."""
    pin = read_pin(TINY)
    del pin["digest"]
    change(pin)
    write_pin(tmp_path / "pin.json", pin)
    with pytest.raises(InputError, match=said):
        read_pin(tmp_path / "pin.json")


def cell(**changes: Any) -> dict[str, Any]:
    metrics = [["test", "all", "ndcg@10", 0.5], ["test", "novel", "auc", None], ["test", "all", "queries", 9.0]]
    return {
        "id": "a", "kind": "model", "model": "a", "features": "f", "horizon": 7, "fold": 0, "seed": 0,
        "status": "done", "config": {"training": {"steps": 3}}, "metrics": metrics,
        "digests": {"users.parquet": "1", "checkpoint": "2"},
    } | changes  # fmt: skip


def moved(place: int, value: float | None) -> dict[str, Any]:
    metrics = [list(one) for one in cell()["metrics"]]
    metrics[place][3] = value
    return cell(metrics=metrics)


def test_bitwise_allows_nothing() -> None:
    assert judge_cell("bitwise", cell(), cell(), MEASURES).matched
    assert not judge_cell("bitwise", cell(), moved(0, float(np.nextafter(0.5, 1))), MEASURES).matched
    assert not judge_cell("bitwise", cell(), cell(digests={"users.parquet": "1", "checkpoint": "3"}), MEASURES).matched


@pytest.mark.parametrize("level", ["bitwise", "tolerance"])
def test_a_cell_of_another_setting_never_matches(level: Any) -> None:
    verdict = judge_cell(level, cell(), cell(config={"training": {"steps": 4}}), MEASURES)
    assert (verdict.matched, verdict.why) == (False, "training.steps: 3 in the pin, 4 here")
    verdict = judge_cell(level, cell(), cell(config={"training": {}}), MEASURES)
    assert (verdict.matched, verdict.why) == (False, "training.steps: 3 in the pin, none here")


@pytest.mark.parametrize("level", ["bitwise", "tolerance"])
def test_an_end_or_a_metric_that_is_not_the_pinned_one_differs(level: Any) -> None:
    assert not judge_cell(level, cell(), cell(status="diverged", reason="nan"), MEASURES).matched
    assert not judge_cell(level, cell(), cell(metrics=cell()["metrics"][:2]), MEASURES).matched
    assert not judge_cell(level, cell(), moved(1, 0.5), MEASURES).matched  # NaN is not a number
    assert not judge_cell(level, cell(), moved(2, 8.0), MEASURES).matched


def test_tolerance_is_by_metric_and_kind() -> None:
    far = tolerance_of(MEASURES, "model", "ndcg@10")
    assert judge_cell("tolerance", cell(), moved(0, 0.5 + 0.9 * far), MEASURES).matched
    assert not judge_cell("tolerance", cell(), moved(0, 0.5 + 1.1 * far), MEASURES).matched
    assert not judge_cell("tolerance", cell(kind="baseline"), moved(0, 0.5 + 0.9 * far), MEASURES).matched
    fitted = cell(kind="baseline", model="logistic")  # by descent, as a model is trained
    assert judge_cell("tolerance", fitted, moved(0, 0.5 + 0.9 * far), MEASURES).matched


def test_what_another_seed_does_is_within_the_tolerance() -> None:
    """Of the shipped next items, whose metrics are of all kinds: shares, multiples, and how far the loss came."""
    found: dict[tuple[str, str, str], list[float]] = defaultdict(list)
    with (ROOT / "results/ml1m/cells.csv").open(newline="") as file:
        for row in csv.DictReader(file):
            if row["seed"] and row["value"]:
                found[row["model"], row["slice"], row["metric"]].append(float(row["value"]))
    assert len(found) > 60
    measures = NextItem(stop_by="ndcg").measures()
    for (name, _, metric), values in found.items():
        assert max(values) - min(values) <= tolerance_of(measures, "model", metric, name), (name, metric)


def test_a_processor_is_named_with_its_generation_and_what_compilers_choose_by(monkeypatch: pytest.MonkeyPatch) -> None:
    info = "model name\t: AMD EPYC\ncpu family\t: 25\nmodel\t\t: 1\nflags\t\t: fpu avx512f avx fma avx2 aes\n"
    monkeypatch.setattr(Path, "is_file", lambda _: True)
    monkeypatch.setattr(Path, "read_text", lambda _: info)
    assert environment._processor() == "AMD EPYC, family 25, model 1: avx avx2 avx512f fma"
    monkeypatch.setattr(Path, "read_text", lambda _: "BogoMIPS\t: 50\nFeatures\t: fp asimd sve\n")
    assert environment._processor().endswith(": asimd sve")


@pytest.mark.parametrize(("seeds", "found"), [(3, 0.49), (5, 0.77), (10, 0.97)])
def test_equivalence_errs_at_most_five_percent_at_the_margin_and_is_found(seeds: int, found: float) -> None:
    rng = np.random.default_rng(0)

    def matched(apart: float, repetitions: int) -> int:
        draws = (rng.normal(0, 1, seeds) for _ in range(repetitions))
        verdicts = (judge_seeds(one.tolist(), rng.normal(apart, 1, seeds).tolist()) for one in draws)
        return sum(verdict is not None and verdict.matched for verdict in verdicts)

    assert at_most(matched(2, 1_000), 1_000) and at_most(matched(-2, 1_000), 1_000)
    assert matched(0, 400) / 400 == pytest.approx(found, abs=0.08)


def test_equivalence_needs_seeds_and_a_spread_of_the_pin_or_the_very_number() -> None:
    assert judge_seeds([1.0, 2.0], [1.0, 2.0]) is None
    same = [judge_seeds([0.5] * 3, got) for got in ([0.5] * 4, [0.5, 0.5, 0.6])]
    assert [one is not None and one.matched for one in same] == [True, False]
    wild = judge_seeds([1.0, 1.1, 0.9, 1.0, 1.05], [0.2, 1.9, 0.4, 1.6, 1.7])
    assert wild is not None and not wild.matched


def test_a_line_with_fewer_seeds_than_are_judged_does_not_match() -> None:
    def line(*values: float) -> list[dict[str, Any]]:
        return [cell(seed=i, metrics=[["test", "all", "ndcg@10", value]]) for i, value in enumerate(values)]

    pinned = line(0.3, 0.4, 0.5)
    check_seeds(pinned, MEASURES)
    ((_, same),) = judge_lines(pinned, line(0.3, 0.4, 0.5), MEASURES)
    ((_, fewer),) = judge_lines(pinned, line(0.3, 0.4), MEASURES)
    assert same.expected == same.got and (fewer.matched, fewer.got) == (False, "2 seeds")
    other = [*line(0.3, 0.4), cell(seed=2, config={"training": {"steps": 4}})]
    ((_, another),) = judge_lines(pinned, other, MEASURES)
    assert (another.matched, another.why) == (False, "training.steps: 3 in the pin, 4 here")
    for few in (line(0.3, 0.4), [cell(kind="baseline")]):
        with pytest.raises(InputError, match="needs 3 seeds or more"):
            check_seeds(few, MEASURES)


def test_few_cells_are_spread_over_lines_and_always_the_same() -> None:
    def of(model: str, seed: int | None, kind: str = "model") -> dict[str, Any]:
        return cell(id=f"{model}{seed}", model=model, seed=seed, kind=kind)

    cells = [of("base", None, "baseline"), *(of(model, seed) for seed in range(3) for model in "abcd")]
    assert [one["model"] for one in choose_cells(cells, 2)] == ["a", "c"]
    assert {one["model"] for one in choose_cells(cells, 5)} == {"base", *"abcd"}
    assert len({one["id"] for one in choose_cells(cells, 9)}) == 9 and len(choose_cells(cells, None)) == 13
    with pytest.raises(InputError, match="nothing to reproduce"):
        choose_cells([cell(status="missing")], None)
