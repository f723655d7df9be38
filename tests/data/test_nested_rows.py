"""Rows in lists of JSON: read + left out = what the file holds, or the run stops and names the place."""

import json
from pathlib import Path

import polars as pl
import pytest

from lab.core.errors import InputError
from lab.data.log.cache import prepare_log
from lab.data.log.remarks import remarks
from lab.data.sources import Table

EVENTS = pl.List(pl.Struct({"item": pl.Int64, "time": pl.Int64}))
SESSIONS = [
    {"user": k, "events": [{"item": j, "time": 1_600_000_000 + 60 * j} for j in range(k % 4 + 1)]} for k in range(30)
]
ROWS = sum(len(one["events"]) for one in SESSIONS)


def table(folder: Path, text: str, name: str = "log.jsonl") -> Table:
    (folder / name).write_text(text)
    return Table(path=str(folder / name), time_format="s", nested={"events": EVENTS})


def lines(rows: list[dict]) -> str:
    return "".join(f"{json.dumps(row)}\n" for row in rows)


LAYOUTS = {
    "lines": lines(SESSIONS),
    "lines with blank ones": lines(SESSIONS).replace("\n", "\n\n"),
    "an array": json.dumps(SESSIONS, indent=1),
    "columns": json.dumps({name: [row[name] for row in SESSIONS] for name in ("user", "events")}),
}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_rows_are_those_of_the_lists(tmp_path: Path, layout: str) -> None:
    scan = table(tmp_path, LAYOUTS[layout]).scan()
    frame = scan.frame.collect(engine="streaming")
    assert scan.records is not None and (held := scan.records()) is not None
    assert held.rows == len(frame) == ROWS


def test_empty_lists_are_counted_and_said(tmp_path: Path) -> None:
    rows = [*SESSIONS, {"user": 98, "events": []}, {"user": 99, "events": []}, {"user": 97, "events": None}]
    facts = prepare_log(table(tmp_path, lines(rows)), cache=tmp_path / "cache").facts
    assert facts["rows"] == ROWS + 1 and facts["empty_lists"] == 2 and facts["missing"]["item"] == 1
    assert "2 objects with an empty list of rows left out" in list(remarks(facts))


ODD = {
    "a list that is an object": {"item": 1, "time": 1_600_000_000},
    "a list that is a number": 3,
    "an element that is a number": [{"item": 1, "time": 1_600_000_000}, 3],
    "an element that is a list": [[{"item": 1, "time": 1_600_000_000}]],
    "an item that is no number": [{"item": "x", "time": 1_600_000_000}],
}


@pytest.mark.parametrize("odd", ODD)
@pytest.mark.parametrize("blanks", [False, True])
def test_what_is_no_list_of_rows_is_named(tmp_path: Path, odd: str, blanks: bool) -> None:
    rows = [*SESSIONS[:20], {"user": 99, "events": ODD[odd]}, *SESSIONS[20:]]
    between = "\n\n" if blanks else "\n"
    source = table(tmp_path, between.join(map(json.dumps, rows)) + "\n")
    with pytest.raises(InputError, match=rf"log\.jsonl: line {41 if blanks else 21} cannot be read \(.*99"):
        prepare_log(source, cache=tmp_path / "cache")
    source = table(tmp_path, json.dumps(rows), "log.json")
    with pytest.raises(InputError, match=r"log\.json: object 21 cannot be read \(.*99"):
        prepare_log(source, cache=tmp_path / "cache")


def test_a_row_that_one_column_alone_has_is_named(tmp_path: Path) -> None:
    columns = {name: {str(k): k for k in range(5)} for name in ("user", "item", "time")}
    columns["item"]["7"] = columns["item"].pop("3")
    (tmp_path / "log.json").write_text(json.dumps(columns))
    with pytest.raises(InputError, match=r"its columns 'user' and 'item' one alone has a row '3'"):
        prepare_log(Table(path=str(tmp_path / "log.json")), cache=tmp_path / "cache")


def test_lists_of_different_lengths_are_refused(tmp_path: Path) -> None:
    (tmp_path / "log.json").write_text(json.dumps({"user": [1, 2, 3], "item": [1, 2], "time": [1, 2, 3]}))
    with pytest.raises(InputError, match=r"lists that differ in length \(3 in 'user', 2 in 'item', 3 in 'time'\)"):
        prepare_log(Table(path=str(tmp_path / "log.json")), cache=tmp_path / "cache")
