"""A second table meets the log by ids as ids are read, and what meets nothing is said."""

from pathlib import Path

import polars as pl
import pytest

from lab.commands.describe_log import main
from lab.core.errors import InputError
from lab.data.log.cache import prepare_log
from lab.data.log.remarks import remarks
from lab.data.sources import Lookup, Table

LOG = "user,item,time\n" + "".join(f"u{k % 2},{item},2020-01-{k + 1:02}\n" for k, item in enumerate(
    ["12", "12.0", " 12", "13", "007", "", "99", "99", "98"]))  # fmt: skip


def saved(folder: Path, text: str, name: str) -> str:
    (folder / name).write_text(text)
    return str(folder / name)


def looked(path: str, key: str = "sku", **settings) -> Lookup:
    return Lookup(path=path, on="item", key=key, columns={"category": pl.col("shelf")}, **settings)


def shelves(source: Table) -> list[str | None]:
    return source.scan().frame.collect(engine="streaming").sort("row")["category"].to_list()


@pytest.mark.parametrize("written", ["12", "12.0", " 12 ", "12.000"])
def test_ids_written_in_several_ways_meet(tmp_path: Path, written: str) -> None:
    items = saved(tmp_path, f"sku,shelf\n{written},food\n13,toys\n7,none\n12,second\n", "items.csv")
    source = Table(path=saved(tmp_path, LOG, "log.csv"), lookups=(looked(items),))
    # 007 and 7 are two ids, and what has no id meets nothing; of two rows of a key the first counts.
    assert shelves(source) == ["food"] * 3 + ["toys", None, None, None, None, None]


@pytest.mark.parametrize("dtype", [pl.Int64, pl.Float64, pl.UInt32, pl.String, pl.Categorical, pl.Decimal(10, 1)])
def test_columns_of_other_types_meet(tmp_path: Path, dtype) -> None:
    text = pl.DataFrame({"sku": ["12", "13", None], "shelf": ["food", "toys", "none"]})
    text.with_columns(pl.col("sku").cast(dtype)).write_parquet(tmp_path / "items.parquet")
    for item in (pl.String, pl.Float64):
        frame = pl.read_csv(LOG.encode(), schema_overrides={"item": item})
        source = Table(frame=frame, lookups=(looked(str(tmp_path / "items.parquet")),))
        assert shelves(source)[:4] == ["food"] * 3 + ["toys"]


def test_as_known_at_the_time_too(tmp_path: Path) -> None:
    items = saved(tmp_path, "sku,day,shelf\n12.0,2020-01-02,food\n99,2020-01-08,toys\n", "items.csv")
    day, time = (pl.col(name).str.to_date().cast(pl.Int64) for name in ("day", "time"))
    source = Table(path=saved(tmp_path, LOG, "log.csv"), lookups=(looked(items, at=time, since=day),))
    assert shelves(source) == [None, "food", "food", None, None, None, None, "toys", None]
    facts = prepare_log(source, cache=tmp_path / "cache").facts
    # 99 is known, if later: it is no key that matches nothing.
    assert [(one["rows"], one["keys"]) for one in facts["lookups"]] == [(3, 3)]


def test_keys_that_match_nothing_are_counted_and_said(tmp_path: Path) -> None:
    items = saved(tmp_path, "sku,shelf\n12,food\n13,toys\n", "items.csv")
    source = Table(path=saved(tmp_path, LOG, "log.csv"), lookups=(looked(items),))
    facts = prepare_log(source, cache=tmp_path / "cache").facts
    said = "items.csv has no 'sku' for 4 of 9 rows (3 values of 'item'): what it would add is missing there"
    assert said in list(remarks(facts))
    nothing = saved(tmp_path, "sku,shelf\nx,food\n", "others.csv")
    facts = prepare_log(
        Table(path=str(tmp_path / "log.csv"), lookups=(looked(nothing),)), cache=tmp_path / "cache"
    ).facts
    assert "others.csv has no 'sku' for 8 of 9 rows" in "\n".join(remarks(facts))
    whole = saved(tmp_path, "sku,shelf\n" + "".join(f"{k},s\n" for k in (12, 13, "007", 98, 99)), "whole.csv")
    log = str(tmp_path / "log.csv")
    facts = prepare_log(Table(path=log, lookups=(looked(whole),)), cache=tmp_path / "cache").facts
    assert "whole.csv" not in "\n".join(remarks(facts))


def test_users_without_attributes_are_counted_and_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    people = saved(tmp_path, "user,age\nu0,30\n", "people.csv")
    log = saved(tmp_path, LOG, "log.csv")
    assert main([log, "--attributes", people, "--cache", str(tmp_path / "cache")]) == 0
    said = " ".join(capsys.readouterr().out.split())
    assert "people.csv has no row for 1 of 2 users: their attributes are missing" in said


def test_columns_that_are_not_there_are_named(tmp_path: Path) -> None:
    log, items = saved(tmp_path, LOG, "log.csv"), saved(tmp_path, "sku,shelf\n12,food\n", "items.csv")
    with pytest.raises(InputError, match=r"items.csv has no column 'skus'; the nearest is 'sku'"):
        Table(path=log, lookups=(looked(items, key="skus"),)).scan()
    wrong = Lookup(path=items, on="items", key="sku", columns={"category": pl.col("shelf")})
    with pytest.raises(InputError, match=r"log.csv has no column 'items'; the nearest is 'item'"):
        Table(path=log, lookups=(wrong,)).scan()
    wrong = Lookup(path=items, on="item", key="sku", columns={"category": pl.col("shelve")})
    with pytest.raises(InputError, match=r"items.csv has no column 'shelve'; the nearest is 'shelf'"):
        Table(path=log, lookups=(wrong,)).scan()
