"""Arguments read by tyro, whose messages then name the whole command."""

import re
import shutil
import sys
import textwrap
from collections import Counter
from collections.abc import Sequence
from contextlib import redirect_stderr, redirect_stdout
from typing import Any, TextIO, cast

import tyro

from lab.errors import InputError

BOX = "│╭╰|+"
"""What the lines of tyro's boxes begin with, which it wraps itself."""

_TIE = "\N{NO-BREAK SPACE}"


def read_arguments(
    settings: Any, program: str, arguments: Sequence[str], *config: Any, description: str | None = None
) -> Any:
    """An object of `settings` as the arguments state it. Leaves with exit code 2 for what cannot be read.

    `program` is the command before its arguments, like `python -m lab.run FILE`. tyro takes its first word for
    the whole name in some of its messages, so that the words are handed over as one and parted on their way out.
    Raises InputError for a flag that is given twice, of which tyro would take the last.
    """
    _check_once(arguments)
    with (
        redirect_stdout(cast(TextIO, _Parted(sys.stdout))),
        redirect_stderr(cast(TextIO, _Parted(sys.stderr))),
    ):
        return tyro.cli(
            settings,
            prog=program.replace(" ", _TIE),
            description=description or None,
            args=list(arguments),
            config=(tyro.conf.CascadeSubcommandArgs, *config),
        )


def _check_once(arguments: Sequence[str]) -> None:
    flags = Counter(one.split("=")[0].replace("_", "-") for one in arguments if one.startswith("--"))
    for flag, times in flags.items():
        if times > 1:
            raise InputError(f"{flag}: is given {'twice' if times == 2 else f'{times} times'}; give it once.")


def _wrapped(line: str) -> str:
    width = shutil.get_terminal_size().columns
    indent = "    " if line.startswith("usage:") else ""
    return line if line[:1] in BOX or len(line) <= width else textwrap.fill(line, width, subsequent_indent=indent)


class _Parted:
    """A stream that writes plain spaces for the ties, and lines no wider than the terminal."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        # tyro wraps what stands in its boxes, and neither the usage nor the description.
        plain = re.sub(r"\[\{(\w+):[^}]*\}\]", r"[\1:NAME]", text.replace(_TIE, " "))
        return self._stream.write("\n".join(map(_wrapped, plain.split("\n"))))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)
