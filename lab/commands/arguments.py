"""Arguments read by tyro, whose messages then name the whole command."""

import re
import sys
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import is_dataclass, replace
from typing import Annotated, Any, TextIO, cast

import tyro
from tyro.constructors import ConstructorRegistry, StructConstructorSpec, StructFieldSpec, StructTypeInfo

from lab.core.errors import InputError
from lab.core.paragraphs import unwrap_paragraphs, wrap_line, wrap_to_terminal

BOX = "│╭╰|+"
"""What the lines of tyro's boxes begin with, which it wraps itself."""

_TIE = "\N{NO-BREAK SPACE}"
_BREAK = "\N{SYMBOL FOR NEWLINE}"


def read_arguments(
    settings: Any, program: str, arguments: Sequence[str], *config: Any, description: str | None = None
) -> Any:
    """An object of `settings` as the arguments state it. Leaves with exit code 2 for what cannot be read.

    `program` is the command before its arguments, like `python -m lab.run FILE`. tyro takes its first word for
    the whole name in some of its messages, so that the words are handed over as one and parted on their way out.
    So are the lines of `description`, some of which tyro would join and others part, commands to copy among them.
    Raises InputError for a flag that is given twice, of which tyro would take the last.
    """
    _check_once(arguments)
    with (
        redirect_stdout(cast(TextIO, _WrappingStream(sys.stdout))),
        redirect_stderr(cast(TextIO, _WrappingStream(sys.stderr))),
    ):
        return tyro.cli(
            settings,
            prog=program.replace(" ", _TIE),
            description=wrap_to_terminal(description).replace("\n", _BREAK) if description else None,
            args=list(arguments),
            config=(tyro.conf.CascadeSubcommandArgs, *config),
            registry=_unwrapping_docs(),
        )


def _check_once(arguments: Sequence[str]) -> None:
    flags = Counter(one.split("=")[0].replace("_", "-") for one in arguments if one.startswith("--"))
    for flag, times in flags.items():
        if times > 1:
            raise InputError(f"{flag}: is given {'twice' if times == 2 else f'{times} times'}; give it once.")


def choice(cls: type) -> Any:
    """A class as one of several to choose from, explained in paragraphs."""
    return Annotated[cls, tyro.conf.subcommand(description=unwrap_paragraphs(_class_doc(cls)))]


def _unwrapping_docs() -> ConstructorRegistry:
    """tyro's own way with dataclasses, but for the line breaks of docstrings, all of which it keeps."""
    registry = ConstructorRegistry()
    within = False

    @registry.struct_rule
    def rule(info: StructTypeInfo) -> StructConstructorSpec | None:
        nonlocal within
        if within or not is_dataclass(info.type):
            return None
        within = True  # so that the rules below this one answer
        try:
            found = ConstructorRegistry.get_struct_spec(info)
        finally:
            within = False
        assert isinstance(found, StructConstructorSpec)
        return replace(found, fields=tuple(map(_with_help, found.fields)))

    return registry


def _with_help(setting: StructFieldSpec) -> StructFieldSpec:
    """A setting with its help in paragraphs, its default left out where that is empty, and words instead of None."""
    help_text = _help_text(setting)
    empty = setting.default is None and "Default: " in (help_text() or "")
    if empty or (isinstance(setting.default, tuple | dict) and not setting.default):
        return replace(setting, helptext=help_text, type=Annotated[setting.type, tyro.conf.arg(help_behavior_hint="")])
    return replace(setting, helptext=help_text)


def _help_text(setting: StructFieldSpec) -> Callable[[], str | None]:
    """The help of a setting, of its class where it has none and is a dataclass, in paragraphs."""

    def help_text() -> str | None:
        said = setting.helptext() if callable(setting.helptext) else setting.helptext
        said = said or (_class_doc(setting.type) if is_dataclass(setting.type) else "")
        return unwrap_paragraphs(said) or None

    return help_text


def _class_doc(cls: type) -> str:
    """A class's docstring, but for the one that dataclasses make of their fields."""
    said = cls.__doc__ or ""
    return "" if said.startswith(f"{cls.__name__}(") else said


def _wrap_line(line: str) -> str:
    return line if line[:1] in BOX else wrap_line(line)


class _WrappingStream:
    """A stream that writes plain spaces for the ties, and lines for the breaks, none wider than the terminal."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        # tyro wraps what stands in its boxes, and neither the usage nor the description.
        plain = re.sub(r"\[\{(\w+):[^}]*\}\]", r"[\1:NAME]", text.replace(_TIE, " ").replace(_BREAK, "\n"))
        return self._stream.write("\n".join(map(_wrap_line, plain.split("\n"))))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)
