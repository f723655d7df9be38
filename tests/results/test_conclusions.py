"""The sentences under a table: no more than the comparisons say."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lab.results.comparisons import comparisons
from lab.results.conclusions import by_pair, conclusions, number, probability
from lab.results.store import Store
from lab.results.summary import summarise
from lab.results.table_layout import layout_tables
from tests.results.made import evaluation, metrics, record, users

BASE = np.random.default_rng(0).uniform(0.2, 0.6, 60)
NOISE = np.random.default_rng(1).normal(0, 0.05, 60)


def put(store: Store, model: str, values: np.ndarray, seeds: int = 6, **changes: Any) -> None:
    """A line that has these values, a little more with each seed."""
    for seed in range(seeds):
        table = users({"all": values + 0.001 * seed})
        cell = record(f"{model}-{seed}", model=model, seed=seed, metrics=metrics(table), **changes)
        store.write(cell, judged=evaluation(table))


def baseline(store: Store, model: str, values: np.ndarray) -> None:
    table = users({"all": values})
    cell = record(model, model=model, kind="baseline", features="", seed=None, metrics=metrics(table))
    store.write(cell, judged=evaluation(table))


def conclusions_text(store: Store) -> list[str]:
    summary = summarise(store)
    return conclusions(summary, by_pair(comparisons(store, summary)))


def marks(store: Store) -> dict[str, str]:
    """The mark of each row in the column `all`."""
    summary = summarise(store)
    (table,) = layout_tables(summary, comparisons(store, summary))
    (section,) = table.sections
    return {row.name: "*" if row.entries[0].best else "~" if row.entries[0].tied else "" for row in section.rows}


def test_a_model_that_leads_is_named_with_by_how_much(tmp_path: Path) -> None:
    store = Store(tmp_path)
    put(store, "lstm", BASE + 0.1)
    put(store, "gru", BASE + 0.02)
    baseline(store, "last", BASE)
    baseline(store, "popularity", BASE - 0.1)
    (one,) = conclusions_text(store)
    assert one == (
        "Next 7 days: lstm · full leads the best baseline, last, by .102 NDCG@10 "
        "(95 % interval over users .102 to .102, Holm's p < .001)."
    )
    assert marks(store) == {"gru · full": "", "lstm · full": "*", "last": "", "popularity": ""}


def test_what_cannot_be_told_from_the_leader_is_marked_and_named(tmp_path: Path) -> None:
    store = Store(tmp_path)
    put(store, "lstm", BASE + 0.1)
    put(store, "gru", BASE + 0.1 + NOISE - NOISE.mean() - 0.002)
    baseline(store, "last", BASE)
    (one,) = conclusions_text(store)
    assert one.startswith("Next 7 days: lstm · full leads the best baseline, last, by .102 NDCG@10 (")
    assert one.endswith("; it cannot be told from gru · full.")
    assert marks(store) == {"gru · full": "~", "lstm · full": "*", "last": ""}


def test_a_baseline_that_none_can_be_told_from_is_no_success_of_a_model(tmp_path: Path) -> None:
    store = Store(tmp_path)
    put(store, "lstm", BASE + NOISE - NOISE.mean() + 0.001)
    put(store, "gru", BASE - 0.1)
    baseline(store, "last", BASE)
    baseline(store, "decayed", BASE + np.roll(NOISE, 1) - NOISE.mean() - 0.001)
    (one,) = conclusions_text(store)
    assert "lstm · full is ahead of the best baseline, last, by " in one
    assert one.endswith(", but cannot be told from it, nor from decayed.")
    assert marks(store) == {"gru · full": "", "lstm · full": "*", "last": "~", "decayed": "~"}


def test_a_baseline_that_leads_is_said_to(tmp_path: Path) -> None:
    store = Store(tmp_path)
    put(store, "lstm", BASE)
    baseline(store, "last", BASE + 0.1)
    assert conclusions_text(store)[0].startswith(
        "Next 7 days: last leads the best model, lstm · full, by .098 NDCG@10 ("
    )


@pytest.mark.parametrize(("seeds", "end"), [(1, "With 1 seed, "), (3, "below .250"), (5, "below .062"), (6, "")])
def test_fewer_than_six_seeds_cannot_say_what_others_would_do(tmp_path: Path, seeds: int, end: str) -> None:
    store = Store(tmp_path)
    put(store, "lstm", BASE + 0.1, seeds)
    baseline(store, "last", BASE)
    sentences = conclusions_text(store)
    assert len(sentences) == 1 + (seeds < 6) and end in sentences[-1]


def test_what_is_not_done_or_alone_concludes_nothing(tmp_path: Path) -> None:
    store = Store(tmp_path)
    store.write(record("lost", status="failed", reason="Out of memory."))
    assert conclusions_text(store) == ["No row has all of its cells; nothing can be concluded yet."]
    store = Store(tmp_path / "alone")
    baseline(store, "last", BASE)
    assert conclusions_text(store)[0].endswith("; there is nothing to compare it with.")


def test_a_row_that_is_left_out_is_named(tmp_path: Path) -> None:
    store = Store(tmp_path)
    put(store, "gru", BASE)
    put(store, "lstm", BASE + 0.2)
    store.write(record("lost", model="lstm", seed=6, status="failed", reason="Out of memory."))
    assert "Left out here, since not all of its cells are done: lstm · full (7 days)." in conclusions_text(store)


def test_rows_of_one_value_are_level(tmp_path: Path) -> None:
    store = Store(tmp_path)
    for name in ("decayed", "last"):
        baseline(store, name, BASE)
    assert "is level with" in conclusions_text(store)[0] and "ahead" not in conclusions_text(store)[0]


def test_a_tie_is_of_one_slice(tmp_path: Path) -> None:
    store = Store(tmp_path)
    for name, novel in (("lstm", BASE), ("gru", BASE + NOISE - NOISE.mean())):
        table = users({"all": BASE + 0.1 * (name == "lstm"), "novel": novel})
        store.write(replace(record(name, model=name), metrics=metrics(table)), judged=evaluation(table))
    summary = summarise(store)
    found = comparisons(store, summary)
    (table,) = layout_tables(summary, found)
    (section,) = table.sections
    assert [[entry.tied for entry in row.entries].count(True) for row in section.rows] in ([1, 0], [0, 1])
    assert not any(row.entries[0].tied for row in section.rows)


def test_numbers_are_short() -> None:
    assert [number(v) for v in (0.0164, -0.004, 1.2, -0.0004, 0.9996)] == [".016", "-.004", "1.20", ".000", "1.00"]
    assert [probability(p) for p in (0.0004, 0.0625)] == ["< .001", ".062"]
