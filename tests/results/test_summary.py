"""The table's numbers: means and intervals of chosen cells, by hand."""

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from lab.core.errors import FaultError, InputError
from lab.evaluation.measures import Metric
from lab.experiment.cell_record import CellRecord
from lab.results.line import group_lines
from lab.results.store import Store
from lab.results.summary import Draws, Estimate, Summary, summarise
from lab.statistics.intervals import over_users
from tests.results.made import evaluation, metrics, record, same_everywhere, users


def write(store: Store, cell: CellRecord, table: dict[str, np.ndarray], extra: tuple[Metric, ...] = ()) -> CellRecord:
    cell = replace(cell, metrics=metrics(table) + extra)
    store.write(cell, judged=evaluation(table))
    return cell


def only(summary: Summary, slice_name: str = "all", metric: str = "ndcg@10") -> Estimate:
    ((line, _),) = summary.lines
    found = summary.estimate(line, slice_name, metric)
    assert found is not None
    return found


def test_the_mean_and_both_intervals_of_three_seeds(tmp_path: Path) -> None:
    store = Store(tmp_path)
    tables = [same_everywhere(0.3 + 0.02 * seed, queries=50, noise=0.2, seed=seed) for seed in range(3)]
    for seed, table in enumerate(tables):
        write(store, record(f"c{seed}", seed=seed), table)
    found = only(summarise(store))
    values = np.stack([table["ndcg@10"][table["slice"] == "all"] for table in tables])
    assert found.mean == pytest.approx(values.mean())
    assert found.queries == found.user_count == 50
    assert found.seeds is not None and found.users is not None
    t = stats.t.interval(0.95, 2, values.mean(), stats.sem(values.mean(axis=1)))
    assert (found.seeds.low, found.seeds.high) == pytest.approx(t)
    assert found.users.mean == pytest.approx(values.mean())
    alone = over_users(values, np.arange(50))
    assert alone is not None and (found.users.low, found.users.high) == pytest.approx((alone.low, alone.high))


def test_queries_without_a_label_in_a_slice_do_not_count(tmp_path: Path) -> None:
    store = Store(tmp_path)
    for seed, shift in enumerate((0.0, 0.1)):
        table = users({"novel": np.array([0.2, math.nan, 0.4]) + shift, "all": np.array([0.5, 0.5, 0.5])})
        write(store, record(f"c{seed}", seed=seed), table)
    found = only(summarise(store), "novel")
    assert found.mean == pytest.approx(0.35) and found.queries == found.user_count == 2


def test_folds_pool_their_queries_and_a_user_counts_once(tmp_path: Path) -> None:
    store = Store(tmp_path)
    for seed in (0, 1):
        write(store, record(f"a{seed}", fold=0, seed=seed), users({"all": np.array([0.1, 0.2])}))
        write(store, record(f"b{seed}", fold=1, seed=seed), users({"all": np.array([0.3, 0.4, 0.5, 0.6])}, first=1))
    found = only(summarise(store))
    assert found.mean == pytest.approx(0.35) and (found.queries, found.user_count) == (6, 5)


def test_a_seed_that_lacks_a_fold_is_no_part_of_the_interval_over_seeds(tmp_path: Path) -> None:
    store, planned = Store(tmp_path), []
    for seed in range(3):
        for fold in range(2):
            cell = record(f"c{seed}{fold}", seed=seed, fold=fold)
            if (seed, fold) == (2, 1):
                planned.append(replace(cell, status="missing"))
            else:
                planned.append(write(store, cell, users({"all": np.full(4, 0.1 + 0.4 * fold + 0.01 * seed)})))
    found = only(summarise(store, planned))
    assert found.seeds is not None and found.seeds.mean == pytest.approx(0.305)


def test_a_metric_of_whole_cells_has_an_interval_over_seeds_alone(tmp_path: Path) -> None:
    store = Store(tmp_path)
    for seed, value in enumerate((0.1, 0.3)):
        f1 = Metric("test", "all", "f1_macro", value)
        write(store, record(f"c{seed}", seed=seed), same_everywhere(0.5), (f1, Metric("valid", "all", "f1_macro", 0.9)))
    found = only(summarise(store), metric="f1_macro")
    assert found.mean == pytest.approx(0.2) and found.users is None and found.seeds is not None


def test_a_baseline_without_seeds_has_an_interval_over_users_alone(tmp_path: Path) -> None:
    store = Store(tmp_path)
    cell = record("p", kind="baseline", model="recent popularity", features="", seed=None)
    write(store, cell, same_everywhere(0.2, noise=0.1))
    found = only(summarise(store))
    assert found.seeds is None and found.users is not None and found.users.low < found.mean < found.users.high


def test_cells_that_are_not_done_are_counted_and_never_averaged(tmp_path: Path) -> None:
    store = Store(tmp_path)
    planned = [write(store, record("c0", seed=0), same_everywhere(0.4))]
    planned += [record("c1", seed=1, status="failed"), record("c2", seed=2, status="missing")]
    store.write(record("c3", seed=3, status="diverged", metrics=(Metric("test", "all", "ndcg@10", 0.0),)))
    planned.append(record("c3", seed=3, status="missing"))
    summary = summarise(store, planned)
    ((line, _),) = summary.lines
    assert line.counts == {"done": 1, "diverged": 1, "failed": 1, "missing": 1} and not line.complete
    assert only(summary).mean == pytest.approx(0.4)


def test_two_cells_for_one_place_are_refused(tmp_path: Path) -> None:
    store = Store(tmp_path)
    for name in ("old", "new"):
        write(store, record(name, config={"steps": len(name)}), same_everywhere(0.3))
    with pytest.raises(InputError, match=r"new and old both claim lstm · full.*seed 0"):
        summarise(store)
    assert only(summarise(store, [record("old", status="missing")])).mean == pytest.approx(0.3)


def test_cells_that_answer_different_queries_are_refused(tmp_path: Path) -> None:
    store = Store(tmp_path)
    write(store, record("a", seed=0), same_everywhere(0.3, queries=5))
    write(store, record("b", seed=1), same_everywhere(0.3, queries=6))
    with pytest.raises(FaultError, match="cells a and b of the row lstm · full answer different queries"):
        summarise(store)


def test_lines_stand_by_target_horizon_and_kind_and_else_as_planned() -> None:
    planned = [
        record("1", model="popularity", kind="baseline", features="", seed=None),
        record("2", model="zeta"),
        record("3", model="alpha", horizon=1.0),
        record("4", model="alpha"),
        record("5", model="oracle", kind="oracle", features="", seed=None),
        record("6", model="zeta", seed=1),
    ]
    found = [(line.horizon, line.name, len(line.cells)) for line in group_lines(planned)]
    assert found == [
        (1.0, "alpha · full", 1),
        (7.0, "zeta · full", 2),
        (7.0, "alpha · full", 1),
        (7.0, "popularity", 1),
        (7.0, "oracle", 1),
    ]


def test_folds_with_other_numbers_of_draws_are_averaged_over_those_both_have(tmp_path: Path) -> None:
    store, drawn = Store(tmp_path), {0: np.arange(6.0), 1: 10 * np.arange(4.0)}
    for fold, values in drawn.items():
        table = same_everywhere(0.5)
        judged = replace(evaluation(table), draws={"all/auc": values})
        store.write(replace(record(f"c{fold}", fold=fold), metrics=metrics(table)), judged=judged)
    (line,) = group_lines(store.records())
    assert Draws.of(store, line).values["all/auc"].tolist() == [0, 5.5, 11, 16.5]
