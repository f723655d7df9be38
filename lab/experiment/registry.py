"""What is known by name: models, feature groups, targets, sources, baselines and experiments.

What ships with the lab is named by its package's exports; anything else registers itself:

    @register
    class MyModel(Model): ...

    register(Experiment(name="mine", ...))
"""

import atexit
import inspect
import sys
from functools import cache
from importlib import import_module
from typing import Any, TypeVar

from lab.core.errors import InputError
from lab.core.escape import terminal
from lab.core.fingerprint_marks import not_fingerprinted
from lab.core.shell import shell_command
from lab.core.spelling import did_you_mean

PACKAGES = {
    "model": ("lab.models", "Model"),
    "feature group": ("lab.features", "FeatureGroup"),
    "target": ("lab.targets", "Target"),
    "source": ("lab.data.sources", "Source"),
    "baseline": ("lab.baselines", "Baseline"),
}
"""Kind -> the package that ships it and the name of its base class there."""

_added: dict[tuple[str, str], tuple[Any, str]] = {}
"""(kind, name) -> the thing and where it was registered."""

T = TypeVar("T")


@not_fingerprinted
def register(thing: T) -> T:
    """Make an experiment, or a class of one of the kinds above, known by its name.

    The same line may register again, as when its file is run twice. Raises InputError naming both places
    when the name is taken.
    """
    kind, name = _kind(thing), name_of(thing)
    caller = sys._getframe(1)
    place = f"{caller.f_code.co_filename}:{caller.f_lineno}"
    if inspect.isclass(thing):
        _check(kind, thing, place)
    if kind == "experiment" and caller.f_globals.get("__name__") == "__main__":
        _say_at_exit_how_to_run("__file__" in caller.f_globals)
    taken = _added.get((kind, name))
    if kind in PACKAGES and name in shipped(kind):
        raise InputError(f"{place}: the {kind} {name!r} ships with {PACKAGES[kind][0]}; choose another name.")
    if taken and taken[1] != place:
        raise InputError(f"{place}: the {kind} {name!r} is already registered at {taken[1]}; choose another name.")
    _added[kind, name] = (thing, place)
    return thing


@cache
def _say_at_exit_how_to_run(is_file: bool) -> None:
    """A file that is run by Python alone, `python experiments/X.py`, registers its experiment and computes nothing."""
    if is_file:  # a notebook is none
        atexit.register(_say_how_to_run)


def _say_how_to_run() -> None:
    # Who imported the runner runs the experiment himself; and of an error Python has spoken already.
    if "lab.running.runner" not in sys.modules and not hasattr(sys, "last_value"):
        file, again = terminal(sys.argv[0]), terminal(shell_command("lab.run", *sys.argv))
        said = f"{file}: registers an experiment and computes nothing by itself; run it with:\n  {again}"
        print(said, file=sys.stderr)


def forget(file: str) -> None:
    """Take back all that a file registered, so that it can be run again after a change."""
    for key in [key for key, (_, place) in _added.items() if place.rpartition(":")[0] == file]:
        del _added[key]


def experiments() -> dict[str, Any]:
    """The registered experiments by name."""
    return {name: thing for (kind, name), (thing, _) in _added.items() if kind == "experiment"}


def registered_parts() -> list[tuple[str, str, Any]]:
    """Kind, name and thing of all that registered itself, in the order of kinds and names."""
    return [(kind, name, _added[kind, name][0]) for kind, name in sorted(_added)]


def find(kind: str, name: str, field: str) -> Any:
    """The class of a kind registered under a name; `field` is what an error message blames."""
    known = classes(kind)
    if name not in known:
        names = sorted(known)
        raise InputError(
            f"{field}: no {kind} is called {name!r}{did_you_mean(name, names)} (known: {', '.join(names)})."
        )
    return known[name]


def classes(kind: str) -> dict[str, type]:
    """Every class of a kind by name, those that ship first."""
    return shipped(kind) | {name: _added[k, name][0] for k, name in sorted(_added) if k == kind}


def shipped(kind: str) -> dict[str, type]:
    """The classes of a kind that come with the lab, by name."""
    base, module = shipped_base(kind), import_module(PACKAGES[kind][0])
    found = [getattr(module, export) for export in module.__all__]
    return {name_of(cls): cls for cls in found if inspect.isclass(cls) and issubclass(cls, base) and cls is not base}


def shipped_base(kind: str) -> Any:
    """The base class of a kind."""
    package, base = PACKAGES[kind]
    return getattr(import_module(package), base)


def name_of(thing: Any) -> str:
    """What a class or an experiment is called: its `name`, or its class's name in lower case."""
    name = getattr(thing, "name", None)
    if isinstance(name, str):
        return name
    return thing.__name__.lower()


def _check(kind: str, thing: Any, place: str) -> None:
    """Refuse a class that lacks what its kind must state, before any log is read."""
    if kind == "model" and thing.encoder is shipped_base(kind).encoder:
        raise InputError(f"{place}: {thing.__name__} defines no encoder(self, dtype) that returns a linen module.")
    if kind in ("feature group", "target", "source", "baseline") and not isinstance(getattr(thing, "name", None), str):
        raise InputError(f'{place}: {thing.__name__} states no name; write `name: ClassVar[str] = "..."` in it.')
    if kind == "target":
        _check_target(thing, place)
    if kind == "feature group" and getattr(thing, "side", None) not in ("step", "candidate"):
        raise InputError(
            f'{place}: {thing.__name__} states no side; write `side: ClassVar = "step"` in it (its module embeds '
            f'steps) or `side: ClassVar = "candidate"` (its module scores candidates).'
        )


def _check_target(thing: Any, place: str) -> None:
    base = shipped_base("target")
    for method, words in TARGET_METHODS.items():
        if getattr(thing, method) is getattr(base, method):
            raise InputError(f"{place}: {thing.__name__} defines no {words}.")


TARGET_METHODS = {
    "labels": "labels(self, view, queries, horizon) that returns Labels",
    "loss": "loss(self, outputs, query, id, weight, smoothing, key) that returns a sum and a count",
    "measures": "measures(self) that returns Measures: its metrics, and the one that tables go by",
    "judge": "judge(self, view, queries, labels) that returns who judges predictions, such as a NumbersJudge",
}
"""What a target of one's own must define."""


def _kind(thing: Any) -> str:
    if not inspect.isclass(thing):
        if (kind := getattr(type(thing), "registered_as", None)) is not None:
            return kind
        raise InputError(f"register: {thing!r} is neither an Experiment nor a class of {', '.join(PACKAGES)}.")
    for kind in PACKAGES:
        if issubclass(thing, shipped_base(kind)):
            return kind
    raise InputError(f"register: {thing.__name__} extends none of {', '.join(base for _, base in PACKAGES.values())}.")
