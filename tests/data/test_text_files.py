"""Text as shops export it: each way of writing gives the same events, or says in a sentence what to do."""

import bz2
import gzip
import lzma
import zipfile
from dataclasses import replace
from pathlib import Path

import polars as pl
import pyarrow
import pytest

from lab.commands.describe_log import main
from lab.core.errors import FaultError, InputError
from lab.data.log.cache import prepare_log
from lab.data.log.log import read_log
from lab.data.sources import Table
from lab.data.sources.base import Records

TEXT = "user,item,time,name\n" + "".join(f"u{k % 3},i{k},2020-01-{k + 1:02},thing {k}\n" for k in range(20))
COLUMNS = ("user", "item", "time", "text")


def events(path: Path | str, **settings) -> list[tuple]:
    scan = Table(path=str(path), **{"text": "name", **settings}).scan()
    frame = scan.frame.collect(engine="streaming")
    assert not frame["fault"].sum()
    assert frame["row"].to_list() == list(range(len(frame)))
    assert scan.records is not None and (held := scan.records()) is not None and held.rows == len(frame)
    return frame.select(COLUMNS).rows()


def saved(folder: Path, content: str | bytes, name: str = "log.csv") -> Path:
    (folder / name).write_bytes(content.encode() if isinstance(content, str) else content)
    return folder / name


@pytest.fixture
def plain(tmp_path: Path) -> list[tuple]:
    (tmp_path / "plain").mkdir()
    return events(saved(tmp_path / "plain", TEXT))


def quoted(text: str) -> str:
    return "".join(",".join(f'"{field}"' for field in line.split(",")) + "\n" for line in text.splitlines())


WRITTEN = {
    "carriage returns alone": TEXT.replace("\n", "\r"),
    "carriage returns and line feeds": TEXT.replace("\n", "\r\n"),
    "no line end at the end": TEXT.rstrip("\n"),
    "quoted": quoted(TEXT),
    "quoted, with carriage returns": quoted(TEXT).replace("\n", "\r\n"),
    "quoted, with carriage returns alone": quoted(TEXT).replace("\n", "\r"),
    "a blank behind each comma": TEXT.replace(",", ", "),
    "a blank behind each comma, before quotation marks": quoted(TEXT).replace('","', '", "'),
    "blanks in the header alone": TEXT.replace(",", ", ", 3),
    "a line that states the separator": "sep=,\n" + TEXT,
    "the same with semicolons": "sep=;\n" + TEXT.replace(",", ";"),
    "comments first": "# exported on Monday\n#by hand, of all, that, there, was\n\n" + TEXT,
    "blank lines": "\n" + TEXT.replace("\n", "\n\n"),
    "blank lines with carriage returns": TEXT.replace("\n", "\r\n\r\n"),
    "a byte-order mark": "\ufeff" + TEXT,
    "tabs": TEXT.replace(",", "\t"),
}


@pytest.mark.parametrize("written", WRITTEN, ids=lambda name: name.replace(" ", "-").replace(",", ""))
def test_ways_of_writing_agree(tmp_path: Path, plain: list[tuple], written: str) -> None:
    assert events(saved(tmp_path, WRITTEN[written])) == plain


def test_blank_lines_are_counted_apart_from_rows(tmp_path: Path) -> None:
    source = Table(path=str(saved(tmp_path, TEXT.replace("\n", "\n\n"))))
    facts = prepare_log(source, cache=tmp_path / "cache").facts
    assert (facts["rows"], facts["blank_lines"]) == (20, 21)


def test_blank_lines_are_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from rich.console import Console

    from lab.running.plan import print_log

    path, cache = str(saved(tmp_path, TEXT.replace("\n", "\n\n"))), tmp_path / "cache"
    assert main([path, "--cache", str(cache)]) == 0
    assert "20 read, 20 events kept; 21 blank lines left out" in " ".join(capsys.readouterr().out.split())
    print_log(Console(width=200), prepare_log(Table(path=path), cache=cache), ordered=False)
    assert "  21 blank lines left out\n" in capsys.readouterr().out
    assert main([str(saved(tmp_path, TEXT)), "--cache", str(cache)]) == 0
    assert "blank" not in capsys.readouterr().out


