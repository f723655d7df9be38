"""The axis of variants: what it may change, what its cells are called, and that they can be compared."""

from dataclasses import replace
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest

from lab.baselines import LastCategory
from lab.commands.command_line import parse
from lab.core.errors import InputError
from lab.experiment.cell_record import CellRecord, from_json, place_of, to_json
from lab.experiment.cells import Cell, grid
from lab.experiment.selection import select
from lab.experiment.settings import experiment_from_settings, settings_of
from lab.experiment.variants import variants_of
from lab.features import Habit
from lab.results.comparisons import comparisons
from lab.results.store import Store
from lab.results.summary import summarise
from lab.results.tables import write_tables
from lab.running.row_groups import group_by_rows
from lab.training.settings import Training
from tests.results.made import evaluation, metrics, record, same_everywhere
from tests.small_experiment import small_experiment

DAYS = {"7 days": {"timeline.history_days": 7}, "all": {}}
RATES = {"slow": {"training.learning_rate": 1e-4, "training.dropout": 0.0}, "fast": {"training.learning_rate": 1e-2}}


def small(**changes: Any) -> Any:
    return small_experiment(**({"horizons": (7,), "seeds": 1, "baselines": (LastCategory(),)} | changes))


@pytest.mark.parametrize(
    ("variants", "said"),
    [
        (
            {"a": {"training.stpes": 3}},
            r"variants\.a: there is no setting 'training\.stpes'; did you mean 'training\.st",
        ),
        ({"a": {"groups.habit.day": (1,)}}, r"did you mean 'groups\.habit\.days'"),
        ({"a": {"groups.price.hidden": 3}}, r"there is no setting 'groups\.price\.hidden'"),
        ({"a": {"steps": 3}}, r"there is no setting 'steps'; did you mean 'training\.steps'"),
        ({"a": {"training.share": 1.5}}, r"variants\.a: training\.share: 1\.5 will not do; it must be above 0"),
        ({"a": {"training.share": "x"}}, r"variants\.a: training\.share: 'x' is not a number"),
        ({"a": {"timeline.history_days": 0}}, r"variants\.a: timeline\.history_days: 0 is not a positive"),
        ({"a": {"horizons": (3,)}}, r"variants\.a\.horizons: horizons spans the grid already"),
        ({"a": {"models.width": 3}}, r"models spans the grid already"),
        (
            {"a": {"timeline.min_events": 9}},
            r"variants\.a\.timeline\.min_events: changes what is asked, or of which log",
        ),
        ({"a": {"timeline.end": "2022-01-01"}}, r"changes what is asked"),
        ({"a": {"target.weights": "counts"}}, r"changes what is asked"),
        ({"a": {"source.users": 9}}, r"changes what is asked"),
        ({"a": {"training.resident_gib": 1}}, r"decides where numbers are computed"),
        ({"a": {}, "b": {"training.steps": 600}}, r"variants: 'a' and 'b' come to the same settings"),
        ({"a": {"training.steps": 1}, "A": {}}, r"variants: 'a' stands there twice"),
        ({" a": {}}, r"variants: ' a' is no name"),
        ({"a · b": {}}, r"have no · in it"),
        ({"a": 3}, r"variants\.a: 3 is not a mapping"),
        (("a",), r"variants: \('a',\) is not a mapping"),
    ],
)
def test_what_no_variant_may_change_is_named(variants: Any, said: str) -> None:
    with pytest.raises(InputError, match=said):
        small_experiment(variants=variants)


def test_a_variant_is_the_experiment_with_its_settings_replaced() -> None:
    wide = {"groups.habit.days": [1, 7], "training.steps": 9, "timeline.query_every": 3}
    one = variants_of(small_experiment(variants={"x": wide, "y": {}}))
    assert one["x"].training == Training(steps=9) and one["x"].timeline.query_every == 3
    assert one["x"].group("habit") == Habit(days=(1, 7)) and one["y"] == small_experiment()


def test_an_experiment_without_variants_names_none() -> None:
    cells = grid(small_experiment(), "data", oracle=True)
    assert {cell.variant for cell in cells} == {""}
    alone = to_json(cells[-1].record("missing"))
    assert "variant" not in alone and from_json(alone | {"files": {}}).variant == ""
    with_one = grid(small_experiment(variants={"x": {}}), "data", oracle=True)
    # What they compute is the same: their configs agree, to the letter.
    assert [cell.config for cell in cells] == [cell.config for cell in with_one]


def names_of(cells: list[Cell], kind: str) -> list[str]:
    return [cell.variant for cell in cells if cell.kind == kind and cell.horizon == 7.0]


def test_what_is_the_same_to_all_variants_is_one_cell() -> None:
    cells = grid(small(variants=DAYS), "data", oracle=True)
    assert names_of(cells, "oracle") == [""] and names_of(cells, "baseline") == ["7 days", "all"]
    assert set(names_of(cells, "model")) == set(DAYS) and len(names_of(cells, "model")) == 2 * 2 * 2
    cells = grid(small(variants=RATES), "data", oracle=True)
    assert names_of(cells, "baseline") == [""] and set(names_of(cells, "model")) == set(RATES)
    shares = {"half": {"training.share": 0.5}, "all": {}}
    assert names_of(grid(small(variants=shares), "data", oracle=True), "baseline") == list(shares)
    assert len({cell.id for cell in cells}) == len(cells)
    assert next(cell.id for cell in cells if cell.variant == "slow").startswith("lstm_width=8-ids-slow-h7-f0-s0-")


