"""Identity of settings and of code: what decides whether a stored number is still the number asked for."""

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import fields, is_dataclass
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from lab.core.code_used import CodeUsed, code_used, computing_code


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


def identity(config: Mapping[str, Any], fingerprints: Mapping[str, str]) -> str:
    """The end of a cell's id: a digest of its settings and fingerprints."""
    return digest([config, fingerprints])[:12]


LIBRARIES = ("flax", "jax", "jaxlib", "numpy", "optax", "polars", "scikit-learn", "scipy")
"""Libraries that compute a cell's numbers: what a lock file moves, as it is installed."""


@cache
def libraries_fingerprint() -> str:
    """The versions of the libraries at work, as text: which one moved can be read off it."""
    return " ".join(f"{name}={version(name)}" for name in LIBRARIES)


def code_fingerprint(kind: str, parts: Iterable[Any]) -> CodeUsed:
    """The code that a cell's numbers can reach: from the classes of its parts, and from what computes its kind.

    `parts` are the settings that the cell names: its model or baseline, its target, its timeline, its training and
    feature groups; of the oracle the source. What a source gives to other cells is in the fingerprint of the data.
    """
    classes = dict.fromkeys(_classes(parts))
    named = [(cls.__module__, cls.__qualname__.partition(".")[0]) for cls in classes]
    return code_used([*named, *computing_code(kind)])


def _classes(settings: Any) -> Iterator[type]:
    """The classes of settings, and of settings inside them."""
    if is_dataclass(settings) and not isinstance(settings, type):
        yield type(settings)
        yield from _classes([getattr(settings, f.name) for f in fields(settings)])
    elif isinstance(settings, Mapping):
        yield from _classes(settings.values())
    elif isinstance(settings, Iterable) and not isinstance(settings, str | bytes):
        for one in settings:
            yield from _classes(one)
