"""Ids: one user is written in one way, and what digits were lost is said."""

import json
from io import StringIO
from pathlib import Path

import polars as pl
import pytest
from rich.console import Console

from lab.commands.describe_log import description
from lab.data.log.build import build
from lab.data.log.cache import prepare_log
from lab.data.log.cleaning import Cleaning
from lab.data.log.histories import Histories
from lab.data.sources import Table
from lab.data.sources.ids import unwrap
from lab.data.timeline import Timeline
from lab.running.plan import print_log

DAYS = [f"2020-01-{k + 1:02}" for k in range(24)]


def prepared(tmp_path: Path, users: list, **settings) -> Histories:
    frame = pl.DataFrame({"user": users, "item": ["a", "b", "c"] * (len(users) // 3), "time": DAYS[: len(users)]})
    return prepare_log(Table(frame=frame, **settings), cache=tmp_path)


def remarks(found: Histories) -> str:
    """What is said of odd ids, on one line."""
    return " ".join(" ".join(description(found)).split())


def test_whole_numbers_with_and_without_decimals_are_one_user(tmp_path: Path) -> None:
    found = prepared(tmp_path, [str(k % 6) + (".0" if k >= 12 else "") for k in range(24)])
    assert found.users == 6 and set(found.user_names) == set("012345")
    assert "odd ids 12 rows with a user such as 12.0, read as 12 (6 users came in both ways)" in remarks(found)


def test_parts_that_write_ids_as_whole_and_as_decimal_numbers_are_of_the_same_users(tmp_path: Path) -> None:
    for part, ending in (("a", ""), ("b", ".0")):
        rows = "".join(f"{k % 3}{ending},i,{DAYS[k]}\n" for k in range(9))
        (tmp_path / f"{part}.csv").write_text(f"user,item,time\n{rows}")
    found = prepare_log(Table(path=str(tmp_path / "*.csv")), Cleaning(duplicates=False), cache=tmp_path / "cache")
    assert (found.users, found.events) == (3, 18)
    assert "9 rows with a user such as 12.0, read as 12 (3 users came in both ways)" in remarks(found)


def test_a_table_of_users_may_write_them_with_decimals(tmp_path: Path) -> None:
    (tmp_path / "people.csv").write_text("user,age\n7.0,30\n 8 ,40\n")
    found = prepared(tmp_path, ["7", "8", "9"], attributes=str(tmp_path / "people.csv"))
    assert found.user_attributes()["age"].to_list() == ["30", "40", None]


@pytest.mark.parametrize("blank", [" {}", "{} ", "\t{}", "{}\u00a0"])
def test_blanks_around_ids_make_no_other_user(tmp_path: Path, blank: str) -> None:
    found = prepared(tmp_path, [blank.format(f"u{k % 8}") if k < 8 else f"u{k % 8}" for k in range(24)])
    assert found.users == 8
    assert "8 rows with blanks around the user, which are taken off (8 users came in both ways)" in remarks(found)


def test_an_id_of_blanks_alone_is_missing(tmp_path: Path) -> None:
    found = prepared(tmp_path, ["u", "  ", "v"])
    assert (found.users, found.facts["missing"]["user"]) == (2, 1)


def test_ids_in_scientific_notation_are_remarked_on(tmp_path: Path) -> None:
    found = prepared(tmp_path, ["1.23457E+11"] * 8 + ["123457000001"])
    assert found.users == 2
    assert "8 rows with a user such as 1.23457E+11: a spreadsheet has cut its digits, and several users" in remarks(
        found
    )
    codes = prepared(tmp_path, ["12E3", "1E5", "84E12"])
    assert codes.users == 3 and "odd ids" not in remarks(codes)


def test_ids_that_are_floats_beyond_2_to_the_53_are_remarked_on(tmp_path: Path) -> None:
    exact = [2.0**53 - 1, 5.0, 6.0]
    assert "odd ids" not in remarks(prepared(tmp_path, exact))
    found = prepared(tmp_path, [2.0**53 + 2 * k for k in range(3)])
    assert list(found.user_names) == ["9007199254740992", "9007199254740994", "9007199254740996"]
    assert "3 rows with a user that is a decimal number of 2^53 or more" in remarks(found)
    whole = prepared(tmp_path, [2**53 + 1, 2**53 + 2, 2**53 + 3])
    assert whole.users == 3 and "odd ids" not in remarks(whole)


def test_items_and_categories_are_looked_at_too(tmp_path: Path) -> None:
    frame = pl.DataFrame(
        {"user": ["u", "u", "v"], "item": ["1", "1.0", " 1"], "time": DAYS[:3], "category": ["x ", "x", "NULL"]}
    )
    found = prepare_log(Table(frame=frame), cache=tmp_path)
    assert found.item_names.tolist() == ["1"] and found.facts["categories"] == 2
    said = remarks(found)
    assert (
        "1 row with a item" not in said and "1 row with an item such as 12.0, read as 12 (1 item came in both" in said
    )
    assert "1 row with blanks around the category, which are taken off (1 category came in both ways)" in said
    assert "the category 'NULL' has 1 event: if it stands for a missing category, empty it in the log" in said


def test_a_run_says_it_too(tmp_path: Path) -> None:
    console = Console(width=80, record=True, file=StringIO())
    print_log(console, prepared(tmp_path, [" u", "u", "v"]), ordered=False)
    assert "1 row with blanks around the user, which are taken off" in " ".join(console.export_text().split())


def test_ids_of_every_other_type_are_their_text() -> None:
    columns = {
        "categories": pl.Series(["a", "b", None], dtype=pl.Categorical),
        "bytes": pl.Series([b"a", b"b", None]),
        "decimals": pl.Series(["12.00", "7.00", None]).cast(pl.Decimal(10, 2)),
        "large": pl.Series([2**63 + 1, 5, None], dtype=pl.UInt64),
    }
    expected = {"categories": {"a", "b"}, "bytes": {"a", "b"}, "decimals": {"12", "7"}, "large": {str(2**63 + 1), "5"}}
    for kind, users in columns.items():
        frame = pl.DataFrame({"user": users, "item": ["x"] * 3, "time": DAYS[:3]})
        built = build(Table(frame=frame), Cleaning(), Timeline(), ())
        assert set(built.users["name"]) == expected[kind], kind


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ('{"$oid": "5f3a"}', "5f3a"),
        ('{"$date": "2023-01-01T00:00:00Z"}', "2023-01-01T00:00:00Z"),
        ('{"$date":{"$numberLong":"1672531200000"}}', "1672531200000"),
        ('{"$numberLong": "12"}', "12"),
        ('{"$numberInt":12}', "12"),
        ('{"id": 1}', '{"id": 1}'),
        ("{a}", "{a}"),
        ("plain", "plain"),
    ],
)
def test_values_as_mongodb_exports_them_are_unwrapped(text: str, value: str) -> None:
    assert pl.DataFrame({"v": [text]}).select(unwrap(pl.col("v"))).item() == value


def test_a_log_as_mongodb_exports_it(tmp_path: Path) -> None:
    rows = (
        {
            "user": {"$oid": f"5f{k % 2}"},
            "item": {"$numberLong": str(k)},
            "time": {"$date": {"$numberLong": str(1672531200000 + 86400000 * k)}},
            "price": {"$numberDecimal": "2.5"},
        }
        for k in range(4)
    )
    (tmp_path / "log.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    found = prepare_log(Table(path=str(tmp_path / "log.jsonl")), cache=tmp_path / "cache")
    assert (list(found.user_names), list(found.item_names)) == (["5f0", "5f1"], ["0", "1", "2", "3"])
    assert found.facts["first"] == 1_672_531_200_000_000 and found.price is not None and set(found.price) == {2.5}
