"""What a user can get wrong: one clear sentence, exit code 2, nothing left behind."""

import gzip
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest

from lab.commands.describe_log import main
from lab.core.errors import InputError
from lab.data.log.cache import prepare_log
from lab.data.log.cleaning import Cleaning
from lab.data.sources import Table
from lab.data.timeline import Timeline

HEADER = "user,item,time,category,price\n"
GOOD = HEADER + "".join(f"u{k % 3},i{k % 4},2020-01-{k % 28 + 1:02},c{k % 2},{k}.5\n" for k in range(60))


@pytest.fixture
def refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Callable[..., str]:
    """Describes a file of these bytes and gives back what was said on stderr."""

    def run(content: bytes | str | None, *flags: str, name: str = "log.csv") -> str:
        log, cache = tmp_path / name, tmp_path / "cache"
        if content is not None:
            log.write_bytes(content if isinstance(content, bytes) else content.encode())
        assert main([str(log), "--cache", str(cache), *flags]) == 2
        out, err = capsys.readouterr()
        assert out == ""
        assert err.count("\n") == 1 and err.endswith(".\n"), err
        left = [p for p in cache.rglob("*") if p.is_file() and p.suffix != ".lock" and p.parent.name != "digests"]
        assert left == []
        assert err.startswith("error: ")
        return err.removeprefix("error: ").strip().replace(str(tmp_path) + "/", "")

    return run


def described(tmp_path: Path, text: str, capsys: pytest.CaptureFixture[str], *flags: str) -> str:
    (tmp_path / "log.csv").write_text(text)
    assert main([str(tmp_path / "log.csv"), "--cache", str(tmp_path / "cache"), *flags]) == 0
    out, err = capsys.readouterr()
    assert err == ""
    assert max(len(line) for line in out.splitlines() if str(tmp_path) not in line) <= 80
    return out


def test_missing_file(refused, tmp_path: Path) -> None:
    (tmp_path / "logs.csv").write_text(GOOD)
    assert refused(None) == "log.csv: no such file; the nearest in that folder is 'logs.csv'."
    assert refused(None, name="words.csv") == "words.csv: no such file."


def test_empty_file(refused) -> None:
    assert refused("") == "log.csv: the file is empty."
    assert refused(HEADER) == "log.csv: holds no rows."
    assert refused("\n\n") == "log.csv: the file holds no rows."
    assert refused(gzip.compress(b""), name="log.csv.gz") == "log.csv.gz: the file holds no rows."


def test_folder_without_logs(tmp_path: Path) -> None:
    (tmp_path / "notes.md").write_text("x")
    with pytest.raises(InputError, match="the folder holds no file ending in"):
        Table(path=str(tmp_path)).scan()


def test_wrong_column_names_the_nearest(refused) -> None:
    assert refused(GOOD, "--user", "usr") == "source.user: log.csv has no column 'usr'; the nearest is 'user'."
    assert refused(GOOD, "--price", "Price") == "source.price: log.csv has no column 'Price'; the nearest is 'price'."
    said = refused(GOOD, "--item", "zzzz")
    assert said == (
        "source.item: log.csv has no column 'zzzz'; it has 'user', 'item', 'time', 'category', 'price'; no header? "
        "give positions, such as 1 for user, 2 for item and 3 for time."
    )


def test_wrong_separator(refused) -> None:
    said = refused(GOOD, "--separator", ";")
    head = "'user,item,time,category,price'"
    assert said == f"log.csv: separator ';' leaves one column in the first line ({head}); ',' would give 5."
    assert "no separator cuts its first line into columns" in refused("user\nann\nbob\n")


def test_unparsable_times_name_their_rows(refused) -> None:
    rows = GOOD.splitlines()
    rows[3], rows[5], rows[7], rows[9] = (
        row.replace("2020-01", "sometime") for row in (rows[3], rows[5], rows[7], rows[9])
    )
    said = refused("\n".join(rows))
    assert said == (
        "log.csv: column 'time', rows 3, 5, 7, 9: 'sometime-03' cannot be read as an ISO date or date-time; 4 of 60 "
        "rows (6.67 %) break the schema, more than cleaning.quarantine_share allows (5 %); state how times are "
        "written with --time-format (time_format in Python), like %d/%m/%Y or ms."
    )


