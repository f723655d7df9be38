"""Exactly the files that a path names are read, and their content alone decides what the cache serves."""

import os
import socket
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from lab.commands.describe_log import main
from lab.core.errors import InputError
from lab.data.log.cache import prepare_log
from lab.data.sources import Table
from lab.data.sources.paths import find_files


def table(rows: int, first: int = 0) -> pl.DataFrame:
    return pl.DataFrame(
        {
            "user": [f"u{k % 7}" for k in range(first, first + rows)],
            "item": [f"i{k}" for k in range(first, first + rows)],
            "time": [1_600_000_000 + k for k in range(first, first + rows)],
        }
    )


def save(frame: pl.DataFrame, path: Path) -> str:
    path.parent.mkdir(exist_ok=True, parents=True)
    {".csv": frame.write_csv, ".parquet": frame.write_parquet, ".jsonl": frame.write_ndjson}[path.suffix](path)
    return str(path)


def rows(path: str | tuple[str, ...], cache: Path) -> int:
    return prepare_log(Table(path=path), cache=cache).facts["rows"]


ENDINGS = ["csv", "parquet", "jsonl"]


@pytest.mark.parametrize("ending", ENDINGS)
def test_brackets_and_stars_in_a_name_are_characters(tmp_path: Path, ending: str) -> None:
    cache = tmp_path / "cache [1]*"
    save(table(1000), tmp_path / f"log1.{ending}")
    odd = save(table(3000), tmp_path / f"log[1].{ending}")
    assert rows(odd, cache) == 3000
    assert rows(save(table(3000), tmp_path / f"plain.{ending}"), cache) == 3000
    assert rows(save(table(500), tmp_path / f"log*.{ending}"), cache) == 500
    assert rows(save(table(400), tmp_path / f"what?.{ending}"), cache) == 400
    alone = save(table(600), tmp_path / "a [b]" / f"log[12].{ending}")
    assert rows(alone, cache) == 600
    assert rows(str(Path(alone).parent), cache) == 600
    assert rows(str(Path(alone).parent / f"*.{ending}"), cache) == 600
    # A set of characters is meant only where no name has these brackets.
    save(table(10, 3000), tmp_path / "b" / f"log1.{ending}")
    save(table(20, 4000), tmp_path / "b" / f"log2.{ending}")
    assert rows(str(tmp_path / "b" / f"log[12].{ending}"), cache) == 30


def test_the_command_reads_the_file_that_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    save(table(1000), tmp_path / "log1.csv")
    odd = save(table(3000), tmp_path / "log[1].csv")
    assert main([odd, "--cache", str(tmp_path / "cache[1]")]) == 0
    assert "3,000 read" in capsys.readouterr().out


def test_hidden_marking_and_empty_files_are_no_parts(tmp_path: Path) -> None:
    save(table(10), tmp_path / "log" / "part-0.csv")
    save(table(0), tmp_path / "log" / "part-1.csv")
    save(table(10, 10), tmp_path / "log" / "part-2.csv")
    for name in ("_SUCCESS", ".part-0.csv.crc", ".hidden.csv", "_metadata.csv", "part-3.csv"):
        (tmp_path / "log" / name).write_bytes(b"" if name in ("_SUCCESS", "part-3.csv") else b"\0\1")
    for path in (tmp_path / "log", tmp_path / "log" / "*", tmp_path / "log" / "*.csv"):
        assert rows(str(path), tmp_path / "cache") == 20
    (tmp_path / "log" / "notes.md").write_text("not a log")
    assert rows(str(tmp_path / "log"), tmp_path / "cache") == 20
    with pytest.raises(InputError, match=r"part-3\.csv: the file is empty"):
        rows(str(tmp_path / "log" / "part-3.csv"), tmp_path / "cache")


def test_parts_without_an_ending(tmp_path: Path) -> None:
    (tmp_path / "log").mkdir()
    for k in range(3):
        (tmp_path / "log" / f"part-0000{k}").write_text(table(10, 10 * k).write_csv())
    (tmp_path / "log" / "_SUCCESS").touch()
    assert rows(str(tmp_path / "log"), tmp_path / "cache") == 30


@pytest.mark.parametrize("ending", ENDINGS)
def test_folders_that_state_a_column(tmp_path: Path, ending: str) -> None:
    days = ("2023-01-01", "2023-01-02")
    for k, day in enumerate(days):
        for part in range(2):
            where = tmp_path / "log" / f"day={day}" / f"shop=a%20{k}" / f"part-{part}.{ending}"
            save(table(5, 10 * k + 5 * part), where)
        (tmp_path / "log" / f"day={day}" / "_SUCCESS").touch()
    settings: Any = {"time": "day", "category": "shop"}
    found = Table(path=str(tmp_path / "log"), **settings).scan()
    frame = found.frame.collect()
    assert frame["row"].to_list() == list(range(20)) and found.records and found.records() is not None
    assert frame["item"].to_list() == [f"i{k}" for k in range(20)]
    assert frame["category"].to_list() == ["a 0"] * 10 + ["a 1"] * 10
    assert frame["time"].n_unique() == 2
    before = Table(path=str(tmp_path / "log"), **settings).fingerprint(tmp_path)
    (tmp_path / "log" / "day=2023-01-02").rename(tmp_path / "log" / "day=2023-01-03")
    assert Table(path=str(tmp_path / "log"), **settings).fingerprint(tmp_path) != before
    save(table(5), tmp_path / "log" / "other=1" / f"part-0.{ending}")
    with pytest.raises(InputError, match=r"its folders state \['other'\]"):
        Table(path=str(tmp_path / "log"), **settings).scan()


def test_a_value_that_hive_lacks_is_missing(tmp_path: Path) -> None:
    save(table(5), tmp_path / "log" / "shop=__HIVE_DEFAULT_PARTITION__" / "part-0.csv")
    found = Table(path=str(tmp_path / "log"), category="shop").scan().frame.collect()
    assert found["category"].to_list() == [None] * 5


def test_what_is_neither_file_nor_folder_is_called_what_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    os.mkfifo(tmp_path / "pipe.csv")
    (tmp_path / "link.csv").symlink_to(tmp_path / "gone.csv")
    monkeypatch.chdir(tmp_path)
    with socket.socket(socket.AF_UNIX) as opened:
        opened.bind("socket.csv")
        for path, said in {
            "pipe.csv": r"is a named pipe, .* write it to a file",
            "link.csv": r"is a link to .*gone\.csv, which is not there",
            "socket.csv": "is a socket",
            "/dev/null": "is a device",
        }.items():
            with pytest.raises(InputError, match=rf"^{path}: {said}") as refused:
                find_files(path)
            assert "nearest" not in str(refused.value)


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("s3://shop/log.csv", "is an address.*.aws s3 cp"),
        ("gs://shop/log/*.parquet", "is an address.*.gcloud storage cp"),
        ("https://shop.example/log.csv", "is an address.* download it first"),
        ("file:///log.csv", "is an address.* write the path alone"),
        ("x" * 300, "cannot be read .File name too long"),
        ("no/such/folder/*.csv", "no such file"),
    ],
)
def test_paths_that_name_no_file_say_what_to_do(path: str, said: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(InputError, match=said):
        find_files(path)
    assert main([path]) == 2
    assert path in capsys.readouterr().err
