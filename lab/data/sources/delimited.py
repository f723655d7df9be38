"""Rows of text as frames of text, a block at a time, every block's rows counted apart from the parser."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

import polars as pl

from lab.data.sources.blocks import Block, Blocks
from lab.data.sources.damage import QUOTE, ReadError, first_line, not_text
from lab.data.sources.heads import Head
from lab.data.sources.irregular_rows import loose_rows
from lab.data.sources.quotations import Quotations
from lab.data.sources.reserved_names import SURPLUS
from lab.data.sources.text import CHUNK, ESCAPED, TextStyle, escapes_marked, utf8_chunks

BATCH = 50_000
"""Rows of a frame that are read one by one."""


@dataclass(frozen=True)
class Part:
    """Some rows of a file."""

    frame: pl.DataFrame
    blank: int = 0
    """Blank lines between them, which are no rows."""
    made: int | None = None
    """How many rows the lists in them make; None where there are no lists."""
    empty: int = 0
    """Rows whose lists are empty and make none."""


class Delimited:
    """One text file, of known columns, read from its beginning to its end."""

    def __init__(self, head: Head, style: TextStyle) -> None:
        self._head = head
        self._style = style
        self._names = (*head.columns, SURPLUS)
        self._quotations = Quotations(head, style)

    def parts(self, names: Sequence[str], size: int = CHUNK) -> Iterator[Part]:
        """The rows in parts of about `size` bytes, of each the named columns, as text.

        Polars parses a block whose quotation marks are regular, and its rows are counted in the text as well; the rows
        of others are read one by one. Raises ReadError where the two counts differ, for marks that leave in doubt where
        a row ends, and for bytes that are no text.
        """
        head, style = self._head, self._style
        chunks = escapes_marked(utf8_chunks(head.file, head.encoding, head.carriage, size), style)
        read = self._split_lines if len(style.separator.encode()) > 1 else self._quoted_rows
        try:
            for part in read(_without_lines(chunks, head.body), names):
                yield Part(self._cleaned(part.frame), part.blank)
        except UnicodeDecodeError:
            raise not_text(head.file, head.encoding) from None

    def _quoted_rows(self, body: Iterable[bytes], names: Sequence[str]) -> Iterator[Part]:
        blocks = Blocks(body, self._style.quote, self._style.separator, self._head.body + 1)
        for block in blocks:
            if block.marks is not None and (self._head.padded or not block.marks.regular):
                yield from self._one_by_one(block, blocks, names)
            else:
                yield self._by_polars(block, names)

    def _by_polars(self, block: Block, names: Sequence[str]) -> Part:
        if block.marks is not None and block.marks.open:
            raise self._quotations.never_closed(block)
        if block.marks is not None and block.marks.breaks:
            self._quotations.refuse_swallowed(block)
        frame = self._counted(block, block.view, block.rows, names)
        # A blank line is a row of nulls to polars.
        if frame.height and all(column.null_count() for column in frame.get_columns()):
            data, blank = block.without_blank_lines()
            if blank:
                return Part(self._counted(block, data, block.rows - blank, names), blank)
        return Part(frame)

    def _counted(self, block: Block, data: bytes | memoryview, rows: int, names: Sequence[str]) -> pl.DataFrame:
        """The rows of a block's text. Raises ReadError unless polars reads as many as there are."""
        where = f"{self._head.file}: lines {block.line:,} to {block.line + block.lines - 1:,}"
        try:
            frame = self._parsed(data, names)
        except pl.exceptions.PolarsError as error:
            if "utf-8" in str(error):
                raise not_text(self._head.file, self._head.encoding) from None
            raise ReadError(f"{where} cannot be read: {first_line(error)}", QUOTE) from None
        if len(frame) != rows:
            raise ReadError(f"{where} hold {rows:,} rows, of which {len(frame):,} were read", QUOTE)
        return frame

    def _parsed(self, data: bytes | memoryview, names: Sequence[str]) -> pl.DataFrame:
        """The rows of a text; polars gets a header of numbers, so that a column may have any name."""
        numbers = [str(k) for k in range(len(self._names))]
        header = self._style.separator.join(numbers).encode() + b"\n"
        frame = pl.scan_csv(
            b"".join([header, data]),
            separator=self._style.separator,
            quote_char=self._style.quote or None,
            schema=dict.fromkeys(numbers, pl.String),
            truncate_ragged_lines=True,
            missing_columns="insert",
        )
        return frame.select(pl.col(str(self._names.index(name))).alias(name) for name in names).collect()

    def _split_lines(self, body: Iterable[bytes], names: Sequence[str]) -> Iterator[Part]:
        """Rows whose separator has several bytes: whole lines, then split."""
        for block in Blocks(body, "", self._style.separator):
            data, blank = block.without_blank_lines()
            lines = pl.Series("line", data.decode().split("\n")[:-1], pl.String)
            fields = pl.col("line").str.strip_suffix("\r").str.splitn(self._style.separator, len(self._names))
            frame = lines.to_frame().select(fields.struct.rename_fields(self._names)).unnest("line")
            filled = [pl.when(pl.col(name) != "").then(pl.col(name)).alias(name) for name in self._head.columns]
            yield Part(frame.with_columns(filled).select(names), blank)

    def _one_by_one(self, block: Block, blocks: Blocks, names: Sequence[str]) -> Iterator[Part]:
        """The rows of a block whose marks are not regular, and what the last of them goes on with."""
        rows = loose_rows(blocks.lines_from(block), block.lines, block.line, self._head, self._style)
        while some := list(islice(rows, BATCH)):
            full = [row for row in some if row]
            yield Part(self._framed(full, names), len(some) - len(full))

    def _framed(self, rows: list[list[str]], names: Sequence[str]) -> pl.DataFrame:
        width = len(self._names)
        filled = [row[:width] + [""] * (width - len(row)) for row in rows]
        columns = dict(zip(self._names, zip(*filled, strict=True), strict=True)) if filled else {}
        frame = pl.DataFrame({name: pl.Series(columns.get(name, ()), dtype=pl.String) for name in names})
        return frame.with_columns(_filled(name, pl.col(name)) for name in names)

    def _cleaned(self, frame: pl.DataFrame) -> pl.DataFrame:
        """The frame without the blanks that follow separators, and with what was escaped."""
        if self._head.padded:
            frame = frame.with_columns(_filled(c, pl.col(c).str.strip_chars_start(" ")) for c in frame.columns)
        if not self._style.escape:
            return frame
        meant = [self._style.quote, self._style.separator, "\n", self._style.escape]
        # MySQL and PostgreSQL write \N where there is no value.
        known = [pl.when(pl.col(c) != f"{self._style.escape}N").then(pl.col(c)).alias(c) for c in frame.columns]
        return frame.with_columns(known).with_columns(pl.all().str.replace_many(list(ESCAPED), meant))


def _filled(name: str, text: pl.Expr) -> pl.Expr:
    """Null where a field is empty."""
    return pl.when(text != "").then(text).alias(name)


def _without_lines(chunks: Iterable[bytes], count: int) -> Iterator[bytes]:
    """The text behind its first lines."""
    for chunk in chunks:
        while count and (end := chunk.find(b"\n") + 1):
            chunk, count = chunk[end:], count - 1
        if not count:
            yield chunk