def test_a_few_broken_rows_go_to_the_quarantine(tmp_path: Path, capsys) -> None:
    out = described(tmp_path, GOOD + "u1,i1,soon,c1,1\nu1,i1,2020-01-01,c1,free\n", capsys)
    assert "quarantined     2 rows (3.23 %), listed in" in out
    found = prepare_log(Table(path=str(tmp_path / "log.csv")), cache=tmp_path / "cache").facts["quarantine"]
    assert Path(found["file"]).read_text().splitlines()[1:] == [
        f"{tmp_path}/log.csv,61,time,soon,cannot be read as an ISO date or date-time",
        f"{tmp_path}/log.csv,62,price,free,is not a number",
    ]


def test_a_field_too_many_is_of_no_column(tmp_path: Path, capsys) -> None:
    assert "1: a field is more than the header has columns for" in described(tmp_path, GOOD + "u1,i1,,c1,1,9\n", capsys)


def test_numbers_written_otherwise_are_told_how_to_write_them(refused, tmp_path: Path, capsys) -> None:
    text = HEADER + "".join(f'u1,i{k},2020-01-{k + 1:02},c,"1,{k}58"\n' for k in range(9))
    said = refused(text)
    assert "column 'price', rows 1, 2, 3, 4, 5 and 4 more: '1,058' is not a number; 9 of 9 rows" in said
    assert "write numbers like 32.58, since 1,234 may be 1234 or 1.234" in said and "--ignore price" in said
    assert "9 events kept" in described(tmp_path, text, capsys, "--ignore", "price")


def test_mixed_units_of_time_name_their_rows(refused) -> None:
    times = [1511544070 + 60 * k for k in range(50)]
    times[20], times[30] = 1000 * times[20], 1000 * times[30]
    said = refused("user,item,time\n" + "".join(f"a,b,{t}\n" for t in times))
    assert said == (
        "log.csv: column 'time', rows 21, 31: '1511545270000' is in another unit of time than the others, which are "
        "read as s since 1970."
    )


def test_what_parses_most_is_the_format_however_little_it_is(refused) -> None:
    rows = "".join(f"a,b,{'n/a?' if k % 4 else 1700000718 + k}\n" for k in range(40))
    said = refused("user,item,time\n" + rows)
    assert "rows 2, 3, 4, 6, 7 and 25 more: 'n/a?' cannot be read as a count of s since 1970; 30 of 40" in said
    assert "--time-format" in said


def test_numbers_among_dates_name_their_rows(refused) -> None:
    text = "user,item,time\n" + "a,b,2020-01-01\n" * 5 + "a,b,1511544070\n"
    assert "row 6: '1511544070' cannot be read as an ISO date" in refused(text)


def test_times_too_small_to_tell_their_unit_name_the_file_and_the_flags(refused) -> None:
    said = refused("user,item,time\n" + "".join(f"a,b,{k + 7}\n" for k in range(9)))
    assert said.startswith("log.csv: column 'time': 7 is too small to tell seconds from milliseconds since 1970; ")
    assert "--time-format" in said and "--source.time-format" in said


def lines(*users: object) -> str:
    rows = ({"user": user, "item": "b", "time": f"2020-01-{k % 28 + 1:02}"} for k, user in enumerate(users))
    return "".join(json.dumps(row) + "\n" for row in rows)


@pytest.mark.parametrize("odd", [[1, "b"], {"id": 1}, [], {}])
def test_a_list_is_no_id(refused, tmp_path: Path, odd: object) -> None:
    good = ["[deleted]", "{a}", 7, "b"]
    said = refused(lines(*good, odd), name="log.jsonl")
    assert said.startswith(f"log.jsonl: column 'user', row 5: '{json.dumps(odd)}' is a list or an object, not an id")
    frame = pl.DataFrame({"user": [[1]] * 3, "item": ["b"] * 3, "time": ["2020-01-01"] * 3})
    frame.write_parquet(tmp_path / "log.parquet")
    said = refused(None, name="log.parquet")
    assert said == "source.user: log.parquet: column 'user' holds lists or objects; an id is a text or a number."


def test_all_events_at_one_instant(tmp_path: Path, capsys) -> None:
    text = "user,item,time\n" + "".join(f"u{k % 5},i{k},2020-01-01\n" for k in range(20))
    out = described(tmp_path, text, capsys)
    assert "100 % of the events share their time" in out
    assert "none of a day or more fits" in out
    with pytest.raises(InputError, match="the log spans 0 days"):
        prepare_log(Table(path=str(tmp_path / "log.csv")), horizons=(1,), cache=tmp_path / "cache")