def test_variants_that_read_the_same_rows_share_them() -> None:
    (fold,) = [type("Fold", (), {"index": 0})]
    parts = group_by_rows(grid(small(variants=RATES), "data", oracle=True), fold)  # type: ignore[arg-type]
    assert len(parts) == 1
    parts = group_by_rows(grid(small(variants=DAYS | {"fast": {"training.steps": 9}}), "data", True), fold)  # type: ignore[arg-type]
    found = [{cell.variant for cell in part if cell.kind != "oracle"} for _, part in parts]
    assert found == [{"7 days"}, {"all", "fast"}]


def test_cells_are_chosen_by_variant_and_what_is_of_another_goes() -> None:
    cells = grid(small(variants=DAYS), "data", oracle=True)
    chosen = select(cells, ("variant=7 DAYS", "model=gru"))
    assert {(c.kind, c.variant) for c in chosen} == {("oracle", ""), ("baseline", "7 days"), ("model", "7 days")}
    with pytest.raises(InputError, match="did you mean '7 days'"):
        select(cells, ("variant=7 day",))
    with pytest.raises(InputError, match="the experiment has none"):
        select(grid(small(), "data", oracle=True), ("variant=all",))


def test_a_pin_gives_the_same_cells_back() -> None:
    experiment = small(variants=DAYS | {"type": {"groups.habit.days": (1.0, 7.0)}})
    again = experiment_from_settings(settings_of(experiment))
    first, second = (grid(one, "data", oracle=True) for one in (experiment, again))
    assert [cell.id for cell in first] == [cell.id for cell in second]
    assert len({place_of(cell.record("missing")) for cell in first}) == len(first)


def test_a_flag_that_every_variant_overrules_is_a_mistake() -> None:
    experiment = small(variants={"half": {"training.share": 0.5}, "all": {"training.share": 1.0}})
    changed, _ = parse(experiment, "run", "", ["--training.steps", "7"])
    assert [one.training.steps for one in variants_of(changed).values()] == [7, 7]
    with pytest.raises(InputError, match=r"--training\.share: every variant has its own"):
        parse(experiment, "run", "", ["--training.share", "0.25"])


def stored(store: Store, name: str, value: float, **changes: Any) -> CellRecord:
    table = same_everywhere(value, noise=0.1)
    one = record(name, metrics=metrics(table), **changes)
    store.write(one, judged=evaluation(table))
    return one


def test_tables_tell_variants_apart_and_compare_them_pair_by_pair(tmp_path: Path) -> None:
    store = Store(tmp_path)
    for seed in range(2):
        for variant, value in (("7 days", 0.4), ("all", 0.6)):
            stored(store, f"m-{variant[:1]}-{seed}", value, variant=variant, seed=seed)
    base = {"kind": "baseline", "model": "last", "features": "", "seed": None}
    for variant in ("7 days", "all"):
        stored(store, f"b-{variant[:1]}", 0.3, variant=variant, **base)
    summary = summarise(store)
    found = {(one.a, one.b): one for one in comparisons(store, summary) if one.slice == "all"}
    assert list(found) == list(
        combinations(["lstm · full · 7 days", "lstm · full · all", "last · 7 days", "last · all"], 2)
    )
    between = found["lstm · full · 7 days", "lstm · full · all"]
    assert between.queries == 20 and between.difference == pytest.approx(-0.2)
    write_tables(store)
    for name in ("cells.csv", "summary.csv"):
        assert "features,variant,target" in (tmp_path / name).read_text()
    assert "last · 7 days" in (tmp_path / "summary.md").read_text()


def test_tables_without_variants_have_no_column_for_them(tmp_path: Path) -> None:
    stored(Store(tmp_path), "m", 0.4)
    write_tables(Store(tmp_path))
    for name in ("cells.csv", "summary.csv"):
        assert "variant" not in (tmp_path / name).read_text()


def test_a_baseline_for_all_variants_stands_against_each(tmp_path: Path) -> None:
    store = Store(tmp_path)
    for variant in ("slow", "fast"):
        stored(store, f"m-{variant}", 0.4, variant=variant)
    stored(store, "b", 0.3, kind="baseline", model="last", features="", seed=None)
    found = {(one.a, one.b) for one in comparisons(store, summarise(store))}
    assert found == {
        *[(f"lstm · full · {variant}", "last") for variant in ("slow", "fast")],
        ("lstm · full · fast", "lstm · full · slow"),
    }


def test_a_share_is_part_of_what_a_baseline_is() -> None:
    half = replace(small(), training=Training(share=0.5))
    other = replace(small(), training=Training(share=0.5, share_seed=1))
    ids = [next(c.id for c in grid(one, "data", False) if c.kind == "baseline") for one in (small(), half, other)]
    assert len(set(ids)) == 3
