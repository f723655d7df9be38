"""Cells of other settings, data, code or packages than asked for: shown where asked to, and never averaged with any."""

import csv
import io
import os
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console

from lab.commands.command_line import Options
from lab.core.errors import InputError
from lab.experiment.cell_record import CellRecord
from lab.report.contents import read_contents
from lab.report.page import page
from lab.results.stale_cells import with_stale
from lab.results.store import Store
from lab.results.summary import summarise
from lab.results.tables import print_tables, write_tables
from tests.results.made import evaluation, metrics, record, same_everywhere


def planned_record(model: str, seed: int, steps: int = 300, code: str = "new") -> CellRecord:
    config = {"training": {"steps": steps}, "fold": 0, "seed": seed}
    prints = {"data": "log", "code": code, "packages": "jax=1"}
    return record(f"{model}-{seed}-{steps}-{code}", model=model, seed=seed, config=config, fingerprints=prints)


def keep(store: Store, cell: CellRecord, value: float = 0.3, queries: int = 20) -> None:
    table = same_everywhere(value, queries, noise=0.2, seed=int(cell.seed or 0))
    store.write(replace(cell, metrics=metrics(table)), judged=evaluation(table))


@pytest.fixture
def folder(tmp_path: Path) -> tuple[Store, list[CellRecord]]:
    """A grid of which the gru is whole, and the lstm has one of three seeds; three others of older code lie about."""
    store = Store(tmp_path / "made")
    planned = [planned_record(model, seed) for model in ("lstm", "gru") for seed in range(3)]
    for cell in (*planned[3:], planned[0]):
        keep(store, cell)
    for seed in range(3):
        keep(store, planned_record("lstm", seed, code="old"), 0.9, queries=30)
    return store, [replace(cell, status="missing") for cell in planned]


def test_only_places_that_nothing_fresh_is_kept_of_are_stale(folder: tuple[Store, list[CellRecord]]) -> None:
    store, planned = folder
    found = with_stale(store, planned)
    assert found[:6] == planned
    assert [(one.id, one.stale) for one in found[6:]] == [(f"lstm-{s}-300-old", ("code",)) for s in (1, 2)]


def test_of_several_generations_the_nearest_and_then_the_newest_stands_alone(tmp_path: Path) -> None:
    store, planned = Store(tmp_path), [replace(planned_record("lstm", seed), status="missing") for seed in range(3)]
    for age, cell in enumerate(
        [
            *(planned_record("lstm", seed, 200, "old") for seed in range(3)),
            *(planned_record("lstm", seed, code="older") for seed in range(3)),
            *(planned_record("lstm", seed, code="old") for seed in range(2)),
        ]
    ):
        keep(store, cell)
        os.utime(store.folder(cell.id) / "cell.json", (age, age))
    assert [one.id for one in with_stale(store, planned)[3:]] == ["lstm-0-300-old", "lstm-1-300-old"]
    nearer = planned_record("lstm", 2, steps=299)
    keep(store, nearer)
    os.utime(store.folder(nearer.id) / "cell.json", (99, 99))
    assert [(one.id, one.stale) for one in with_stale(store, planned)[3:]] == [(nearer.id, ("training.steps",))]


def stale_lines(store: Store, planned: list[CellRecord]) -> list[str]:
    console = Console(file=io.StringIO(), width=80)
    print_tables(write_tables(store, planned), console)
    return console.file.getvalue().splitlines()  # type: ignore[attr-defined]


def test_a_stale_row_is_marked_and_moves_no_other(folder: tuple[Store, list[CellRecord]]) -> None:
    store, planned = folder
    fresh = stale_lines(store, planned)
    compared = (store.root / "comparisons.csv").read_bytes()
    text = stale_lines(store, with_stale(store, planned))

    # Nothing but the row and its note came to it: it is no best, and what it has, of more queries too, moves no number.
    def squeezed(lines: list[str]) -> list[str]:
        return [" ".join(line.split()) for line in lines if "─" not in line]

    more = [line for line in squeezed(text) if line not in squeezed(fresh)]
    assert more[0].startswith("lstm · full · stale: .8") and "*" not in more[0] and "~" not in more[0]
    assert more[1] == "code" and more[2].startswith(
        "lstm · full · stale: code, 7 days: 2 stale cells, not what is asked"
    )
    assert [line for line in squeezed(text) if line in squeezed(fresh)] == squeezed(fresh)
    assert max(map(len, text)) <= 80
    assert (store.root / "comparisons.csv").read_bytes() == compared
    assert "| lstm · full · stale: code | .8" in (store.root / "summary.md").read_text()
    assert "stale: code & .8" in (store.root / "summary.tex").read_text()


def rows(path: Path) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(path.read_text())))


def test_csv_files_tell_stale_cells_apart(folder: tuple[Store, list[CellRecord]]) -> None:
    store, planned = folder
    write_tables(store, planned)
    assert not any("stale" in row for name in ("cells", "summary") for row in rows(store.root / f"{name}.csv"))
    write_tables(store, with_stale(store, planned))
    cells = {row["cell"]: (row["status"], row["stale"]) for row in rows(store.root / "cells.csv")}
    assert cells["lstm-1-300-old"] == ("stale", "code") and cells["lstm-1-300-new"] == ("missing", "")
    of_lstm = [one for one in rows(store.root / "summary.csv") if (one["model"], one["slice"]) == ("lstm", "all")]
    assert [(one["stale"], one["done"], one["queries"]) for one in of_lstm] == [("", "1", "20"), ("code", "2", "30")]


def test_a_report_shows_stale_cells_on_request_alone(folder: tuple[Store, list[CellRecord]]) -> None:
    store, planned = folder
    write_tables(store, with_stale(store, planned))
    with pytest.raises(InputError, match=r"cells.csv: 2 of its 8 cells are stale \(code\); .* add --stale"):
        read_contents(store.root)
    contents = read_contents(store.root, stale=True)
    assert [line.name for line in contents.lines] == ["lstm · full", "gru · full"]  # no figure has the others
    text = page(contents, [])
    assert "lstm · full · stale: code" in text and "stale, 2 done" in text


@pytest.mark.parametrize(
    ("other", "named"),
    [
        (planned_record("lstm", 1, steps=200), "lstm-0-300-new and lstm-1-200-new differ in training.steps"),
        (planned_record("lstm", 1, code="old"), "differ in code"),
        (
            replace(planned_record("rnn", 0), fingerprints={"data": "other", "code": "", "packages": "jax=1"}),
            "differ in data",
        ),
    ],
    ids=["settings", "code", "data of another line"],
)
def test_a_folder_that_does_not_tell_which_are_stale_is_refused(tmp_path: Path, other: CellRecord, named: str) -> None:
    store = Store(tmp_path)
    keep(store, planned_record("lstm", 0))
    keep(store, replace(planned_record("gru", 1), fingerprints={"data": "log", "code": "own", "packages": "jax=1"}))
    summarise(store)  # a class of the user's own may be in the code of one line, and not of another
    keep(store, other)
    with pytest.raises(InputError, match=f"{named}; one of them is stale"):
        summarise(store)


def test_two_ways_to_stop_are_contradictory() -> None:
    with pytest.raises(InputError, match="--status and --stale: each says something else"):
        Options(status=True, stale=True)
    assert Options(dry_run=True, estimate=True)