def test_years_to_9999_are_drawn(tmp_path: Path, capsys) -> None:
    text = "user,item,time\nu,i,0001-01-01\nu,i,2020-01-01\nu,i,9999-12-31\n"
    out = described(tmp_path, text, capsys, "--figure", str(tmp_path / "log.png"))
    assert out.splitlines()[-1].split() == ["0001-01-01", "9999-12-31"]
    assert (tmp_path / "log.png").exists()


def test_a_log_shorter_than_the_horizons_says_which_fit(tmp_path: Path) -> None:
    (tmp_path / "log.csv").write_text(GOOD)
    with pytest.raises(InputError, match=r"spans 27 days.*of those asked, 7 would fit"):
        prepare_log(Table(path=str(tmp_path / "log.csv")), horizons=(7, 30), cache=tmp_path / "cache")
    assert [p for p in (tmp_path / "cache" / "histories").iterdir() if p.suffix != ".lock"] == []


@pytest.mark.parametrize("text", [GOOD.replace("u1", "u0").replace("u2", "u0"), GOOD.replace("c1", "c0")])
def test_one_user_and_one_category_are_a_log(tmp_path: Path, capsys, text: str) -> None:
    assert ("of              1 user, " in (out := described(tmp_path, text, capsys))) != ("1 category\n" in out)


def test_negative_prices_are_left_out_and_counted(tmp_path: Path, capsys) -> None:
    out = described(tmp_path, GOOD.replace(",7.5", ",-7.5"), capsys)
    assert "1 by negative: rows with a price or quantity below 0" in out
    assert "by negative" not in described(tmp_path, GOOD.replace(",7.5", ",-7.5"), capsys, "--cleaning.no-negative")


def test_bytes_that_are_no_text(refused) -> None:
    said = refused(GOOD.encode() + b"u1,caf\xe9,2020-01-01,c,1\n")
    assert said == (
        "log.csv: line 62 is not utf-8 text (byte 0xe9 at position 7); state the file's encoding, for "
        "example --encoding latin-1."
    )
    assert "is not known" in refused(GOOD, "--encoding", "klingon")
    # Lines are counted in characters: a zero byte and a line's end make one.
    said = refused(GOOD.encode("utf-16")[:-1])
    assert "line 61 is not utf-16 text" in said and "latin-1" not in said
    assert "--encoding utf-16-be" in refused(GOOD.encode("utf-16-be"))
    # Where a letter is what UTF-8 has no place for, the zero bytes after it still tell.
    said = refused(GOOD.replace("u1", "\u00fc1").encode("utf-16-le"))
    assert "line 3 is not utf-8 text (byte 0xfc" in said and "--encoding utf-16-le" in said
    assert "latin-1" not in said


@pytest.mark.parametrize("encoding", ["utf-16", "utf-32"])
def test_a_byte_order_mark_tells_the_encoding(tmp_path: Path, encoding: str) -> None:
    texts = {"plain.csv": GOOD.encode(), "marked.csv": GOOD.encode(encoding)}
    read = []
    for name, content in texts.items():
        (tmp_path / name).write_bytes(content)
        read.append(Table(path=str(tmp_path / name)).scan().frame.collect())
    assert read[1].equals(read[0])


@pytest.mark.parametrize("size", [20, 40_000])
def test_a_truncated_gzip(refused, size: int) -> None:
    raw = HEADER.encode() + b"".join(b"u%d,i%d,2020-01-01,c,%d\n" % (k % 99, k * k % 9973, k) for k in range(50_000))
    said = refused(gzip.compress(raw)[:size], name="log.csv.gz")
    assert said.startswith("log.csv.gz: ")
    assert "cut short" in said


def test_a_text_whose_name_says_that_it_is_compressed(refused) -> None:
    said = refused(GOOD, name="log.csv.gz")
    assert said == "log.csv.gz: is not compressed, though its name ends in .gz; take that off its name."


NUMBERS = "".join(f"{k % 3},{k % 4},{k}\n" for k in range(9))


@pytest.mark.parametrize("flags", [("--time", "3"), ("--order", "rows")])
def test_a_header_is_no_event(refused, flags: tuple[str, ...]) -> None:
    said = refused("user,item,time\n" + NUMBERS, "--user", "1", "--item", "2", *flags)
    assert said.startswith(
        "log.csv: its first line (user, item, time) looks like a header, and columns given by number"
    )


