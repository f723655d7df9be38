"""What a person and a paper get to see of the summary."""

import csv
import io
import os
import pty
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from lab.evaluation.measures import Metric
from lab.experiment.cell_record import CellRecord
from lab.results.store import Store
from lab.results.table_layout import short
from lab.results.tables import print_tables, write_tables
from lab.targets import NextItem
from tests.results.made import evaluation, metrics, record, same_everywhere, users

ROOT = Path(__file__).parents[2]


def fill(store: Store) -> list[CellRecord]:
    """Two models, two baselines and an oracle at two horizons; some cells are not done."""
    planned = []
    for horizon in (7.0, 30.0):
        for model, value in (("lstm", 0.3), ("transformer", 0.35)):
            for seed in range(3):
                planned.append((record(f"{model}-{horizon:g}-{seed}", model=model, horizon=horizon, seed=seed), value))
        for name, value in (("recent popularity", 0.2), ("decayed personal frequency", 0.32)):
            cell = record(f"{name[:3]}-{horizon:g}", kind="baseline", model=name, features="", horizon=horizon)
            planned.append((replace(cell, seed=None), value))
        oracle = record(f"oracle-{horizon:g}", kind="oracle", model="oracle", features="", horizon=horizon, seed=None)
        planned.append((oracle, 0.6))
    return [_end(store, cell, value) for cell, value in planned]


def _end(store: Store, cell: CellRecord, value: float) -> CellRecord:
    if cell.id == "lstm-7-1":
        cell = replace(cell, status="diverged", reason="the loss was not finite at step 120")
        store.write(cell)
    elif cell.id.startswith("transformer-30"):
        cell = replace(cell, status="missing")
    else:
        table = same_everywhere(value, queries=40, noise=0.2, seed=cell.seed or 0)
        cell = replace(cell, metrics=metrics(table))
        store.write(cell, judged=evaluation(table))
    return cell


def printed(store: Store, planned: list[CellRecord], encoding: str = "utf-8", width: int = 80) -> list[str]:
    file = io.TextIOWrapper(io.BytesIO(), encoding)
    print_tables(write_tables(store, planned), Console(file=file, width=width))
    file.seek(0)
    return file.read().splitlines()


def test_the_console_table_fits_80_columns_and_marks_the_best(tmp_path: Path) -> None:
    store = Store(tmp_path)
    text = printed(store, fill(store))
    assert max(map(len, text)) <= 80
    rows = {line[:18].strip(): line for line in reversed(text)}
    assert rows["transformer · full"].count("*") == 3 and "*" not in rows["oracle (bound)"]
    assert "lstm · full 2/3" in text[3] and "±" in text[3]
    assert any("transformer · full" in line and line.count("missing") == 3 for line in text)
    said = " ".join(text)
    assert "lstm · full, 7 days: 1 of 3 diverged: the loss was not finite at step 120" in said
    assert "transformer · full, 30 days: 3 of 3 missing." in said


def test_one_query_has_no_interval_and_a_tie_of_all_lines_no_best(tmp_path: Path) -> None:
    store, table = Store(tmp_path), same_everywhere(1.0, queries=1)
    for name in ("popularity", "last"):
        cell = record(name, kind="baseline", model=name, features="", seed=None, metrics=metrics(table))
        store.write(cell, judged=evaluation(table))
    (shown,) = write_tables(store)
    assert not any(entry.best for row in shown.sections[0].rows for entry in row.entries)
    assert shown.caption.endswith("over users. One user alone has no interval.")


def test_columns_stand_one_below_the_other(tmp_path: Path) -> None:
    store = Store(tmp_path)
    text = printed(store, fill(store))
    starts = {tuple(mean.start() for mean in re.finditer(r"(?<!±)\.\d{3} ±", line)) for line in text}
    assert len(starts - {()}) == 1


def test_an_ascii_log_gets_the_same_table(tmp_path: Path) -> None:
    store = Store(tmp_path)
    text = printed(store, fill(store), encoding="ascii")
    assert max(map(len, text)) <= 80
    assert any(line.startswith("transformer / full") and "+" in line for line in text)


def asked_next(store: Store, values: dict[str, np.ndarray], cold: int = 0, horizon: float = 0.0) -> None:
    """A baseline asked for next items, some of which were unknown."""
    table = users(values)
    counts = (Metric("test", "all", "queries", float(len(values["all"]))), Metric("test", "all", "cold", float(cold)))
    cell = record(f"last-{horizon:g}", kind="baseline", model="last", features="", seed=None, horizon=horizon)
    asked = replace(cell, metrics=(*metrics(table), *counts), measures=NextItem().measures())
    store.write(asked, judged=evaluation(table))


@pytest.mark.parametrize(
    ("own", "columns", "said"),
    [
        ({"novel": [0.1, 0.5]}, ("all",), "All queries are novel, since none is for what its user had taken before;"),
        ({"repeat": [0.1, 0.5]}, ("all",), "All queries are repeat, since each is for what its user had taken before;"),
        ({"novel": [0.1, 0.3]}, ("all", "novel"), "No query is repeat, so that slice is not shown."),
        ({"repeat": [0.1], "novel": [0.5]}, ("all", "repeat", "novel"), ""),
    ],
)
def test_a_slice_without_numbers_of_its_own_is_left_out_and_said(
    tmp_path: Path, own: dict[str, list[float]], columns: tuple[str, ...], said: str
) -> None:
    store = Store(tmp_path)
    asked_next(store, {name: np.array(values) for name, values in ({"all": [0.1, 0.5]} | own).items()})
    (shown,) = write_tables(store)
    assert shown.columns == columns and len(shown.sections[0].rows[0].entries) == len(columns)
    assert [one.startswith(said) for one in shown.remarks] == ([True] if said else [])
    assert "0 queries" not in (tmp_path / "summary.md").read_text()


