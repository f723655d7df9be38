"""How a benchmark begins: its help and its refusals are like those of the lab's own commands."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn, TypeVar

from lab.commands.arguments import read_arguments
from lab.core.entry_point import run_command
from lab.core.errors import InputError

Asked = TypeVar("Asked")


def command(name: str, asked: type[Asked], work: Callable[[Asked], int | None], about: str | None) -> NoReturn:
    """Do what the command line asks of `python -m benchmarks.<name>`, and leave with its exit code, None being 0.

    `asked` is a dataclass of settings; what its own checks or the work raise as InputError is said in a sentence.
    """
    program = f"python -m benchmarks.{name}"
    sys.exit(run_command(lambda: work(read_arguments(asked, program, sys.argv[1:], description=about)) or 0))


def require(asked: Any, *some: str, **least: float) -> None:
    """Raise InputError where a flag is to name some and names none, or a number is below the least that makes sense.

    One that is left out, and None for it, is no number.
    """
    for name in (*some, *least):
        if getattr(asked, name) == ():
            raise InputError(f"{flag_of(name)}: nothing is named; name one or more, or leave it out.")
    for name, bound in least.items():
        value = getattr(asked, name)
        for one in value if isinstance(value, tuple) else () if value is None else (value,):
            if not bound <= one < float("inf"):  # of floats, nan and inf too
                raise InputError(f"{flag_of(name)}: {one} makes no sense here; use {bound:,} or more.")


def require_folder(flag: str, folder: Path) -> None:
    """Raise InputError where the folder that something is to be written into is not there."""
    if not folder.is_dir():
        raise InputError(f"{flag}: there is no folder {folder}; make it first.")


def flag_of(name: str) -> str:
    """A field as the command line has it."""
    return f"--{name.replace('_', '-')}"
