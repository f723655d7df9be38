"""What is known by name: models, feature groups, targets, sources, baselines and experiments.

What ships with the lab is named by its package's exports; anything else registers itself:

    @register
    class MyModel(Model): ...

    register(Experiment(name="mine", ...))
"""

import inspect
import sys
from difflib import get_close_matches
from importlib import import_module
from typing import Any, TypeVar

from lab.errors import InputError

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
    taken = _added.get((kind, name))
    if kind in PACKAGES and name in shipped(kind):
        raise InputError(f"{place}: the {kind} {name!r} ships with {PACKAGES[kind][0]}; choose another name.")
    if taken and taken[1] != place:
        raise InputError(f"{place}: the {kind} {name!r} is already registered at {taken[1]}; choose another name.")
    _added[kind, name] = (thing, place)
    return thing


def forget(file: str) -> None:
    """Take back all that a file registered, so that it can be run again after a change."""
    for key in [key for key, (_, place) in _added.items() if place.rpartition(":")[0] == file]:
        del _added[key]


def experiments() -> dict[str, Any]:
    """The registered experiments by name."""
    return {name: thing for (kind, name), (thing, _) in _added.items() if kind == "experiment"}


def find(kind: str, name: str, field: str) -> Any:
    """The class of a kind registered under a name; `field` is what an error message blames."""
    if (kind, name) in _added:
        return _added[kind, name][0]
    classes = shipped(kind)
    if name not in classes:
        known = sorted([*classes, *(n for k, n in _added if k == kind)])
        raise InputError(f"{field}: no {kind} is called {name!r}{nearest(name, known)} (known: {', '.join(known)}).")
    return classes[name]


def classes(kind: str) -> dict[str, type]:
    """Every class of a kind by name, those that ship first."""
    return shipped(kind) | {name: _added[k, name][0] for k, name in sorted(_added) if k == kind}


def shipped(kind: str) -> dict[str, type]:
    """The classes of a kind that come with the lab, by name."""
    package, base = PACKAGES[kind]
    module = import_module(package)
    parent = getattr(module, base)
    found = [getattr(module, export) for export in module.__all__ if export != base]
    return {name_of(cls): cls for cls in found if inspect.isclass(cls) and issubclass(cls, parent)}


def nearest(name: str, known: list[str]) -> str:
    """`; did you mean 'x'?` where some known name is close."""
    close = get_close_matches(name, known, n=1)
    return f"; did you mean {close[0]!r}?" if close else ""


def name_of(thing: Any) -> str:
    """What a class or an experiment is called: its `name`, or its class's name in lower case."""
    name = getattr(thing, "name", None)
    if isinstance(name, str):
        return name
    return thing.__name__.lower()


def _check(kind: str, thing: Any, place: str) -> None:
    """Refuse a class that lacks what its kind must state, before any log is read."""
    if kind == "model" and "encoder" not in vars(thing) and thing.encoder is shipped_base(kind).encoder:
        raise InputError(f"{place}: {thing.__name__} defines no encoder(self, dtype) that returns a linen module.")
    if kind in ("feature group", "target", "source", "baseline") and not isinstance(getattr(thing, "name", None), str):
        raise InputError(f'{place}: {thing.__name__} states no name; write `name: ClassVar[str] = "..."` in it.')
    if kind == "feature group" and getattr(thing, "side", None) not in ("step", "candidate"):
        raise InputError(
            f'{place}: {thing.__name__} states no side; write `side: ClassVar = "step"` in it (its module embeds '
            f'steps) or `side: ClassVar = "candidate"` (its module scores candidates).'
        )


def shipped_base(kind: str) -> Any:
    """The base class of a kind."""
    package, base = PACKAGES[kind]
    return getattr(import_module(package), base)


def _kind(thing: Any) -> str:
    if not inspect.isclass(thing):
        from lab.experiment import Experiment

        if isinstance(thing, Experiment):
            return "experiment"
        raise InputError(f"register: {thing!r} is neither an Experiment nor a class of {', '.join(PACKAGES)}.")
    for kind, (package, base) in PACKAGES.items():
        if issubclass(thing, getattr(import_module(package), base)):
            return kind
    raise InputError(f"register: {thing.__name__} extends none of {', '.join(base for _, base in PACKAGES.values())}.")
