"""The command line of an experiment: every setting it declares, with its own value as the default."""

import ast
import inspect
import re
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass, field, fields, make_dataclass
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Union

import tyro

from lab.commands.arguments import choice, read_arguments
from lab.core.errors import InputError
from lab.core.fingerprint_marks import not_fingerprinted
from lab.core.number_limits import Limits, check_numbers, number
from lab.core.spelling import nearest
from lab.experiment.experiment import Experiment
from lab.experiment.registry import classes
from lab.running.checkpoint_schedule import CHECKPOINT_SECONDS
from lab.tracking.tracker import Tracking

OPEN = {"source": "source", "target": "target"}
"""Fields for which another class of the kind may be chosen on the command line."""

FIXED = ("baselines", "variants")
"""Fields that a file alone declares."""


@dataclass(frozen=True, kw_only=True)
class Options:
    """How to run, on which no number depends."""

    out: Path = Path("results")
    """Folder under which the results go."""
    cache: Path | None = None
    """Folder where prepared logs are kept. Default: $LAB_CACHE, or the user's cache folder."""
    dry_run: bool = False
    """Prepare the log, print the plan and stop."""
    estimate: bool = False
    """Like --dry-run, and say how long a run would take, page and W&B included. It takes at most a tenth of that: a few
    steps of the longest programs are compiled and timed, and what there is no time for is guessed from its size."""
    status: bool = False
    """Say which cells are done, running, stopped (and at which step), failed, stale (and what moved), damaged or
    missing, and stop."""
    stale: bool = False
    """Rewrite and print the tables of what is there, stale cells in rows of their own, marked by what moved, and stop:
    nothing is computed."""
    only: tuple[str, ...] = ()
    """Some cells alone: key=value by model, features, variant, horizon, fold, seed; several narrow it. Baselines
    stay beside."""
    report: bool = True
    """Draw figures and write report.html at the end."""
    checkpoint_every: float = CHECKPOINT_SECONDS
    """Seconds of training between two checkpoints, from which an interrupted cell goes on; more where writing them
    would take over 1 % of the time. 0: at every look at the valid split."""
    tracking: Tracking = field(default_factory=Tracking)
    """Weights & Biases."""

    @staticmethod
    @not_fingerprinted
    def number_limits() -> Limits:
        """What each number can be."""
        return {"checkpoint_every": number(0)}

    def __post_init__(self) -> None:
        stops = [f"--{name}" for name in ("status", "stale", "dry_run", "estimate") if getattr(self, name)]
        if len(stops) > 1 and stops != ["--dry_run", "--estimate"]:
            raise InputError(
                f"{' and '.join(stops).replace('_', '-')}: each says something else and stops; ask for one."
            )
        check_numbers(self)


def parse(
    experiment: Experiment, program: str, description: str, arguments: Sequence[str]
) -> tuple[Experiment, Options]:
    """The experiment with what the command line changes of it. Leaves with exit code 2 for what it cannot read."""
    for kind in OPEN:
        _check_choice(kind, type(getattr(experiment, kind)), arguments)
    ordered = _classes_first(experiment, arguments)
    chosen = read_arguments(_arguments(experiment), program, ordered, description=description)
    named = {f.name: getattr(chosen, f.name) for f in fields(Experiment) if f.name not in FIXED and f.name != "name"}
    kept = {name: getattr(experiment, name) for name in ("name", *FIXED)}
    if kept["baselines"] == experiment.target.baselines():
        kept["baselines"] = None  # those of the target that is asked now
    options = Options(**{f.name: getattr(chosen, f.name) for f in fields(Options)})
    if "--only" in arguments and not options.only:
        raise InputError("--only: names no cells; write key=value, such as --only model=lstm horizon=30.")
    return _check_heeded(Experiment(**kept, **named), experiment), options


def _classes_first(declared: Experiment, arguments: Sequence[str]) -> list[str]:
    """The classes that are chosen, or of which something is set, before all else: only after `target:next-item` does
    tyro know a flag like --target.no-repeats.
    """
    words: list[str] = []
    for kind in OPEN:
        named = [one for one in arguments if one.startswith(f"{kind}:")]
        is_set = any(one.startswith(f"--{kind}.") for one in arguments)
        words += named or [f"{kind}:{_flag_name(type(getattr(declared, kind)))}"] * is_set
    return [*words, *(one for one in arguments if one not in words)]


