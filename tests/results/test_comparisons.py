"""Pairs of lines: who is compared with whom, and the numbers by hand."""

import csv
import io
from dataclasses import replace
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest

from lab.core.errors import FaultError
from lab.results.comparisons import COLUMNS, Comparison, comparisons, comparisons_csv, from_row
from lab.results.store import Store
from lab.results.summary import summarise
from lab.results.tables import write_tables
from lab.statistics.permutation import holm
from tests.results.made import evaluation, metrics, record, users

BASE = np.array([0.1, 0.5, 0.3, 0.2])


def put(store: Store, cell: str, values: np.ndarray, reverse: bool = False, **changes: object) -> None:
    table = users({"all": values})
    if reverse:
        table = {name: column[::-1] for name, column in table.items()}
    store.write(replace(record(cell, **changes), metrics=metrics(table)), judged=evaluation(table))


def baseline(store: Store, name: str = "popularity", reverse: bool = False, **changes: object) -> None:
    settings = {"kind": "baseline", "model": name, "features": "", "seed": None} | changes
    put(store, f"{name}-{settings.get('fold', 0)}", BASE, reverse, **settings)


def all_comparisons(store: Store) -> tuple[Comparison, ...]:
    return comparisons(store, summarise(store))


def test_a_model_and_a_baseline_by_hand(tmp_path: Path) -> None:
    store = Store(tmp_path)
    for seed in range(3):
        put(store, f"a{seed}", BASE + 0.1 * (seed + 1), seed=seed)
    baseline(store)
    (one,) = all_comparisons(store)
    assert (one.a, one.b, one.slice, one.queries, one.users) == ("lstm · full", "popularity", "all", 4, 4)
    assert one.difference == pytest.approx(0.2)
    assert one.users_p == one.holm_p == 2 / 2**4 * (1 + 14 / 4)  # two patterns of 16, and what 4 users hide
    assert one.seeds == 3 and one.seeds_p == one.smallest_seeds_p == 0.25
    assert one.seeds_low == pytest.approx(0.2 - 4.30265273 * 0.1 / np.sqrt(3))  # t of 2 degrees of freedom
    assert one.improvement == 1.0


def test_queries_are_paired_whatever_their_order(tmp_path: Path) -> None:
    rows = []
    for reverse in (False, True):
        store = Store(tmp_path / str(reverse))
        put(store, "a", BASE + np.array([0.1, -0.1, 0.2, 0.3]))
        baseline(store, reverse=reverse)
        rows.append(all_comparisons(store))
    assert rows[0] == rows[1] and rows[0][0].difference == pytest.approx(0.125)


def test_lines_are_compared_at_the_queries_that_both_answer(tmp_path: Path) -> None:
    store = Store(tmp_path)
    put(store, "a", BASE)
    table = users({"all": BASE})
    table["user"] = table["user"] + 1  # as many users, of whom one is another
    judged, settings = evaluation(table), {"kind": "baseline", "model": "last", "features": "", "seed": None}
    store.write(replace(record("last", **settings), metrics=metrics(table)), judged=judged)
    (one,) = all_comparisons(store)
    assert one.queries == one.users == 3 and one.difference == pytest.approx((BASE[1:] - BASE[:-1]).mean())


def test_the_family_is_every_two_lines_of_a_target_and_horizon_but_the_oracle(tmp_path: Path) -> None:
    store = Store(tmp_path)
    for model, features in (("gru", "full"), ("lstm", "full"), ("lstm", "time")):
        put(store, f"{model}-{features}", BASE + 0.1, model=model, features=features)
    baseline(store)
    baseline(store, "last")
    put(store, "oracle", BASE + 0.4, kind="oracle", model="oracle", features="", seed=None)
    put(store, "far", BASE, model="gru", horizon=30.0)
    names = ["gru · full", "lstm · full", "lstm · time", "last", "popularity"]
    assert [(one.a, one.b) for one in all_comparisons(store)] == list(combinations(names, 2))
    assert [one.holm_p for one in all_comparisons(store)] == pytest.approx(
        holm([one.users_p for one in all_comparisons(store)])
    )


@pytest.mark.parametrize(("novel", "slices"), [(BASE, ["all"]), (BASE[::-1], ["all", "novel"])])
def test_a_slice_that_is_all_over_again_is_no_part_of_the_family(
    tmp_path: Path, novel: np.ndarray, slices: list[str]
) -> None:
    store = Store(tmp_path)
    for model, more in (("gru", 0.0), ("lstm", 0.1), ("rnn", 0.3)):
        table = users({"all": BASE + more, "novel": novel + more})
        store.write(replace(record(model, model=model), metrics=metrics(table)), judged=evaluation(table))
    every = all_comparisons(store)
    assert [one.slice for one in every if (one.a, one.b) == ("gru · full", "lstm · full")] == slices
    assert [one.holm_p for one in every] == pytest.approx(holm([one.users_p for one in every]))


def test_comparisons_drawn_together_have_the_p_they_have_alone(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    together, alone = Store(tmp_path / "together"), Store(tmp_path / "alone")
    for model in ("gru", "lstm"):
        values = rng.random(40)
        for store in (together, alone):
            put(store, model, values, model=model)
    put(together, "rnn", rng.random(40), model="rnn")
    (one,) = all_comparisons(alone)
    other = next(c for c in all_comparisons(together) if (c.a, c.b) == (one.a, one.b))
    assert replace(one, holm_p=0) == replace(other, holm_p=0)


def test_turned_around_a_comparison_says_the_same(tmp_path: Path) -> None:
    store = Store(tmp_path)
    for seed in range(3):
        put(store, f"a{seed}", BASE + np.array([0.1, -0.2, 0.2, 0.3]) * (seed + 1), seed=seed, model="a")
        put(store, f"b{seed}", BASE[::-1].copy(), seed=seed, model="b")
    (one,) = all_comparisons(store)
    assert one.reversed.difference == -one.difference and one.reversed.reversed == one
    assert one.users_high is not None and one.reversed.users_low == -one.users_high


def test_cells_of_one_row_that_answer_different_queries_are_refused_by_name(tmp_path: Path) -> None:
    store = Store(tmp_path)
    put(store, "a0", BASE, seed=0)
    store.write(record("a1", seed=1, metrics=metrics(users({"all": BASE}))))
    with pytest.raises(FaultError, match=r"cell a1 of the row lstm · full has no users.parquet, which a0 has"):
        all_comparisons(store)


def test_an_incomplete_line_is_not_compared(tmp_path: Path) -> None:
    store = Store(tmp_path)
    put(store, "a0", BASE, seed=0)
    store.write(record("a1", seed=1, status="failed", reason="Out of memory."))
    baseline(store)
    assert all_comparisons(store) == ()


def test_the_file_has_a_row_a_comparison_and_blanks_for_what_cannot_be_said(tmp_path: Path) -> None:
    store = Store(tmp_path)
    put(store, "a", BASE + 0.1, fold=0)
    put(store, "b", BASE + 0.3, fold=1)
    baseline(store, fold=0)
    baseline(store, fold=1)
    write_tables(store)
    (row,) = csv.DictReader(io.StringIO((tmp_path / "comparisons.csv").read_text()))
    assert tuple(row) == COLUMNS and row["horizon"] == "7" and row["queries"] == "8" and row["users"] == "4"
    assert row["seeds"] == "1" and row["seeds_low"] == "" and row["smallest_seeds_p"] == "1.0"
    assert [from_row(row)] == list(all_comparisons(store))
    assert comparisons_csv(()).decode() == ",".join(COLUMNS) + "\n"
