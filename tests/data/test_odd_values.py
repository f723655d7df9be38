"""Odd values in every column, and odd settings: read, or refused in one sentence; never a traceback, never a control
character on the terminal."""

import json
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from lab.commands.describe_log import main

USUAL: dict[str, Callable[[int], str]] = {
    "user": lambda k: f"u{k % 5}",
    "item": lambda k: f"i{k % 7}",
    "time": lambda k: f"2020-01-{k % 28 + 1:02}",
    "category": lambda k: f"c{k % 3}",
    "price": lambda k: f"{k}.5",
    "quantity": lambda k: "1",
    "behaviour": lambda k: "view",
    "text": lambda k: f"word{k % 4}",
}

VALUES: dict[str, list[list[str]]] = {
    "user": [
        ["nan"], ["a\0b"], ["\x1b[2Ju"], ["👩‍👩‍👧"], ["u" * 5000], ["1", "1.0", "1e5", "0x1", "٣", "-0", "+1", "01"],
        ["  "], [""],
    ],
    "item": [["\x1b]0;evil\x07"], ["$10-$20"], ["nan", "i"], ["\u202eevil"]],
    "time": [
        ["-1"], ["0"], [str(10**30)], [str(9 * 10**18)], [str(2**63 - 1), str(-(2**63)), "1500000000"], [""], ["nan"],
        ["inf"], ["inf", *["1500000000"] * 30], ["2020-01-01", "1500000000", "soon"], ["0000-01-01"], ["99999-01-01"],
        ["2020-02-30"], ["2020-01-01\x1b[31m"], ["2016-12-31 23:59:60"], ["2020-01-01T00:00:00+25:00"],
        ["0001-01-01T00:00:00+14:00"], ["1.5e9"], ["1500000000.123456789"], ["true"], ["٢٠٢٠-٠١-٠١"],
        ["0001-01-01", "9999-12-31"],
    ],
    "category": [["\x1b[31mred", "nan", ""], ["$10-$20"], [""]],
    "price": [
        ["free"], ["inf"], ["1e300"], ["-1"], ["nan"], ["NULL"], ["$5"], ['"1,234"'], ["$5", "€6"], ["5%"],
        ["\x1b[31m5"], ["٣"], [""],
    ],
    "quantity": [["-1"], ["1" + "0" * 400], ["1.5"], ["two"]],
    "behaviour": [
        [""], ["view"] * 30 + [""], ["stroll"], ["\x1b[31mview"], ["View"], ["return"], ["purchase", "return"],
    ],
    "text": [["", "word"], [""], ["\x1b[31m"], ["$\\write18{x}$"]],
}  # fmt: skip

SETTINGS = [
    "--time-format %Q", "--time-format d", "--time-format s", "--time-format ticks", "--time-format ns",
    "--cleaning.since yesterday", "--cleaning.since 9999-12-31", "--cleaning.until 0001-01-01",
    "--cleaning.since 0001-01-01T00:00:00+14:00", "--cleaning.outliers nan", "--cleaning.outliers 1e-300",
    "--cleaning.outliers 1e300", "--cleaning.bots inf", "--cleaning.quarantine-share nan",
    f"--cleaning.item-min-events {10**30}", "--ignore", "--ignore price category behaviour quantity text", "--identity",
    "--identity nope", "--price user", "--category user", "--time user", "--user time", "--behaviours view \x1b[31mx",
    "--year price --month quantity --day quantity", "--figure .", "--figure nope/x.png", "--figure log.what",
    "--order rows", "--timezone Mars/Olympus",
]  # fmt: skip


