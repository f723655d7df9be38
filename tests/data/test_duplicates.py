"""Duplicates: judged by all columns of a log, kept where times are whole days, and always told."""

from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lab.commands.describe_log import description
from lab.data.log.build import build
from lab.data.log.cache import prepare_log
from lab.data.log.cleaning import Cleaning
from lab.data.log.duplicates import repeat_remarks
from lab.data.log.encoding import BuiltLog
from lab.data.sources import Table
from lab.data.timeline import Timeline

ROWS = st.lists(
    st.tuples(*(st.sampled_from(values) for values in ("ab", "xy", ["08:00", "09:00"], ["1", "2", ""], ["p", None]))),
    min_size=1,
    max_size=40,
)


def frame(rows: list[tuple], day: str = "2020-01-01T") -> pl.DataFrame:
    made = pl.DataFrame(rows, schema=["user", "item", "time", "order", "text"], orient="row")
    return made.with_columns(time=day + pl.col("time"))


def cleaned(log: pl.DataFrame, wanted: bool | None = None, **source: Any) -> BuiltLog:
    return build(Table(frame=log, **source), Cleaning(duplicates=wanted), Timeline(), ())


def removed(built: BuiltLog) -> int:
    return next(rule["rows"] for rule in built.facts["rules"] if rule["rule"] == "duplicates")


@settings(max_examples=60, deadline=None)
@given(ROWS)
def test_rows_are_duplicates_that_agree_in_every_column(rows: list[tuple]) -> None:
    built = cleaned(frame(rows))
    assert removed(built) == len(rows) - len(set(rows))
    agreeing = len(rows) - len({row[:3] for row in rows})
    assert built.facts["repeats"]["differing"] == agreeing - removed(built)


@settings(max_examples=30, deadline=None)
@given(ROWS)
def test_by_columns_that_are_named_they_are_judged_by_these_beside_those_of_the_schema(rows: list[tuple]) -> None:
    assert removed(cleaned(frame(rows), identity=())) == len(rows) - len({row[:3] for row in rows})
    assert removed(cleaned(frame(rows), identity=("order",))) == len(rows) - len({row[:4] for row in rows})


def test_clicks_of_a_day_that_differ_in_a_column_of_their_own_stay(tmp_path: Path) -> None:
    rows = [(f"u{k % 3}", "x", "", str(k), None) for k in range(9)]
    found = prepare_log(Table(frame=frame(rows, "2020-01-01")), cache=tmp_path)
    assert found.events == 9
    said = " ".join(" ".join(description(found)).split())
    assert "kept 6 rows that equal an earlier one in user, item, time, and not in 'order': kept (" in said
    assert "--source.identity with nothing behind it" in said


def test_equal_rows_of_a_day_stay_unless_told_otherwise() -> None:
    rows = [("u", "x", "", "1", None)] * 3 + [("v", "x", "T08:00", "1", None)] * 2
    for wanted, gone in ((None, 1), (True, 3)):
        built = cleaned(frame(rows, "2020-01-01"), wanted)
        assert (removed(built), built.facts["events"]) == (gone, 5 - gone)
        said = list(repeat_remarks(built.facts))
        assert bool(said) == (wanted is None)
        assert not said or said[0].startswith("2 rows that equal an earlier one in every column of the log, on one day")
    assert cleaned(frame(rows, "2020-01-01"), False).facts["events"] == 5


@pytest.mark.parametrize(("zone", "gone"), [("Europe/London", 0), ("UTC", 0)])
def test_a_day_begins_where_its_zone_says(zone: str, gone: int) -> None:
    rows = [("u", "x", "", "1", None)] * 3
    assert removed(cleaned(frame(rows, "2020-07-01"), timezone=zone)) == gone


def test_what_comes_later_has_no_say() -> None:
    """One row with a time of day does not turn the days before it into instants."""
    rows = [("u", "x", "", "1", None)] * 3
    later = [("u", "x", "T08:00", "1", None)]
    assert removed(cleaned(frame(rows, "2020-01-01"))) == removed(cleaned(frame(rows + later, "2020-01-01"))) == 0


@pytest.mark.parametrize("suffix", [".csv", ".parquet", ".jsonl"])
def test_columns_are_those_of_every_part_of_a_file(tmp_path: Path, suffix: str) -> None:
    one = frame([("u", "x", "08:00", "1", "t"), ("u", "x", "08:00", "2", "t")])
    for name, part in (("a", one), ("b", one[:1])):
        path = tmp_path / f"{name}{suffix}"
        part.write_parquet(path) if suffix == ".parquet" else path.write_text(
            part.write_csv() if suffix == ".csv" else part.write_ndjson()
        )
    built = build(Table(path=str(tmp_path)), Cleaning(), Timeline(), ())
    assert removed(built) == 1 and built.facts["repeats"] == {"kept": 0, "differing": 1, "columns": ["order"]}


def test_columns_that_are_ignored_or_hold_lists_are_judged_too() -> None:
    log = frame([("u", "x", "08:00", "1", None)] * 2).with_columns(price=pl.Series([1.0, 2.0]), tags=[["a"], ["a"]])
    assert removed(cleaned(log, ignore=("price",))) == 0
    assert removed(cleaned(log.with_columns(price=1.0), ignore=("price",))) == 1
    assert removed(cleaned(log.with_columns(price=1.0, tags=pl.Series([["a"], ["b"]])))) == 0
