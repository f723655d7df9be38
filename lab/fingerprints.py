"""Identity of settings and of code: what decides whether a stored number is still the number asked for."""

import hashlib
import inspect
import json
from collections.abc import Iterable, Mapping
from dataclasses import fields, is_dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

import lab

PACKAGES = ("baselines", "data", "evaluation", "features", "models", "targets", "training")
"""The packages that a cell's numbers can depend on; tables, figures, tracking and commands are not among them."""

NUMBERLESS = ("data/__main__.py", "data/describe.py", "data/sketch.py")
"""Files of these packages that only show things."""


def canonical(value: Any) -> Any:
    """Settings as plain JSON values: dataclasses with all their defaults, tuples as lists, whole floats as ints."""
    if is_dataclass(value) and not isinstance(value, type):
        settings = {f.name: canonical(getattr(value, f.name)) for f in fields(value)}
        return {"type": type(value).__name__, **settings}
    if isinstance(value, Mapping):
        return {str(key): canonical(value[key]) for key in sorted(value)}
    if isinstance(value, (list, tuple)):
        return [canonical(part) for part in value]
    if isinstance(value, (float, np.floating)):
        return int(value) if float(value).is_integer() else float(value)
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
    """sha256 over the files of PACKAGES, by name."""
    root = Path(lab.__path__[0])
    files = sorted(path for package in PACKAGES for path in (root / package).rglob("*.py"))
    whole = hashlib.sha256()
    for path in files:
        name = path.relative_to(root).as_posix()
        if name not in NUMBERLESS:
            whole.update(f"{name}\0".encode() + path.read_bytes() + b"\0")
    return whole.hexdigest()


def code_fingerprint(used: Iterable[Any]) -> str:
    """The code that numbers can depend on: the lab's own, and the source of classes from elsewhere that are used."""
    own = sorted({type(thing) for thing in used}, key=lambda cls: cls.__qualname__)
    foreign = [cls for cls in own if not cls.__module__.startswith("lab.")]
    return digest([_shipped_code(), *[inspect.getsource(cls) for cls in foreign]])
