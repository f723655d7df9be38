"""Parts of a Parquet log whose types differ are one log, or the run says which part is otherwise."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest

from lab.core.errors import InputError
from lab.data.log.cache import prepare_log
from lab.data.sources import Table

START = datetime(2020, 1, 1)
DAYS = [START + timedelta(days=k) for k in range(4)]


def part(**columns) -> pl.DataFrame:
    return pl.DataFrame({"user": ["a", "b", "c", "a"], "item": ["w", "x", "y", "z"], "time": DAYS}).with_columns(
        **columns
    )


def read(folder: Path, *parts: pl.DataFrame, **settings) -> pl.DataFrame:
    for k, frame in enumerate(parts):
        frame.write_parquet(folder / f"part-{k}.parquet")
    scan = Table(path=str(folder), **settings).scan()
    found = scan.frame.collect(engine="streaming")
    assert scan.records and (held := scan.records()) and held.rows == len(found) == 4 * len(parts)
    assert found["row"].to_list() == list(range(len(found)))
    return found


ALIKE = {
    "ms and us": ({"time": pl.col("time").cast(pl.Datetime("ms"))}, {"time": pl.col("time").cast(pl.Datetime("us"))}),
    "ns and days": ({"time": pl.col("time").cast(pl.Datetime("ns"))}, {"time": pl.col("time").cast(pl.Date)}),
    "zones": (
        {"time": pl.col("time").dt.replace_time_zone("UTC")},
        {"time": pl.col("time").dt.replace_time_zone("UTC").dt.convert_time_zone("Asia/Tokyo")},
    ),
    "whole numbers and decimals": ({"user": pl.Series([1, 2, 3, 1])}, {"user": pl.Series([1.0, 2.0, 3.0, 1.0])}),
    "numbers and text": ({"user": pl.Series([1, 2, 3, 1])}, {"user": pl.Series(["1", "2", "3", "1"])}),
    "decimals and text": ({"user": pl.Series([1.0, 2.0, 3.0, 1.0])}, {"user": pl.Series(["1", "2", "3", "1"])}),
    "sizes": ({"user": pl.Series([1, 2, 3, 1], dtype=pl.Int32)}, {"user": pl.Series([1, 2, 3, 1], dtype=pl.UInt64)}),
    "categories and text": ({"user": pl.col("user").cast(pl.Categorical)}, {}),
    "bytes and text": ({"user": pl.col("user").cast(pl.Binary)}, {}),
    "another order": ({}, {"first": pl.lit(0)}),
}


@pytest.mark.parametrize("kinds", ALIKE, ids=lambda name: name.replace(" ", "-"))
def test_parts_whose_types_differ_are_one_log(tmp_path: Path, kinds: str) -> None:
    one, other = (part(**columns) for columns in ALIKE[kinds])
    if "first" in other:
        one, other = one.with_columns(first=pl.lit(0)), other.select("first", "time", "user", "item")
    found = read(tmp_path, one, other)
    for name in ("user", "item", "time"):
        assert found[name][:4].equals(found[name][4:]), name
    assert found["time"].to_list()[:4] == [int(day.replace(tzinfo=UTC).timestamp() * 1e6) for day in DAYS]


def test_ids_beyond_what_floats_hold_stay_apart(tmp_path: Path) -> None:
    large = [2**53 + k for k in range(4)]
    found = read(tmp_path, part(user=pl.Series(large)), part(user=pl.Series([1.0, 2.0, 3.0, 1.0])))
    assert found["user"].to_list() == [*map(str, large), "1", "2", "3", "1"]


def test_an_empty_part_of_no_type(tmp_path: Path) -> None:
    found = read(tmp_path, part(price=pl.Series([None] * 4)), part(price=pl.Series([1.5, 2, 3, 4])))
    assert found["price"].to_list() == [None] * 4 + [1.5, 2, 3, 4]


def test_bytes_are_text_where_they_are_and_digits_where_not(tmp_path: Path) -> None:
    raw = [bytes([200 + k, 0, 255, k]) for k in range(4)]
    found = read(tmp_path, part(user=pl.Series(raw), item=pl.Series([b"w", "ü".encode(), b"y", b"z"])))
    assert found["user"].to_list() == [one.hex() for one in raw]
    assert found["item"].to_list() == ["w", "ü", "y", "z"]


def test_bytes_that_turn_out_to_be_no_text(tmp_path: Path) -> None:
    frame = pl.concat([part(user=pl.col("user").cast(pl.Binary))] * 3_000)
    frame = pl.concat([frame, part(user=pl.lit(b"\xff"))])
    frame.write_parquet(tmp_path / "log.parquet")
    source = Table(path=str(tmp_path / "log.parquet"))
    with pytest.raises(InputError, match=r"log\.parquet: a column of bytes holds some that are no text"):
        prepare_log(source, cache=tmp_path / "cache")


def test_types_that_are_not_one_name_the_parts(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"column 'time' is Datetime.* in part-0\.parquet, Int64 in part-1\.parquet"):
        read(tmp_path, part(), part(time=pl.Series([1, 2, 3, 4])))
    with pytest.raises(InputError, match=r"column 'time' is Datetime.*zone='UTC'.* write it alike in all parts"):
        read(tmp_path, part(), part(time=pl.col("time").dt.replace_time_zone("UTC")))
    with pytest.raises(InputError, match=r"part-1\.parquet: its columns \(user, item, time, more\) are not those of"):
        read(tmp_path, part(), part(more=pl.lit(1)))


def test_parquet_under_any_name(tmp_path: Path) -> None:
    part().write_parquet(tmp_path / "log.csv")
    assert len(Table(path=str(tmp_path / "log.csv")).scan().frame.collect()) == 4
