"""JSON in every layout that shops export gives the same events, or says in a sentence what to do."""

import gzip
import json
from pathlib import Path

import polars as pl
import pytest

from lab.core.errors import InputError
from lab.data.log.cache import prepare_log
from lab.data.sources import Table

ROWS = [{"user": f"u{k % 3}", "item": k, "time": f"2020-01-{k + 1:02}", "price": k + 0.5} for k in range(20)]
COLUMNS = ("user", "item", "time", "price")


def events(path: Path, **settings) -> list[tuple]:
    scan = Table(path=str(path), **settings).scan()
    frame = scan.frame.collect(engine="streaming")
    assert not frame["fault"].sum()
    assert scan.records is not None and (held := scan.records()) is not None and held.rows == len(frame)
    return frame.select(COLUMNS).rows()


def saved(folder: Path, content: str | bytes, name: str = "log.json") -> Path:
    (folder / name).write_bytes(content.encode() if isinstance(content, str) else content)
    return folder / name


def lines(rows: list[dict]) -> str:
    return "".join(json.dumps(row) + "\n" for row in rows)


def plain() -> list[tuple]:
    frame = pl.DataFrame(ROWS).with_columns(pl.col("item").cast(pl.String), pl.col("price").cast(pl.Float32))
    return Table(frame=frame).scan().frame.collect().select(COLUMNS).rows()


BY_ROW = {column: {str(k): row[column] for k, row in enumerate(ROWS)} for column in COLUMNS}
LAYOUTS = {
    "lines": lines(ROWS),
    "lines without an end": lines(ROWS).rstrip("\n"),
    "lines with carriage returns": lines(ROWS).replace("\n", "\r\n"),
    "lines with blank ones": lines(ROWS).replace("\n", "\n\n  \n"),
    "lines with a byte-order mark": "\ufeff" + lines(ROWS),
    "an array": json.dumps(ROWS),
    "an array, indented": json.dumps(ROWS, indent=2),
    "an array of lines": "[\n" + lines(ROWS).strip().replace("\n", ",\n") + "\n]\n",
    "indented objects": "\n".join(json.dumps(row, indent=2) for row in ROWS),
    "objects on one line": "".join(json.dumps(row) for row in ROWS),
    "an object of lists": json.dumps({column: list(BY_ROW[column].values()) for column in COLUMNS}),
    "an object of objects": json.dumps(BY_ROW),
    "an object of objects, indented": json.dumps(BY_ROW, indent=1),
}


@pytest.mark.parametrize("name", ["log.json", "log.jsonl.gz", "log.csv", "log"])
@pytest.mark.parametrize("layout", LAYOUTS, ids=lambda name: name.replace(" ", "-").replace(",", ""))
def test_layouts_agree(tmp_path: Path, layout: str, name: str) -> None:
    content = LAYOUTS[layout].encode()
    path = saved(tmp_path, gzip.compress(content) if name.endswith(".gz") else content, name)
    assert events(path) == plain()


def test_an_array_longer_than_is_read_at_a_time(tmp_path: Path) -> None:
    rows = [{**row, "user": f"ü{k}", "text": "x" * 300} for k, row in enumerate(ROWS * 400)]
    found = events(saved(tmp_path, json.dumps(rows, ensure_ascii=False, indent=1)))
    assert [row[0] for row in found] == [row["user"] for row in rows]


def test_what_is_no_number_is_missing(tmp_path: Path) -> None:
    text = lines(ROWS).replace(": 3.5", ": NaN").replace(": 4.5", ": -Infinity")
    assert [row[3] for row in events(saved(tmp_path, text))][2:6] == [2.5, None, None, 5.5]
    array = json.dumps(ROWS).replace(": 3.5", ": NaN")
    assert [row[3] for row in events(saved(tmp_path, array))][2:5] == [2.5, None, 4.5]


@pytest.mark.parametrize("layout", [lines, json.dumps, lambda rows: json.dumps(rows, indent=2)])
def test_what_mongo_wraps(tmp_path: Path, layout) -> None:
    rows = [
        {
            "_id": {"$oid": f"{k:024x}"},
            "user": {"$oid": f"{k % 3:024x}"},
            "item": {"$numberLong": str(row["item"])},
            "time": {"$date": f"2020-01-{k + 1:02}T00:00:00Z"},
            "price": {"$numberDecimal": str(row["price"])},
        }
        for k, row in enumerate(ROWS)
    ]
    expected = [(f"{k % 3:024x}", *row[1:]) for k, row in enumerate(plain())]
    assert events(saved(tmp_path, layout(rows))) == expected
    rows = [
        {**row, "time": {"$date": {"$numberLong": str(1577836800000 + 86_400_000 * k)}}} for k, row in enumerate(rows)
    ]
    assert events(saved(tmp_path, layout(rows))) == expected


