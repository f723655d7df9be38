"""Where rows of text end: as the standard library's csv reads them, whatever the fields hold and wherever it is cut."""

import csv
import io
from collections.abc import Sequence
from dataclasses import replace

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from lab.core.errors import InputError
from lab.data.sources import delimited
from lab.data.sources.blocks import Blocks
from lab.data.sources.delimited import Delimited
from lab.data.sources.heads import Head
from lab.data.sources.quotation_marks import find_quotation_marks
from lab.data.sources.text import TextStyle

STYLE = TextStyle(",", False, '"', "utf-8")
FIELDS = st.text(st.sampled_from('ab,"\n é'), max_size=6)
TABLES = st.lists(st.tuples(FIELDS, FIELDS, FIELDS), min_size=1, max_size=40)


def written(rows: Sequence[Sequence[str]], quoting: int = csv.QUOTE_MINIMAL) -> bytes:
    text = io.StringIO()
    csv.writer(text, quoting=quoting, lineterminator="\n").writerows(rows)  # type: ignore[arg-type]
    return text.getvalue().encode()


def strict(data: bytes) -> bool:
    """A slow reading of RFC 4180: every mark opens or closes a field, or is doubled within one."""
    inside, k = False, 0
    while k < len(data):
        if data[k] == ord('"'):
            if not inside and k and data[k - 1 : k] not in (b",", b"\n", b"\r"):
                return False
            if inside and data[k + 1 : k + 2] == b'"':
                k += 1
            elif inside and data[k + 1 : k + 2] not in (b",", b"\n", b"\r", b""):
                return False
            else:
                inside = not inside
        k += 1
    return True


@settings(max_examples=300, deadline=None)
@given(data=st.text(st.sampled_from('a,"\n\r'), max_size=200).map(str.encode))
@example(data=b'"' * 64 + b"\n" + b'"' * 64)
@example(data=b"a" * 63 + b'"')
@example(data=b"a" * 63 + b',"b"\n' + b"a" * 61 + b'"x"')
def test_marks_are_regular_exactly_by_the_rfc(data: bytes) -> None:
    marks = find_quotation_marks(data, b'"', b",")
    assert marks.regular == strict(data)
    odd = [data[: k + 1].count(b'"') % 2 for k in range(len(data))]
    ends = [k for k in range(len(data)) if data[k : k + 1] == b"\n" and not odd[k]]
    assert marks.ends.tolist() == ends and marks.rows == len(ends)
    assert marks.inside.tolist() == [k for k in range(len(data)) if data[k : k + 1] == b"\n" and odd[k]]
    assert marks.last == (ends[-1] if ends else -1) and marks.open == (data.count(b'"') % 2 == 1)


@settings(max_examples=200, deadline=None)
@given(rows=TABLES, quoting=st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]), size=st.integers(1, 40))
def test_blocks_are_whole_rows_wherever_the_text_is_cut(rows: list[tuple[str, ...]], quoting: int, size: int) -> None:
    data = written(rows, quoting)
    blocks = list(Blocks((data[k : k + size] for k in range(0, len(data), size)), '"', ","))
    assert b"".join(block.data for block in blocks) == data
    assert sum(block.rows for block in blocks) == len(rows)
    assert [block.line for block in blocks[1:]] == [
        1 + data[: sum(len(b.data) for b in blocks[:k])].count(b"\n") for k in range(1, len(blocks))
    ]


@settings(max_examples=200, deadline=None)
@given(rows=TABLES, quoting=st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]), size=st.integers(1, 64))
def test_rows_are_those_of_the_standard_library(
    tmp_path_factory, rows: list[tuple[str, ...]], quoting: int, size: int
) -> None:
    path = tmp_path_factory.mktemp("rows") / "log.csv"
    path.write_bytes(written(rows, quoting))
    head = Head(path, "utf-8", False, 0, ("0,0,0",), columns=("a", "b", "c"))
    parts = list(Delimited(head, STYLE).parts(("a", "b", "c"), size))
    found = [tuple(field or "" for field in row) for part in parts for row in part.frame.rows()]
    assert found == [row for row in rows]
    assert not sum(part.blank for part in parts)


