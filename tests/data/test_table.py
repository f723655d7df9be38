"""Table: every format and way of writing gives the same events."""

import gzip
from datetime import UTC, datetime
from pathlib import Path

import pandas as pd
import polars as pl
import pytest
import tyro

from lab.core.errors import InputError
from lab.data.sources import Table
from lab.data.sources.times import detect_time_format

SECONDS = [1511544070, 1511561733, 1511572885, 1511604245]
EVENTS = pl.DataFrame(
    {
        "user": ["u1", "u2", "u1", "ü3"],
        "item": ["7", "07", "a,b", "9"],
        "time": [1_000_000 * t for t in SECONDS],
        "behaviour": ["view", "cart", "purchase", "view"],
        "price": [1.5, None, 2.25, 10.0],
    }
)
ISO = [datetime.fromtimestamp(t, UTC).strftime("%Y-%m-%d %H:%M:%S") for t in SECONDS]


def events(source: Table) -> pl.DataFrame:
    frame = source.scan().frame.collect()
    assert not frame["fault"].sum()
    assert frame["row"].to_list() == list(range(len(frame)))
    return frame.select(EVENTS.columns).with_columns(pl.col("price").cast(pl.Float64))


def as_read(frame: pl.DataFrame, times: list, column: str = "time") -> pl.DataFrame:
    return frame.drop("time").with_columns(pl.Series(column, times))


@pytest.mark.parametrize("suffix", [".csv", ".tsv", ".csv.gz", ".parquet", ".jsonl", ".jsonl.gz"])
def test_formats_agree(tmp_path: Path, suffix: str) -> None:
    path, frame = tmp_path / f"log{suffix}", as_read(EVENTS, ISO)
    if suffix == ".parquet":
        frame.write_parquet(path)
    else:
        separator = "\t" if "tsv" in suffix else ","
        text = frame.write_ndjson() if "json" in suffix else frame.write_csv(separator=separator)
        path.write_bytes(gzip.compress(text.encode()) if suffix.endswith(".gz") else text.encode())
    assert events(Table(path=str(path))).equals(EVENTS)


@pytest.mark.parametrize("separator", [";", "|", "::"])
def test_any_separator_is_found_out(tmp_path: Path, separator: str) -> None:
    rows = as_read(EVENTS, SECONDS).with_columns(item=pl.Series(["7", "07", "a,b", "9"]))
    lines = [rows.columns, *([("" if v is None else str(v)) for v in row] for row in rows.iter_rows())]
    path = tmp_path / "log.dat"
    path.write_text("\r\n".join(separator.join(line) for line in lines) + "\r\n")
    source = Table(path=str(path))
    assert events(source).equals(EVENTS)
    assert source.scan().facts["separator"] == separator


@pytest.mark.parametrize("frame", [as_read(EVENTS, ISO), as_read(EVENTS, ISO).to_pandas()], ids=["polars", "pandas"])
def test_a_frame_is_a_log(frame) -> None:
    assert events(Table(frame=frame)).equals(EVENTS)


def test_pandas_floats_of_ids_with_gaps_are_whole_again() -> None:
    frame = pd.DataFrame(
        {"user": [17850.0, None], "item": [1, 2], "time": pd.to_datetime(["2020-01-01", "2020-01-02"])}
    )
    assert Table(frame=frame).scan().frame.collect()["user"].to_list() == ["17850", None]


@pytest.mark.parametrize(
    ("times", "said"),
    [
        (SECONDS, "s"),
        ([1000 * t for t in SECONDS], "ms"),
        ([1_000_000 * t for t in SECONDS], "us"),
        ([10**9 * t for t in SECONDS], "ns"),
        ([float(t) for t in SECONDS], "s"),
        ([t.replace(" ", "T") + "Z" for t in ISO], "iso"),
        ([datetime.fromtimestamp(t + 7200, UTC).strftime("%Y-%m-%dT%H:%M:%S+02:00") for t in SECONDS], "iso"),
        ([ISO[0] + ".000", ISO[1], ISO[2].replace(" ", "T"), ISO[3] + "Z"], "iso"),
        ([t.replace("-", "").replace(":", "").replace(" ", "") for t in ISO], "%Y%m%d%H%M%S"),
        ([datetime.fromtimestamp(t, UTC) for t in SECONDS], "date-time"),
        ([datetime.fromtimestamp(t, UTC).replace(tzinfo=None) for t in SECONDS], "date-time"),
    ],
)
def test_times_are_read_as_they_come(times: list, said: str) -> None:
    source = Table(frame=as_read(EVENTS, times))
    assert events(source).equals(EVENTS)
    assert source.scan().facts["time_format"] == said


