"""Identity of settings and of code: what decides whether a stored number is still the number asked for."""

import ast
import hashlib
import inspect
import json
import sys
from collections.abc import Iterable, Mapping
from dataclasses import fields, is_dataclass
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

import lab

PACKAGES = ("baselines", "data", "dataset", "evaluation", "features", "models", "targets", "training")
"""The packages that a cell's numbers can depend on; tables, figures, tracking and commands are not among them."""

FILES = ("running/assembly.py", "running/judging.py")
"""The files beside these packages of which the same is true."""

NUMBERLESS = ("data/__main__.py", "data/sources/download.py")
"""Files of these packages that only show things."""


def canonical(value: Any) -> Any:
    """Settings as plain JSON values: dataclasses with all their defaults, tuples as lists, whole floats as ints.

    Raises TypeError for anything else: a setting is a plain value, so that its text can identify it.
    """
    if is_dataclass(value) and not isinstance(value, type):
        settings = {f.name: canonical(getattr(value, f.name)) for f in fields(value)}
        return {"type": type(value).__name__, **settings}
    if isinstance(value, Mapping):
        return {str(key): canonical(value[key]) for key in sorted(value)}
    if isinstance(value, (list, tuple)):
        return [canonical(part) for part in value]
    if isinstance(value, (float, np.floating)):
        return int(value) if float(value).is_integer() else float(value)
    if isinstance(value, np.integer):
        return int(value)
    if isinstance(value, Path):
        return str(value)
    if value is None or isinstance(value, (bool, int, str)):
        return value
    raise TypeError(f"{value!r} is no setting: it has no canonical form")


def digest(value: Any) -> str:
    """sha256 of the canonical form, as hex."""
    text = json.dumps(canonical(value), sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()


@cache
def _shipped_code() -> str:
    """sha256 over the files of PACKAGES and FILES, by name."""
    root = Path(lab.__path__[0])
    files = sorted(path for package in PACKAGES for path in (root / package).rglob("*.py"))
    files += [root / name for name in FILES]
    whole = hashlib.sha256()
    for path in files:
        name = path.relative_to(root).as_posix()
        if name not in NUMBERLESS:
            whole.update(f"{name}\0".encode() + path.read_bytes() + b"\0")
    return whole.hexdigest()


LIBRARIES = ("flax", "jax", "jaxlib", "numpy", "optax", "polars", "scikit-learn", "scipy")
"""Libraries that compute a cell's numbers: what a lock file moves, as it is installed."""


@cache
def libraries_fingerprint() -> str:
    """The versions of the libraries at work, as text: which one moved can be read off it."""
    return " ".join(f"{name}={version(name)}" for name in LIBRARIES)


def code_fingerprint(used: Iterable[Any]) -> str:
    """The code that numbers can depend on: the lab's own, and the files that define other classes in use."""
    classes = {base for thing in used for base in type(thing).__mro__}
    foreign = {cls.__module__: cls for cls in classes if cls.__module__.partition(".")[0] not in _OWN}
    return digest([_shipped_code(), *[definitions(foreign[name]) for name in sorted(foreign)]])


_OWN = {"lab", *sys.stdlib_module_names}


def definitions(cls: type) -> str:
    """The file that defines a class, without its bare expressions: the docstring and what it registers.

    What the class uses of its file (a module, a function, a constant) counts, an experiment's settings do
    not: those are in each cell's config.
    """
    source = inspect.getsource(sys.modules[cls.__module__])
    lines = source.splitlines()
    kept = [node for node in ast.parse(source).body if not isinstance(node, ast.Expr)]
    return "\n".join("\n".join(lines[_first_line(node) - 1 : node.end_lineno]) for node in kept)


def _first_line(node: ast.stmt) -> int:
    decorators = getattr(node, "decorator_list", [])
    return min([node.lineno, *(decorator.lineno for decorator in decorators)])