def zipped(content: bytes, name: str = "log.csv") -> bytes:
    from io import BytesIO

    held = BytesIO()
    with zipfile.ZipFile(held, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(name, content)
        archive.writestr(f"__MACOSX/._{name}", b"\0\1")
    return held.getvalue()


PACKED = {
    "gz": gzip.compress,
    "bz2": bz2.compress,
    "xz": lzma.compress,
    "zst": lambda content: pyarrow.compress(content, codec="zstd", asbytes=True),
    "zip": zipped,
}


@pytest.mark.parametrize("name", ["log.csv.{}", "log.{}", "log.csv", "log", "LOG.CSV.{}"])
@pytest.mark.parametrize("ending", PACKED)
def test_compression_is_told_by_the_content(tmp_path: Path, plain: list[tuple], ending: str, name: str) -> None:
    assert events(saved(tmp_path, PACKED[ending](TEXT.encode()), name.format(ending))) == plain


@pytest.mark.parametrize("ending", PACKED)
def test_two_compressed_streams_in_a_row_are_read_both(tmp_path: Path, plain: list[tuple], ending: str) -> None:
    if ending == "zip":
        return
    head, tail = TEXT[:200].encode(), TEXT[200:].encode()
    assert events(saved(tmp_path, PACKED[ending](head) + PACKED[ending](tail), f"log.csv.{ending}")) == plain


@pytest.mark.parametrize("ending", PACKED)
def test_what_is_cut_short_is_refused(tmp_path: Path, ending: str) -> None:
    whole = PACKED[ending](TEXT.encode() + b"u,i,2020-01-01,%d\n" * 40_000)
    path = saved(tmp_path, whole[: len(whole) // 2], f"log.csv.{ending}")
    with pytest.raises(InputError, match=rf"log\.csv\.{ending}: the compressed file is cut short or damaged"):
        events(path)


@pytest.mark.parametrize("ending", PACKED)
def test_a_text_called_compressed_is_refused(tmp_path: Path, ending: str) -> None:
    with pytest.raises(InputError, match=rf"is not compressed, though its name ends in \.{ending}; take that off"):
        events(saved(tmp_path, TEXT, f"log.csv.{ending}"))


def archive(*names: str) -> bytes:
    from io import BytesIO

    held = BytesIO()
    with zipfile.ZipFile(held, "w") as opened:
        for name in names:
            opened.writestr(name, TEXT)
    return held.getvalue()


def protected() -> bytes:
    """A zip that says of its file that it is encrypted, in its own header and in the list at its end."""
    held = bytearray(archive("log.csv"))
    held[6] |= 1
    held[held.index(b"PK\x01\x02") + 8] |= 1
    return bytes(held)


OTHERS = {
    "spreadsheet": (archive("[Content_Types].xml", "xl/workbook.xml"), "is a spreadsheet.* save the sheet as CSV"),
    "open document": (archive("mimetype", "content.xml"), "is a spreadsheet"),
    "old spreadsheet": (
        b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600),
        "is an old Excel file.* save the sheet as CSV",
    ),
    "zip of two": (archive("a.csv", "b.csv"), r"holds 2 files \(a\.csv, b\.csv\), and one is wanted; unpack it"),
    "zip of none": (archive(".hidden"), "holds no file, and one is wanted"),
    "tar": (gzip.compress(b"log.csv".ljust(257, b"\0") + b"ustar" + bytes(250)), "is a tar archive.* unpack it"),
    "packed Parquet": (gzip.compress(b"PAR1" + bytes(60)), "is a compressed Parquet file.* unpack it"),
    "7z": (b"7z\xbc\xaf\x27\x1c" + bytes(60), "is a 7z archive.* unpack it"),
    "rar": (b"Rar!\x1a\x07" + bytes(60), "is a rar archive.* unpack it"),
    "orc": (b"ORC" + bytes(60), r"is an ORC file.* Table\(frame="),
    "avro": (b"Obj\x01" + bytes(60), r"is an Avro file.* Table\(frame="),
    "hdf5": (b"\x89HDF\r\n\x1a\n" + bytes(60), r"is an HDF5 file.* Table\(frame="),
    "protected zip": (protected(), "is protected by a password; unpack it"),
    "sqlite": (b"SQLite format 3\0" + bytes(60), "is a SQLite database.* export the table as CSV"),
    "feather": (b"ARROW1\0\0" + bytes(60), r"is an Arrow \(Feather\) file.* Table\(frame="),
    "zeros": (bytes(60), "holds zero bytes, and no text; the file is damaged"),
    "gzip of zeros": (gzip.compress(bytes(40 << 20)), "holds zero bytes, and no text"),
    "one long line": (gzip.compress(b"a," * (20 << 20)), "its first line has more than 16 MB"),
}


@pytest.mark.parametrize("name", ["log.csv", "log.xlsx", "log.json"])
@pytest.mark.parametrize("other", OTHERS)
def test_files_of_other_kinds_say_what_to_do(tmp_path: Path, other: str, name: str) -> None:
    if name == "log.json" and other in ("zeros", "gzip of zeros", "one long line"):
        return
    content, said = OTHERS[other]
    with pytest.raises(InputError, match=rf"log\.\w+: {said}") as refused:
        events(saved(tmp_path, content, name))
    assert "utf-16" not in str(refused.value)


def test_a_first_line_of_thousands_of_columns(tmp_path: Path) -> None:
    names = [f"a_column_with_a_long_name_{k}" for k in range(9_000)]
    text = ",".join(["user", "item", "time", *names]) + "\na,b,2020-01-01" + ",x" * 9_000 + "\n"
    assert len(text.split("\n")[0]) > 131_072
    (row,) = events(saved(tmp_path, text), text=names[-1])
    assert row[:2] == ("a", "b") and row[3] == "x"


def test_a_field_of_many_letters(tmp_path: Path) -> None:
    text = TEXT + f'a,27" monitor,2020-01-01,"{"x" * 200_000}"\n'
    assert len(events(saved(tmp_path, text))[-1][3]) == 200_000


def test_a_quoted_field_with_line_breaks(tmp_path: Path) -> None:
    text = 'user,item,time,name\na,b,2020-01-01,"one\ntwo, three\n\nfour"\nc,d,2020-01-02,"five ""six"""\n'
    assert [row[3] for row in events(saved(tmp_path, text))] == ["one\ntwo, three\n\nfour", 'five "six"']
    header = text.replace(",name", ',"what it\nis called"')
    assert events(saved(tmp_path, header), text="what it\nis called")[0][3].startswith("one\n")


def test_a_mark_of_inches_beside_quoted_fields(tmp_path: Path) -> None:
    text = TEXT + 'a,27" monitor,2020-02-01,"black, wide"\nb,5" x 7",2020-02-02,\n'
    assert [row[1::2] for row in events(saved(tmp_path, text))[-2:]] == [
        ('27" monitor', "black, wide"),
        ('5" x 7"', None),
    ]


def rows(lines: list[str]) -> str:
    return "user,item,time,name\n" + "".join(
        f"u{k % 7},i{k},2020-01-{k % 28 + 1:02},{line}\n" for k, line in enumerate(lines)
    )


@pytest.mark.parametrize("first", [3, 40, 199])
def test_no_row_is_lost_to_escaped_marks(tmp_path: Path, first: int) -> None:
    names = ['"plain"'] * 240
    names[first] = names[230] = '"a \\"big\\" one, 27\\""'
    path = saved(tmp_path, rows(names))
    with pytest.raises(InputError, match=rf"line {first + 2}.* state --escape '\\' \(escape in Python\)"):
        events(path)
    found = events(path, escape="\\")
    assert len(found) == 240 and found[first][3] == 'a "big" one, 27"'


@pytest.mark.parametrize("last", [4, 230])
def test_no_row_is_lost_to_unquoted_fields_that_open_with_a_mark(tmp_path: Path, last: int) -> None:
    names = ["plain"] * 240
    names[2], names[last] = '"big one', '"big two'
    path = saved(tmp_path, rows(names))
    with pytest.raises(
        InputError, match=r"log\.csv: line 4 opens a quotation that ends within a field of line.*--quote ''"
    ):
        events(path)
    assert len(events(path, quote="")) == 240


@pytest.mark.parametrize(
    "name", ["row", "file", "surplus", "fault", "identity", "raw_user", "value_1", "at", "key", "since"]
)
def test_a_column_may_have_any_name(tmp_path: Path, name: str) -> None:
    frame = pl.read_csv(TEXT.encode()).with_columns(pl.lit(None).alias("empty"))
    frame = frame.rename({"user": name})
    plain = [row[0] for row in frame.rows()]
    for ending in ("csv", "parquet", "jsonl"):
        path = tmp_path / f"log.{ending}"
        {"csv": frame.write_csv, "parquet": frame.write_parquet, "jsonl": frame.write_ndjson}[ending](path)
        assert [row[0] for row in events(path, user=name)] == plain
    assert Table(frame=frame, user=name).scan().frame.collect()["user"].to_list() == plain


def test_names_of_the_readers_own_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"column '\\x1erow' begins with a control character"):
        events(saved(tmp_path, TEXT.replace("user", "\x1erow")), user="\x1erow")


@pytest.mark.parametrize(("setting", "value"), [("quote", '""'), ("quote", "«"), ("escape", "\\\\"), ("escape", '"')])
def test_marks_are_one_character(setting: str, value: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(InputError, match=r"source"):
        Table(path="log.csv", **{setting: value})  # type: ignore[arg-type]
    assert main(["log.csv", f"--{setting}", value]) == 2
    assert capsys.readouterr().err.startswith("error: source")


def test_columns_of_a_second_table_may_have_the_names_of_the_logs(tmp_path: Path) -> None:
    from lab.data.sources import Lookup

    frame = pl.read_csv(TEXT.encode()).with_columns(at=pl.lit("here"), since=pl.lit("ever"), key=pl.lit("k"))
    listed = saved(tmp_path, "item,day,shelf\ni3,2020-01-04,early\ni3,2020-01-05,late\n", "shelves.csv")
    day = pl.col("day").str.to_date().cast(pl.Int64)
    time = pl.col("time").str.to_date().cast(pl.Int64)
    shelves = Lookup(path=str(listed), on="item", key="item", columns={"category": pl.col("shelf")}, at=time, since=day)
    source = Table(
        frame=frame, lookups=(shelves,), text="at", identity=("since", "key"), behaviours={"k": "view"}, behaviour="key"
    )
    found = source.scan().frame.sort("row").collect()
    assert found["text"].unique().to_list() == ["here"] and found["behaviour"].unique().to_list() == ["view"]
    assert found["category"].to_list() == [None] * 3 + ["early"] + [None] * 16


def test_attributes_may_have_the_names_of_the_users_table(tmp_path: Path) -> None:
    people = saved(tmp_path, "who,user,name\nu0,x,Ann\nu1,y,Bob\n", "people.csv")
    source = Table(path=str(saved(tmp_path, TEXT)), attributes=str(people), attributes_user="who")
    table = prepare_log(source, cache=tmp_path / "cache").user_attributes()
    assert table.rows() == [("u0", "x", "Ann"), ("u1", "y", "Bob"), ("u2", None, None)]


def test_rows_of_the_quarantine_are_numbered_in_each_file(tmp_path: Path) -> None:
    # More text than is read at a time, in files whose broken rows are gone back for in the same plan.
    good = "".join(f"user number {k % 1000},item number {k},2020-01-{k % 28 + 1:02}\n" for k in range(150_000))
    (tmp_path / "log").mkdir()
    broken = {"a.csv": (0, 149_000), "b.csv": (7, 120_000, 149_999)}
    for name, rows in broken.items():
        lines = good.splitlines()
        for row in rows:
            lines[row] = lines[row][:-10] + "soon"
        saved(tmp_path / "log", "user,item,time\n" + "\n".join(lines) + "\n", name)
    facts = prepare_log(Table(path=str(tmp_path / "log")), cache=tmp_path / "cache").facts
    found = pl.read_csv(facts["quarantine"]["file"])
    assert facts["rows"] == 300_000
    assert [(Path(file).name, row - 1) for file, row in found.select("file", "row").rows()] == [
        (name, row) for name, rows in broken.items() for row in rows
    ]


def test_files_of_several_formats_are_refused(tmp_path: Path) -> None:
    saved(tmp_path, TEXT, "a.csv")
    saved(tmp_path, "{}", "b.json")
    with pytest.raises(InputError, match=r"holds files of several formats \(a\.csv, b\.json\); name one kind"):
        events(tmp_path)


@pytest.mark.parametrize("rows", [19, 21])
def test_a_log_that_has_not_the_rows_of_its_files_is_a_fault(tmp_path: Path, rows: int) -> None:
    scan = Table(path=str(saved(tmp_path, TEXT))).scan()
    assert len(read_log(scan)) == 20
    with pytest.raises(FaultError, match=rf"log\.csv: {rows} rows are in the files, but 20 were read"):
        read_log(replace(scan, records=lambda: Records(rows)))


def test_several_files_may_be_written_each_in_its_way(tmp_path: Path, plain: list[tuple]) -> None:
    head, *lines = TEXT.splitlines(keepends=True)
    (tmp_path / "log").mkdir()
    saved(tmp_path / "log", head + "".join(lines[:5]), "a.csv")
    saved(tmp_path / "log", gzip.compress((head + "".join(lines[5:9])).replace("\n", "\r\n").encode()), "b.csv.gz")
    saved(tmp_path / "log", "# more\n" + quoted(head + "".join(lines[9:])), "c.csv")
    assert events(tmp_path / "log") == plain
    saved(tmp_path / "log", "user,item,time\na,b,2020-01-01\n", "d.csv")
    with pytest.raises(InputError, match=r"d\.csv: its columns \(user, item, time\) are not those of a\.csv"):
        events(tmp_path / "log")


RAGGED = "user,item,time,price\n" + "".join(
    ",".join((f"u{k % 3}", f"i{k}", f"2020-01-{k + 1:02}", "1.5")[: 2 + k % 3]) + "\n" for k in range(20)
)


def test_the_separator_of_rows_of_many_lengths_is_that_of_the_header(tmp_path: Path) -> None:
    facts = prepare_log(Table(path=str(saved(tmp_path, RAGGED))), cache=tmp_path / "cache").facts
    assert (facts["separator"], facts["rows"], facts["missing"]["time"]) == (",", 20, 7)


def test_what_psql_prints_is_read(tmp_path: Path) -> None:
    rows = "".join(f" u{k % 3} | i{k} | 2020-01-{k + 1:02} 10:00:00\n" for k in range(20))
    text = f" user | item | time \n------+------+------\n{rows}(20 rows)\n"
    facts = prepare_log(Table(path=str(saved(tmp_path, text))), cache=tmp_path / "cache").facts
    assert (facts["separator"], facts["rows"], facts["events"], facts["users"]) == ("|", 22, 20, 3)


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("<!DOCTYPE html>\n<html><body>Log in</body></html>\n", "is a web page, which is not read"),
        ("\n <html lang='en'>\n</html>\n", "is a web page, which is not read"),
        ("\ufeff<?xml version='1.0'?>\n<rows/>\n", "is an XML file, which is not read"),
    ],
)
def test_pages_are_called_what_they_are(tmp_path: Path, text: str, what: str) -> None:
    with pytest.raises(InputError, match=what):
        Table(path=str(saved(tmp_path, text))).scan()


def test_times_that_a_spreadsheet_has_cut_are_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for time, cut in (("1.6E+09", True), ("1.60001E+12", True), ("1600000000.5", False), ("1.6000000017e+09", False)):
        text = "user,item,time\n" + "".join(f"u{k % 3},i{k},{time}\n" for k in range(20))
        assert main([str(saved(tmp_path, text)), "--cache", str(tmp_path / "cache")]) == 0
        assert ("a spreadsheet has cut their digits" in " ".join(capsys.readouterr().out.split())) == cut