def test_text_and_numbers_of_a_file_give_the_same_times(tmp_path: Path) -> None:
    path = tmp_path / "log.csv"
    path.write_text(as_read(EVENTS, [f"{t}.250" for t in SECONDS]).write_csv())
    assert Table(path=str(path)).scan().frame.collect()["time"].to_list() == [1_000_000 * t + 250_000 for t in SECONDS]


def test_zone_and_pattern_are_as_stated() -> None:
    frame = as_read(EVENTS, ["25/03/2018 00:30", "25/03/2018 01:30", "25/03/2018 02:30", "28/10/2018 01:30"])
    scan = Table(frame=frame, time_format="%d/%m/%Y %H:%M", timezone="Europe/London").scan().frame.collect()
    read = [None if t is None else datetime.fromtimestamp(t / 1e6, UTC).strftime("%H:%M") for t in scan["time"]]
    # 01:30 did not exist that night; of the two 01:30 in October the first, in summer time, is meant.
    assert read == ["00:30", None, "01:30", "00:30"]
    assert scan["fault"].to_list() == [0, 1, 0, 0]


def test_date_split_over_columns() -> None:
    frame = EVENTS.drop("time").with_columns(y=2020, m=pl.Series([1, 2, 12, 2]), d=pl.Series([31, 29, 1, 30]))
    scan = Table(frame=frame, year="y", month="m", day="d").scan().frame.collect()
    days = [None if t is None else str(datetime.fromtimestamp(t / 1e6, UTC).date()) for t in scan["time"]]
    assert days == ["2020-01-31", "2020-02-29", "2020-12-01", None]


def test_headerless_columns_go_by_number(tmp_path: Path) -> None:
    path = tmp_path / "log.csv"
    path.write_text("1,2268318,2520377,pv,1511544070\n1,2333346,2520771,buy,1511561733\n")
    scan = Table(path=str(path), user="1", item="2", category="3", behaviour="4", time="5").scan()
    frame = scan.frame.collect()
    assert frame["category"].to_list() == ["2520377", "2520771"]
    assert frame["behaviour"].to_list() == ["view", "purchase"]
    assert scan.facts["header"] is False


def test_behaviours_are_renamed_and_ranked_by_the_mapping() -> None:
    mapping = {"cart": "basket", "view": "look", "purchase": "cancellation"}
    scan = Table(frame=as_read(EVENTS, ISO), behaviours=mapping).scan()
    assert [(b.name, b.sign) for b in scan.behaviours] == [("basket", 1), ("look", 1), ("cancellation", -1)]
    assert scan.frame.collect()["behaviour"].to_list() == ["look", "basket", "cancellation", "look"]


def test_rows_go_on_over_the_files_of_a_folder_and_of_a_glob(tmp_path: Path) -> None:
    frame = as_read(EVENTS, ISO)
    frame[:2].write_csv(tmp_path / "a.csv")
    frame[2:].select(sorted(frame.columns)).write_csv(tmp_path / "b.csv")  # another order of columns
    (tmp_path / "README.md").write_text("not a log")
    assert events(Table(path=str(tmp_path))).equals(EVENTS)
    assert events(Table(path=str(tmp_path / "*.csv"))).equals(EVENTS)


def test_encoding_is_as_stated(tmp_path: Path) -> None:
    path = tmp_path / "log.csv"
    path.write_bytes(as_read(EVENTS, ISO).write_csv().encode("latin-1"))
    assert events(Table(path=str(path), encoding="latin-1")).equals(EVENTS)