def test_a_first_event_is_no_header(tmp_path: Path) -> None:
    (tmp_path / "log.csv").write_text("guest,0,0\n" + NUMBERS)
    rows = Table(path=str(tmp_path / "log.csv"), user="1", item="2", order="rows", header=False).scan().frame
    assert rows.collect()["user"][0] == "guest"
    (tmp_path / "log.csv").write_text("guest,0,0\nu7,1,1\n" + NUMBERS)
    rows = Table(path=str(tmp_path / "log.csv"), user="1", item="2", order="rows").scan().frame
    assert rows.collect().height == 11


def test_separators_that_repeat(refused) -> None:
    said = refused("user  item  time\n1  2  2020-01-01\n")
    assert said.startswith("log.csv: separator ' ' leaves columns without a name in the header ('user  item  time')")


def test_a_log_without_times_is_told_how_it_is_read(refused) -> None:
    said = refused(NUMBERS.replace(",", " "), "--user", "1", "--item", "2")
    assert said.endswith("a log in order that has no times is read with order='rows'.")


def test_a_column_of_several_kinds(tmp_path: Path) -> None:
    frame = pd.DataFrame({"user": [1, 2], "item": ["a", 3], "time": ["2020-01-01", "2020-01-02"]})
    with pytest.raises(InputError, match=r"source\.frame: column 'item' holds values of several kinds \("):
        Table(frame=frame).scan()
    assert Table(frame=frame.astype({"item": "string"})).scan().frame.collect()["item"].to_list() == ["a", "3"]


@pytest.mark.parametrize(
    ("column", "values", "said"),
    [
        ("price", np.ones(2, complex), "source.frame: column 'price' is of dtype complex128; make it text, numbers"),
        ("price", pd.arrays.SparseArray([1.0, 2]), "source.frame: column 'price' is of dtype Sparse[float64, nan];"),
        ("price", pd.cut([1, 2], 2), "source.price: the frame: column 'price' is of type "),
        ("price", [[1.0], [2.0]], "source.price: the frame: column 'price' holds lists or objects; make it text, num"),
        ("time", pd.period_range("2020", periods=2, freq="D"), "source.time: the frame: column 'time' is of type "),
        ("time", pd.to_timedelta([1, 2], unit="h"), "source.time: the frame: column 'time' is of type Duration"),
        (None, [1, 2], "source.frame: names column 'user' more than once; name the columns apart."),
    ],
)
def test_a_column_that_no_log_can_have(column: str | None, values: Any, said: str) -> None:
    frame = pd.DataFrame({"user": ["a", "b"], "item": ["x", "y"], "time": ["2020-01-01", "2020-01-02"]})
    frame = pd.concat([frame, frame[["user"]]], axis=1) if column is None else frame.assign(**{column: values})
    with pytest.raises(InputError) as refused:
        Table(frame=frame).scan()
    assert str(refused.value).startswith(said)


def test_a_column_alone_is_no_frame() -> None:
    with pytest.raises(InputError, match=r"^source\.frame: is one column alone; give a pandas or polars DataFrame\.$"):
        Table(frame=pd.Series(["a"], name="user")).scan()


def test_a_stray_quotation_mark(refused) -> None:
    said = refused(GOOD + 'u1,"i1,2020-01-01,c,1\n')
    assert said == (
        "log.csv: the quotation that line 62 opens is never closed; if the file does not quote its fields, say so with "
        "--quote '' (quote in Python)."
    )


def test_broken_json_lines_and_parquet(refused) -> None:
    said = refused('{"user": "a", "item": "b", "time": "2020-01-01"}\n{"user": \n', name="log.jsonl")
    assert said.startswith("log.jsonl: line 2 is no JSON (Expecting value at position 9); ") and "one object" in said
    assert refused("[1,\n 2]", name="log.json").startswith("log.json: line 1 holds a number, not an object; one object")
    assert refused('{"user": 1}\n[1, 2]\n', name="log.json").startswith("log.json: line 2 holds a list, not an object")
    assert refused("PAR1 but not really", name="log.parquet").startswith("log.parquet: cannot be read as parquet")


def test_an_unknown_behaviour(refused) -> None:
    text = "user,item,time,behaviour\n" + "a,b,2020-01-01,view\n" * 3 + "a,b,2020-01-02,stroll\n"
    said = refused(text)
    assert "column 'behaviour', row 4: 'stroll' is no behaviour of the mapping" in said
    assert "--behaviours" in said


def test_rows_alone_that_no_rule_keeps(refused) -> None:
    said = refused("user,item,time\n,i,2020-01-01\n,j,2020-01-02\n")
    assert said == "log.csv: no events are left after cleaning (2 by missing: rows without a user, an item or a time)."