@settings(max_examples=300, deadline=None)
@given(
    rows=st.lists(
        st.tuples(FIELDS, FIELDS, st.sampled_from(["x", '27" wide', '5" x 7"', '6"', "y"])), min_size=1, max_size=30
    ),
    size=st.integers(1, 64),
)
def test_rows_with_marks_within_fields_are_those_of_the_standard_library(
    tmp_path_factory, rows: list[tuple[str, ...]], size: int
) -> None:
    path = tmp_path_factory.mktemp("rows") / "log.csv"
    text = "".join(f"{written([row[:2]]).decode()[:-1]},{row[2]}\n" for row in rows)
    path.write_text(text, newline="")
    head = Head(path, "utf-8", False, 0, ("0,0,0",), columns=("a", "b", "c"))
    parts = list(Delimited(head, STYLE).parts(("a", "b", "c"), size))
    found = [tuple(field or "" for field in row) for part in parts for row in part.frame.rows()]
    assert found == rows == [tuple(row) for row in csv.reader(io.StringIO(text, newline=""), strict=True)]


def read(tmp_path, text: str, style: TextStyle = STYLE) -> list[tuple]:
    path = tmp_path / "log.csv"
    path.write_text(text)
    head = Head(path, "utf-8", False, 0, tuple(text.split("\n")), columns=("a", "b", "c"))
    return [row for part in Delimited(head, style).parts(("a", "b", "c")) for row in part.frame.rows()]


def test_rows_that_polars_loses_stop_the_run(tmp_path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = delimited.Delimited._parsed
    monkeypatch.setattr(delimited.Delimited, "_parsed", lambda *given: whole(*given).head(1))
    with pytest.raises(InputError, match=r"log\.csv: lines 1 to 2 hold 2 rows, of which 1 were read"):
        read(tmp_path, "a,b,1\nc,d,2\n")


def test_a_mark_within_an_unquoted_field_is_part_of_it(tmp_path) -> None:
    text = 'a,27" monitor,1\n"b, c",30" x 20",2\n' * 3 + 'd,"two\nlines",3\n'
    assert read(tmp_path, text) == [("a", '27" monitor', "1"), ("b, c", '30" x 20"', "2")] * 3 + [
        ("d", "two\nlines", "3")
    ]


def test_a_quotation_that_ends_within_a_field_names_its_line(tmp_path) -> None:
    with pytest.raises(InputError, match=r"log\.csv: line 2: a quotation ends before its field does"):
        read(tmp_path, 'a,b,1\nc,"d" e,2\n')
    with pytest.raises(InputError, match=r"line 1 opens a quotation that ends within a field of line 3"):
        read(tmp_path, 'a,"b\nc,d\ne,"f\n')
    with pytest.raises(InputError, match=r"log\.csv: the quotation that line 2 opens is never closed"):
        read(tmp_path, 'a,27" b,1\nc,"d\ne,f\n')
    with pytest.raises(InputError, match=r"line 2: a quotation ends .* a backslash .* --escape"):
        read(tmp_path, 'a,b,1\nc,"d \\"e\\" f",2\n')


def test_rows_within_a_quotation_stop_the_run(tmp_path) -> None:
    # By the letter of the RFC this is one row, whose second field has three line breaks.
    rows = "".join(f"u{k},i{k},{k}\n" for k in range(5))
    text = f'{rows}x,"i,7\n{rows}y,j",8\n'
    with pytest.raises(InputError, match=r"line 7 looks like a row, but stands in a quotation"):
        read(tmp_path, text)
    text = f'{rows}x,"words,\nand, so, on\nmore",7\n'
    assert read(tmp_path, text)[-1] == ("x", "words,\nand, so, on\nmore", "7")


def test_escapes_take_the_meaning_of_what_follows(tmp_path) -> None:
    style = replace(STYLE, escape="\\")
    text = 'a,"say \\"hi\\", all",1\nb,x\\,y,2\nc,\\N,3\nd,two\\\nlines,4\ne,"back\\\\",5\n'
    assert read(tmp_path, text, style) == [
        ("a", 'say "hi", all', "1"),
        ("b", "x,y", "2"),
        ("c", None, "3"),
        ("d", "two\nlines", "4"),
        ("e", "back\\", "5"),
    ]