def test_cold_items_and_what_the_log_lacks_are_said_wherever_the_table_is(tmp_path: Path) -> None:
    store = Store(tmp_path)
    for horizon, cold in ((7.0, 0), (30.0, 1234)):
        asked_next(store, {"all": np.full(2, 0.5)}, cold, horizon)
    lacking = "features: price is left out, the log has no price column."
    file = io.TextIOWrapper(io.BytesIO(), "utf-8")
    print_tables(write_tables(store, left_out=[lacking]), Console(file=file, width=80))
    file.seek(0)
    unknown = "labels are what was unknown at the valid cutoff; no query counts them."
    cold = f"Cold, next 30 days: 1,234 of 1,236 {unknown}"
    for text in (
        " ".join(file.read().split()),
        *((tmp_path / f"summary.{kind}").read_text() for kind in ("md", "tex")),
    ):
        assert cold in text and lacking in text and "Cold, next 7" not in text


SHOW = """
import sys
from pathlib import Path
from rich.console import Console
from lab.results.store import Store
from lab.results.tables import print_tables, write_tables
print_tables(write_tables(Store(Path(sys.argv[1]))), Console())
"""


def test_a_real_terminal_of_80_columns_shows_the_best_in_bold(tmp_path: Path) -> None:
    fill(Store(tmp_path))
    ours, theirs = pty.openpty()
    environment = {**os.environ, "TERM": "xterm-256color", "COLUMNS": "80", "LINES": "24"}
    environment.pop("NO_COLOR", None)
    with subprocess.Popen(
        [sys.executable, "-c", SHOW, str(tmp_path)], stdout=theirs, cwd=ROOT, env=environment
    ) as shown:
        os.close(theirs)
        output = _drained(ours)
    assert shown.returncode == 0
    best = next(line for line in output.splitlines() if line.startswith("transformer"))
    assert best.count("\x1b[1m.") == 3 and "*" not in best


def _drained(descriptor: int) -> str:
    chunks = []
    while True:
        try:
            chunk = os.read(descriptor, 4096)
        except OSError:  # how a terminal says on Linux that its other end is closed
            chunk = b""
        if not chunk:
            os.close(descriptor)
            return b"".join(chunks).decode()
        chunks.append(chunk)


def test_summary_csv_has_the_limits_and_every_line(tmp_path: Path) -> None:
    store = Store(tmp_path)
    planned = fill(store)
    write_tables(store, planned)
    rows = list(csv.DictReader(io.StringIO((tmp_path / "summary.csv").read_text())))
    assert len({(row["model"], row["horizon"]) for row in rows}) == 10
    missing = [row for row in rows if row["missing"] == "3"]
    assert [(row["model"], row["mean"], row["slice"]) for row in missing] == [("transformer", "", "")]
    row = next(row for row in rows if row["model"] == "lstm" and row["slice"] == "all")
    assert float(row["users_low"]) < float(row["mean"]) < float(row["users_high"])
    assert (row["done"], row["diverged"], row["queries"]) == ("2", "1", "40")


def test_markdown_and_latex_say_the_same(tmp_path: Path) -> None:
    store = Store(tmp_path)
    write_tables(store, fill(store))
    text = (tmp_path / "summary.md").read_text()
    tables = [block.splitlines() for block in text.split("\n\n") if block.startswith("|")]
    assert len(tables) == 2 and all(line.count("|") == 5 for table in tables for line in table)
    assert text.count("**") == 2 * 6  # one best per column: three of 7 days, three of 30
    latex = (tmp_path / "summary.tex").read_text()
    body = latex[latex.index("\\toprule") : latex.index("\\bottomrule")].splitlines()[1:]
    assert all(line.count("&") == 3 and line.endswith("\\\\") for line in body if line != "\\midrule")
    assert latex.count("\\textbf{") == 6


def test_tables_are_the_same_bytes_each_time(tmp_path: Path) -> None:
    store = Store(tmp_path)
    planned = fill(store)
    names = ("cells.csv", "summary.csv", "summary.md", "summary.tex")
    made = []
    for _ in range(2):
        write_tables(store, planned)
        made.append([(tmp_path / name).read_bytes() for name in names])
    assert made[0] == made[1]


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.0, ".000"), (0.2746, ".275"), (0.9996, "1.00"), (1.0, "1.00"), (6.125, "6.12"), (-0.05, "-0.050")],
)
def test_numbers_are_short(value: float, text: str) -> None:
    assert short(value) == text


def test_a_line_that_is_not_whole_stays_on_one_line_of_80_columns(tmp_path: Path) -> None:
    store = Store(tmp_path)
    planned = [record(f"t{seed}", model="Transformer", features="full", seed=seed) for seed in range(5)]
    for cell in planned[:4]:
        table = same_everywhere(0.5, noise=0.8, seed=int(cell.seed or 0))
        store.write(replace(cell, metrics=metrics(table)), judged=evaluation(table))
    planned[4] = replace(planned[4], status="missing")
    assert any(line.startswith("Transformer · full 4/5") and line.count("±") == 6 for line in printed(store, planned))
