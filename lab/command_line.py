"""The command line of an experiment: every setting it declares, with its own value as the default."""

import ast
import inspect
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass, field, fields, make_dataclass
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Union

import tyro

from lab.arguments import read_arguments
from lab.cadence import EVERY
from lab.errors import InputError
from lab.experiment import Experiment
from lab.registry import classes
from lab.tracking import Tracking

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
    """Like --dry-run, and say how long a run would take: a few steps of each program are compiled and timed here, which
    takes about as long as the first cells of a run do."""
    status: bool = False
    """Say which cells are done, running, failed, stale (and what moved) or missing, and stop."""
    only: tuple[str, ...] = ()
    """Some cells alone: key=value by model, features, variant, horizon, fold, seed; several narrow it. Baselines
    stay beside."""
    report: bool = True
    """Draw figures and write report.html at the end."""
    checkpoint_every: float = EVERY
    """Seconds of training between two checkpoints, from which an interrupted cell goes on; more where writing them
    would take over 1 % of the time. 0: at every look at the valid split."""
    tracking: Tracking = field(default_factory=Tracking)
    """Weights & Biases."""

    def __post_init__(self) -> None:
        if not self.checkpoint_every >= 0:
            raise InputError(f"checkpoint_every: {self.checkpoint_every} is no number of seconds; use 0 or more.")


def parse(
    experiment: Experiment, program: str, description: str, arguments: Sequence[str]
) -> tuple[Experiment, Options]:
    """The experiment with what the command line changes of it. Leaves with exit code 2 for what it cannot read."""
    chosen = read_arguments(_arguments(experiment), program, arguments, description=description)
    named = {f.name: getattr(chosen, f.name) for f in fields(Experiment) if f.name not in FIXED and f.name != "name"}
    kept = {name: getattr(experiment, name) for name in ("name", *FIXED)}
    options = Options(**{f.name: getattr(chosen, f.name) for f in fields(Options)})
    return _heeded(Experiment(**kept, **named), experiment), options


def _heeded(asked: Experiment, declared: Experiment) -> Experiment:
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
        return Union[tuple(dict.fromkeys([type(value), *classes(OPEN[f.name]).values()]))]  # noqa: UP007
    if f.name in ("models", "groups"):
        kinds = tuple(type(part) for part in value)
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