@pytest.mark.parametrize("layout", [lines, json.dumps])
def test_keys_that_come_late_are_columns(tmp_path: Path, layout) -> None:
    rows = [
        {"user": k % 7, "item": k, "time": f"2020-01-{k % 28 + 1:02}", "of": {"price": 1, "category": 2}}
        for k in range(3000)
    ]
    path = saved(tmp_path, layout(rows))
    assert "category" not in (facts := prepare_log(Table(path=str(path)), cache=tmp_path / "cache").facts)["columns"]
    assert facts["rows"] == 3000 and "price" not in facts["columns"]
    rows[2500] |= {"category": "late", "ünit": 3, "price": 2}
    path = saved(tmp_path, layout(rows))
    facts = prepare_log(Table(path=str(path), quantity="ünit"), cache=tmp_path / "cache").facts
    assert facts["categories"] == 1 and facts["missing"]["category"] == 2999 and facts["missing"]["quantity"] == 2999


def test_parts_may_have_keys_of_their_own(tmp_path: Path) -> None:
    saved(tmp_path, lines(ROWS[:10]), "a.json")
    saved(tmp_path, json.dumps([{**row, "category": "c"} for row in ROWS[10:]]), "b.json")
    scan = Table(path=str(tmp_path)).scan()
    assert scan.frame.collect()["category"].to_list() == [None] * 10 + ["c"] * 10


DEEP = '{"user": 1, "item": 2, "time": "2020-01-01", "more": ' + "[" * 100_000 + "]" * 100_000 + "}"
REFUSED = {
    "a number": ("7\n", "line 1 holds a number, not an object"),
    "an array of arrays": ('[["a", "b"], ["c", "d"]]', "line 1 holds a list, not an object"),
    "an array cut short": (json.dumps(ROWS)[:-1], "the array that line 1 opens is never closed; get the file anew"),
    "an array cut within an object": (json.dumps(ROWS, indent=1)[:-40], "line 119 is no JSON"),
    "an array without a comma": ('[{"user": 1}\n{"user": 2}]', "line 2 is no JSON .a comma is missing"),
    "something behind an array": ('[{"user": 1}]\n[2]', "line 2 is no JSON .something stands behind the array"),
    "a line that is no JSON": (lines(ROWS[:5]) + "{'user': 1}\n", "line 6 is no JSON"),
    "a line cut short": (lines(ROWS[:5]) + '{"user": ', "line 6 is no JSON"),
    "nested too deeply": (DEEP, "line 1 is nested too deeply"),
    "nested too deeply, later": (lines(ROWS) * 100 + DEEP, "line 2001 is nested too deeply"),
    "nested too deeply, in an array": (f"[{DEEP}]", "line 1 is nested too deeply"),
    "an object around the array": (json.dumps({"count": 20, "events": ROWS}), "a list of objects, 'events'; keep that"),
    "text": ("user,item,time\n1,2,2020-01-01\n", "line 1 is no JSON"),
    "another encoding": (lines(ROWS).replace("u1", "ü").encode("latin-1"), "line 2 is not utf-8 text"),
    "nothing": ("\n\n", "the file holds no rows"),
    "an empty array": ("[]", "the file holds no rows"),
}


@pytest.mark.parametrize("kind", REFUSED, ids=lambda name: name.replace(" ", "-").replace(",", ""))
def test_what_is_refused_names_the_line(tmp_path: Path, kind: str) -> None:
    content, said = REFUSED[kind]
    with pytest.raises(InputError, match=rf"log\.json: .*{said}"):
        Table(path=str(saved(tmp_path, content))).scan().frame.collect()


@pytest.mark.parametrize(("key", "query"), [("events", ".events"), ("all events", "'.[\"all events\"]'")])
def test_the_advised_command_can_be_typed(tmp_path: Path, key: str, query: str) -> None:
    path = saved(tmp_path, json.dumps({key: ROWS}), "my log.json")
    with pytest.raises(InputError) as refused:
        events(path)
    assert f"as by jq {query} 'my log.json' > rows.json" in str(refused.value)