@pytest.fixture
def said(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Callable[..., str]:
    """What is said of a file: its description, or why there is none, in one sentence."""
    monkeypatch.chdir(tmp_path)

    def run(content: bytes, ending: str, *flags: str) -> str:
        path = tmp_path / f"log{ending}"
        path.write_bytes(content)
        with warnings.catch_warnings(action="error"):
            code = main([str(path), "--cache", str(tmp_path / "cache"), *flags])
        out, err = capsys.readouterr()
        assert (code, bool(out), bool(err)) in ((0, True, False), (2, False, True)), (code, out, err)
        assert not err or (err.startswith("error: ") and err.count("\n") == 1 and err.endswith(".\n"))
        assert not set("\x1b\x07\x00\u202e") & set(out + err)
        return out + err

    return run


def rows(column: str = "", values: tuple[str, ...] = ()) -> bytes:
    made = {name: (lambda k: values[k % len(values)]) if name == column else one for name, one in USUAL.items()}
    lines = [",".join(made), *(",".join(value(k) for value in made.values()) for k in range(62))]
    return "\n".join([*lines, ""]).encode()


@pytest.mark.parametrize(
    ("column", "values"), [(column, tuple(one)) for column, several in VALUES.items() for one in several]
)
def test_no_value_of_a_text_ends_in_a_traceback(said, column: str, values: tuple[str, ...]) -> None:
    said(rows(column, values), ".csv")


@pytest.mark.parametrize("flags", SETTINGS)
def test_no_setting_ends_in_a_traceback(said, flags: str) -> None:
    said(rows(), ".csv", *flags.split(" "))


@pytest.mark.parametrize(
    "odd",
    [
        {"user": None}, {"user": True}, {"user": {"a": 1}}, {"user": "\x1b[31m"}, {"user": "\ud800"}, {"item": [1]},
        {"time": {"a": 1}}, {"time": {"$date": {"x": 1}}}, {"price": [1]}, {"price": {"amount": 1}},
        {"category": ["a", "b"]}, {"time": None}, {"time": 1e300}, {"time": -1},
    ],
)  # fmt: skip
def test_no_value_of_json_ends_in_a_traceback(said, odd: dict[str, Any]) -> None:
    row = {"user": "u", "item": "i", "time": "2020-01-01", "price": 1, "category": "c"} | odd
    said((json.dumps(row) + "\n").encode() * 9, ".jsonl")


def typed(**columns: pl.Series) -> pl.DataFrame:
    size = len(next(iter(columns.values())))
    usual = {name: pl.Series([name] * size) for name in ("user", "item")} | {"time": pl.Series(["2020-01-01"] * size)}
    return pl.DataFrame(usual | columns)


@pytest.mark.parametrize(
    "frame",
    [
        typed(time=pl.Series([1, 2]).cast(pl.Duration)),
        typed(time=pl.Series([1, 2]).cast(pl.Time)),
        typed(time=pl.Series([None, None])),
        typed(time=pl.Series([float("nan"), float("inf")])),
        *(typed(time=pl.Series([-(2**63) + 1, 2**63 - 1]).cast(pl.Datetime(unit))) for unit in ("ms", "us", "ns")),
        typed(time=pl.Series([-(2**31), 2**31 - 1], dtype=pl.Int32).cast(pl.Date)),
        typed(time=pl.Series([2**64 - 1, 5], dtype=pl.UInt64)),
        typed(time=pl.Series([2**100, 5], dtype=pl.Int128)),
        typed(time=pl.Series(["1500000000", "1500000001"]).cast(pl.Decimal(20, 2))),
        typed(time=pl.Series([True, False])),
        typed(time=pl.Series([0, 1]).cast(pl.Datetime("us", "Asia/Tokyo"))),
        typed(user=pl.Series([None, None])),
        typed(user=pl.Series([float("nan"), float("inf")])),
        typed(user=pl.Series([2**100, 5], dtype=pl.Int128)),
        typed(user=pl.Series([b"\xff\xfe", b"a"])),
        typed(user=pl.Series([1, 2], dtype=pl.Int32).cast(pl.Date)),
        typed(price=pl.Series([True, False])),
        typed(price=pl.Series([1, 2], dtype=pl.Int32).cast(pl.Date)),
        typed(price=pl.Series([None, None])),
        typed(category=pl.Series([None, None])),
        typed(behaviour=pl.Series([1, 2])),
        typed(text=pl.Series([1.5, None])),
    ],
    ids=lambda frame: ", ".join(f"{name} {dtype}" for name, dtype in frame.schema.items() if dtype != pl.String),
)
def test_no_type_of_parquet_ends_in_a_traceback(said, tmp_path: Path, frame: pl.DataFrame) -> None:
    frame.write_parquet(tmp_path / "made")
    said((tmp_path / "made").read_bytes(), ".parquet")
