"""How a benchmark begins: its help and its refusals are like those of the lab's own commands."""

import sys
from collections.abc import Callable
from typing import Any, NoReturn, TypeVar

from lab.arguments import read_arguments
from lab.errors import InputError
from lab.leaving import ended

Asked = TypeVar("Asked")


def command(name: str, asked: type[Asked], work: Callable[[Asked], int | None], about: str | None) -> NoReturn:
    """Do what the command line asks of `python -m benchmarks.<name>`, and leave with its exit code, None being 0.

    `asked` is a dataclass of settings; what its own checks or the work raise as InputError is said in a sentence.
    """
    program = f"python -m benchmarks.{name}"
    sys.exit(ended(lambda: work(read_arguments(asked, program, sys.argv[1:], description=about)) or 0))


def require(asked: Any, **least: float) -> None:
    """Raise InputError where a flag has a number below the least that makes sense, or should have some and has none."""
    for name, bound in least.items():
        value = getattr(asked, name)
        several = value if isinstance(value, tuple) else (value,)
        flag = f"--{name.replace('_', '-')}"
        if not several:
            raise InputError(f"{flag}: names no number; use one or more, each {bound:,} or more.")
        for one in several:
            if not bound <= one < float("inf"):  # of floats, nan and inf too
                raise InputError(f"{flag}: {one} makes no sense here; use {bound:,} or more.")