def _check_choice(kind: str, declared: type, arguments: Sequence[str]) -> None:
    """Raise InputError for a class that is none, or a setting that the chosen one has not; tyro would offer another."""
    known = {_flag_name(cls): cls for cls in dict.fromkeys([declared, *classes(OPEN[kind]).values()])}
    chosen = declared
    for word in (one.removeprefix(f"{kind}:") for one in arguments if one.startswith(f"{kind}:")):
        if word not in known:
            near = nearest(word, known)
            meant = f"; did you mean {kind}:{near}?" if near else ""
            raise InputError(f"{kind}:{word}: no {kind} is called {word!r}{meant} (known: {', '.join(known)}).")
        chosen = known[word]
    for flag in (one.split("=")[0] for one in arguments if one.startswith(f"--{kind}.")):
        setting = flag.removeprefix(f"--{kind}.").replace("-", "_").split(".")[0]
        if not {setting, setting.removeprefix("no_")} & _settings(chosen):
            others = [name for name, cls in known.items() if setting in _settings(cls)]
            meant = _suggestion(kind, setting, chosen, others) or "."
            raise InputError(f"{flag}: {kind}:{_flag_name(chosen)} has no such setting{meant}")


def _suggestion(kind: str, setting: str, chosen: type, others: Sequence[str]) -> str:
    """What a setting that the chosen class has not may have been meant for."""
    if others:
        first = "table" if "table" in others else others[0]
        return f"; name the {kind} before it, such as {kind}:{first} --{kind}.{setting.replace('_', '-')} ..."
    near = nearest(setting, _settings(chosen))
    return f"; did you mean --{kind}.{near.replace('_', '-')}?" if near else ""


def _settings(cls: type) -> set[str]:
    return {f.name for f in fields(cls)}


def _flag_name(cls: type) -> str:
    """What tyro calls a class: `movie-lens`."""
    return re.sub(r"((?<=[a-z0-9])[A-Z]|(?!^)[A-Z](?=[a-z]))", r"-\1", cls.__name__).lower()


def _check_heeded(asked: Experiment, declared: Experiment) -> Experiment:
    """What is asked. Raises InputError for a flag that no variant heeds."""
    common = set.intersection(*map(set, asked.variants.values())) if asked.variants else set()
    for setting in sorted(common):
        part, _, name = setting.partition(".")
        if part != "groups" and getattr(getattr(asked, part), name) != getattr(getattr(declared, part), name):
            flag = setting.replace("_", "-")
            raise InputError(f"--{flag}: every variant has its own {setting}; change that in the file.")
    return asked


def _arguments(experiment: Experiment) -> type:
    """A dataclass with a field for each setting, typed by what the experiment declares there."""
    help_ = field_docs(Experiment) | field_docs(Options)
    columns: list[Any] = []
    for f in fields(Experiment):
        if f.name in FIXED or f.name == "name":
            continue
        value = getattr(experiment, f.name)
        columns.append((f.name, Annotated[_type(f, value), tyro.conf.arg(help=help_[f.name])], _constant(value)))
    for f in fields(Options):
        default = f.default_factory() if callable(f.default_factory) else f.default
        columns.append((f.name, Annotated[f.type, tyro.conf.arg(help=help_[f.name])], _constant(default)))
    return make_dataclass("Arguments", columns, kw_only=True)


def _type(f: Any, value: Any) -> Any:
    """The annotation tyro shall read: concrete classes where the experiment's own names a base."""
    if f.name in OPEN:
        return Union[tuple(map(choice, dict.fromkeys([type(value), *classes(OPEN[f.name]).values()])))]  # noqa: UP007
    if f.name in ("models", "groups"):
        kinds = tuple(Annotated[type(part), tyro.conf.arg(help=type(part).__name__)] for part in value)
        return tuple[kinds] if kinds else Annotated[tuple[()], tyro.conf.Fixed, tyro.conf.Suppress]  # type: ignore[valid-type]
    if f.name == "features":
        return dict[str, tuple[str, ...]]
    return f.type


def _constant(value: Any) -> Any:
    return field(default_factory=lambda: value)


@cache
def field_docs(cls: type) -> dict[str, str]:
    """The docstring under each field of a dataclass."""
    body = ast.parse(textwrap.dedent(inspect.getsource(cls))).body[0]
    assert isinstance(body, ast.ClassDef)
    docs = {}
    for statement, after in zip(body.body, body.body[1:], strict=False):
        if isinstance(statement, ast.AnnAssign) and isinstance(statement.target, ast.Name):
            said = after.value.value if isinstance(after, ast.Expr) and isinstance(after.value, ast.Constant) else ""
            docs[statement.target.id] = " ".join(str(said).split())
    return docs