def test_quarantine_says_file_row_value_and_reason(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("user,item,time,price\na,1,2020-01-01,1\n")
    (tmp_path / "b.csv").write_text("user,item,time,price\na,1,soon,1\na,1,2020-01-01,free\na,1,2020-01-01,1,9\n")
    quarantine = Table(path=str(tmp_path)).scan().quarantine
    assert quarantine is not None
    rows = [(Path(f).name, *rest) for f, *rest in quarantine.collect().iter_rows()]
    assert rows == [
        ("b.csv", 1, "time", "soon", "cannot be read as an ISO date or date-time"),
        ("b.csv", 2, "price", "free", "is not a number"),
        ("b.csv", 3, "", "9", "is more than the header has columns for"),
    ]


def test_attributes_come_from_a_second_table(tmp_path: Path) -> None:
    (tmp_path / "people.csv").write_text("who,age\nu1,30\nu2,\n")
    source = Table(frame=as_read(EVENTS, ISO), attributes=str(tmp_path / "people.csv"), attributes_user="who")
    attributes = source.scan().attributes
    assert attributes is not None
    assert attributes.collect().to_dicts() == [{"user": "u1", "age": "30"}, {"user": "u2", "age": None}]


def test_fingerprint_is_of_the_content(tmp_path: Path) -> None:
    one, two = tmp_path / "one.csv", tmp_path / "two.csv"
    as_read(EVENTS, ISO).write_csv(one)
    as_read(EVENTS, ISO).write_csv(two)
    first = Table(path=str(one)).fingerprint(tmp_path)
    assert Table(path=str(two)).fingerprint(tmp_path) == first
    assert Table(path=str(two), user="item", item="user").fingerprint(tmp_path) != first
    one.write_text(one.read_text().replace("u1", "u9"))
    assert Table(path=str(one)).fingerprint(tmp_path) != first
    frame = as_read(EVENTS, ISO)
    assert Table(frame=frame).fingerprint() == Table(frame=frame.filter(pl.lit(True)).clone()).fingerprint()
    assert Table(frame=frame).fingerprint() != Table(frame=frame.reverse()).fingerprint()


def test_fields_are_flags() -> None:
    flags = [
        "--path",
        "log.csv",
        "--user",
        "visitor",
        "--behaviours",
        "pv",
        "view",
        "buy",
        "purchase",
        "--header",
        "False",
    ]
    assert tyro.cli(Table, args=flags) == Table(
        path="log.csv", user="visitor", behaviours={"pv": "view", "buy": "purchase"}, header=False
    )


def test_small_numbers_have_no_unit() -> None:
    with pytest.raises(InputError, match="state which with --time-format"):
        detect_time_format(pl.Series([1, 2, 3]), "UTC")


def test_contradictory_settings_are_refused() -> None:
    with pytest.raises(InputError, match="either time, or all of year"):
        Table(time="t", year="y", month="m", day="d")
    with pytest.raises(InputError, match="either a path or a frame"):
        Table(path="x.csv", frame=EVENTS)


@pytest.mark.parametrize("setting", [{"timezone": "Europe/London"}, {"time_format": "iso"}])
def test_how_times_are_written_says_nothing_of_a_log_without_any(setting: dict[str, str]) -> None:
    with pytest.raises(InputError, match=r"'rows' is for a log without times; leave source\.timezone and"):
        Table(path="log.csv", order="rows", **setting)  # type: ignore[arg-type]


@pytest.mark.parametrize("name", ["separator", "user", "item", "time", "month", "category", "attributes_user", "path"])
def test_an_empty_name_is_refused(name: str) -> None:
    with pytest.raises(InputError, match=rf"source\.{name}: is empty; (give|name) "):
        Table(**{name: ""})  # type: ignore[arg-type]


def test_a_user_is_no_item() -> None:
    with pytest.raises(InputError, match="both are column 'id'; name two columns"):
        Table(user="id", item="id")