def test_unknown_zone_and_format(refused) -> None:
    assert "'Mars/Olympus' is no zone" in refused(GOOD, "--timezone", "Mars/Olympus")
    assert "'weeks' is none of auto, iso" in refused(GOOD, "--time-format", "weeks")


def test_a_flag_that_is_not_there_exits_2(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as left:
        main(["log.csv", "--usr", "visitor"])
    assert left.value.code == 2
    said = " ".join(capsys.readouterr().err.replace("│", " ").split())
    assert "--user STR" in said and "python -m lab.data table --help" in said
    # Of another source than the one asked, and of a command that is none, nothing is said.
    assert "People" not in said and not re.search(r"python (?!-m lab\.data table)", said)


@pytest.mark.parametrize("name", ["table", "synthetic-shop"])
def test_help_of_a_source_fits_the_terminal(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    with pytest.raises(SystemExit) as left:
        main([name, "--help"])
    lines = capsys.readouterr().out.splitlines()
    assert left.value.code == 0 and max(map(len, lines)) <= 80
    assert lines[0].startswith(f"usage: python -m lab.data {name} ")


def test_settings_before_the_log_are_one_sentence_and_help_is_of_the_command(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["--user", "visitor", "log.csv"]) == 2
    said = capsys.readouterr().err
    assert said.startswith("error: --user: name the log first, then its settings.\nusage: python -m lab.data FILE")
    assert main(["--help"]) == 0
    assert "--list" in capsys.readouterr().out


def test_nothing_given_shows_the_usage_with_the_file_first(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 2
    assert capsys.readouterr().out.startswith("usage: python -m lab.data FILE ")


@pytest.mark.parametrize("name", ["open-ecommerce", "open_ecommerce", "online_retail", "online-retail"])
def test_sources_go_by_either_spelling(tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str) -> None:
    assert main([name, "--path", str(tmp_path), "--cache", str(tmp_path)]) == 2
    assert "get it from https" in capsys.readouterr().err


def test_the_same_bytes_elsewhere_go_by_their_own_name(tmp_path: Path, capsys) -> None:
    described(tmp_path, GOOD, capsys)
    (tmp_path / "other.csv").write_text(GOOD)
    assert main([str(tmp_path / "other.csv"), "--cache", str(tmp_path / "cache")]) == 0
    assert "log             table other.csv\n" in capsys.readouterr().out


def test_a_figure_is_drawn_on_request(tmp_path: Path, capsys) -> None:
    described(tmp_path, GOOD, capsys, "--figure", str(tmp_path / "log.png"))
    assert (tmp_path / "log.png").read_bytes().startswith(b"\x89PNG")
    assert main([str(tmp_path / "log.csv"), "--cache", str(tmp_path / "cache"), "--figure", "log.what"]) == 2
    assert "what" in capsys.readouterr().err


def test_ids_that_read_like_a_missing_value_are_remarked_on(tmp_path: Path, capsys) -> None:
    said = described(tmp_path, GOOD.replace("u1", "NULL").replace("i2,", "nan,"), capsys)
    flat = " ".join(said.split())
    assert "odd ids the user 'NULL' has 20 events: if it stands for a missing id, empty it in the log, and" in flat
    assert "odd ids the item 'nan' has 15 events" in flat
    assert "odd ids" not in described(tmp_path, GOOD.replace("u1", "nancy"), capsys)


@pytest.mark.parametrize(
    ("setting", "cleaning", "timeline"),
    [
        ("timeline.end: 2020-01-09", Cleaning(), Timeline(end="2020-01-09")),
        ("cleaning.since: 2020-01-02", Cleaning(since="2020-01-02"), Timeline()),
        ("cleaning.until: 2020-01-20", Cleaning(until="2020-01-20"), Timeline()),
        ("cleaning.bots: 5", Cleaning(bots=5), Timeline()),
    ],
)
def test_a_log_in_order_has_no_times_to_speak_of(
    tmp_path: Path, setting: str, cleaning: Cleaning, timeline: Timeline
) -> None:
    (tmp_path / "log.csv").write_text(GOOD)
    source = Table(path=str(tmp_path / "log.csv"), order="rows")
    with pytest.raises(
        InputError, match=f"^{setting} says nothing of a log in order, which has no times; leave it out"
    ):
        prepare_log(source, cleaning, timeline, cache=tmp_path / "cache")
    assert prepare_log(source, Cleaning(bots=None), cache=tmp_path / "cache").events == 60
