"""The paragraphs of a docstring, whose line breaks are those of a file of 120 columns."""

import inspect
import re
import shutil
import textwrap
from collections.abc import Iterator

_ITEM = re.compile(r"[-*•] |\d+[.)] ")
_BEGINS = re.compile(rf"{_ITEM.pattern}|[A-Z][a-z ]{{1,20}}: ")
"""What a paragraph begins with where no blank line stands before it: an item of a list, or a word like `Expect: `."""


def paragraphs(text: str) -> Iterator[str]:
    """Each paragraph on one line."""
    lines: list[str] = []
    for line in (*map(str.strip, text.splitlines()), ""):
        if lines and (not line or _BEGINS.match(line)):
            yield " ".join(lines)
            lines = []
        lines += [line] if line else []


def unwrap_paragraphs(text: str) -> str:
    """The text, each of its paragraphs on one line, for whoever wraps it to a width of their own."""
    return "\n\n".join(paragraphs(text))


def wrap_to_terminal(text: str) -> str:
    """The text wrapped to the terminal's width; a block with a usage or a line indented by four keeps its lines."""
    return "\n\n".join(map(_wrap_block, re.split(r"\n\s*\n", inspect.cleandoc(text))))


def _wrap_block(block: str) -> str:
    stays = re.search(r"^(usage:| {4})", block, re.MULTILINE)
    return "\n".join(map(wrap_line, block.splitlines() if stays else paragraphs(block)))


def wrap_line(line: str) -> str:
    """A line on as many as the terminal's width asks for, indented below the first of a usage, command or item."""
    width = shutil.get_terminal_size().columns
    if len(line) <= width:
        return line
    stays, item = re.match(r"(usage:)?\s+", line), _ITEM.match(line)
    indent = " " * (4 + stays.end() if stays else item.end() if item else 0)
    return textwrap.fill(line, width, subsequent_indent=indent, break_on_hyphens=False, break_long_words=False)
