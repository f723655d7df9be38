"""The file of a pin: written whole, and read only as it was written. docs/pin.md says what each field means."""

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lab.core.errors import InputError
from lab.core.files import write_whole
from lab.core.sealed import DIGEST, is_intact, read_json, seal
from lab.evaluation.measures import Measures, Metric
from lab.experiment.fingerprints import identity

FORMAT = "interest-lab pin"
VERSION = 3
"""Raised whenever a reader of the last version could misread a pin."""

SCHEMA: dict[str, dict[str, type | tuple[type, ...]]] = {
    "": {
        "format": str,
        "version": int,
        "experiment": dict,
        "data": dict,
        "split": dict,
        "seeds": dict,
        "metrics": dict,
    },
    "experiment": {"name": str, "source": dict, "target": dict, "horizons": list, "features": dict, "models": list},
    "data": {"source": str, "fingerprint": str, "files": list},
    "split": {"fingerprint": str, "folds": list},
    "metrics": {"target": str, "measures": dict},
    "code": {"version": (str, type(None)), "commit": (str, type(None)), "modules": dict},
    "machine": {"python": str, "system": str, "processor": str, "packages": dict, "jax": dict, "devices": dict},
    "run": {"seconds": (int, float), "peak_memory_bytes": int},
}
"""Part -> the fields that it must have, and their types. `cells` is checked cell by cell."""

CELL = {
    "id": str,
    "kind": str,
    "model": str,
    "features": str,
    "status": str,
    "metrics": list,
    "devices": int,
    "digests": dict,
    "config": dict,
    "fingerprints": dict,
}


def write_pin(path: Path, pin: Mapping[str, Any]) -> None:
    """Write a pin whole or not at all; mappings keep their order, which for features and behaviours has a meaning."""
    write_whole(path, json.dumps(seal(pin), ensure_ascii=False, allow_nan=False, indent=1).encode() + b"\n")


def read_pin(path: Path) -> dict[str, Any]:
    """A pin, whole and as the schema has it. Raises InputError naming the file and what is wrong with it."""
    try:
        pin = read_json(path.read_bytes())
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror}); name a pin.json.") from None
    except ValueError as error:
        raise InputError(f"{path}: is no JSON, or a damaged one ({error}).") from None
    if not isinstance(pin, dict) or pin.get("format") != FORMAT:
        raise InputError(f"{path}: is no pin of this lab; its field `format` must be {FORMAT!r}.")
    if pin.get("version") != VERSION:
        raise InputError(
            f"{path}: is a pin of version {pin.get('version')!r}; this lab reads version {VERSION}. Use the version of "
            "the lab that wrote it (`code` in it says which), or run the experiment again."
        )
    if not is_intact(pin):
        raise InputError(
            f"{path}: is damaged or was edited: what it holds does not give its `{DIGEST}`. Get it anew from where it "
            "came from; settings are changed in the experiment's file, not in a pin."
        )
    _check(path, pin)
    return pin


def measures_of(pin: Mapping[str, Any]) -> Measures:
    """How the target of a checked pin judges."""
    return Measures.from_json(pin["metrics"]["measures"])


MOST_SILENT = 100
"""Users that a made log is asked for, for each that it came to have: some do nothing in it."""


def _check(path: Path, pin: Mapping[str, Any]) -> None:
    for part, wanted in SCHEMA.items():
        inside = pin if not part else _field(path, pin, part, dict)
        for name, kind in wanted.items():
            _field(path, inside, name, kind, part)
    asked, found = pin["experiment"]["source"].get("users"), pin["data"].get("users")
    if isinstance(asked, int) and isinstance(found, int) and asked > MOST_SILENT * max(found, 1):
        raise InputError(
            f"{path}: experiment.source.users asks for {asked:,} users, and the pinned log had {found:,}; the pin "
            "contradicts itself."
        )
    try:
        measures = measures_of(pin)
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(f"{path}: the field `metrics.measures` cannot be read ({error}).") from None
    for index, cell in enumerate(_field(path, pin, "cells", list)):
        for name, kind in CELL.items():
            _field(path, cell, name, kind, f"cells[{index}]")
        if not cell["id"].endswith(f"-{identity(cell['config'], cell['fingerprints'])}"):
            raise InputError(
                f"{path}: cells[{index}]: {cell['id']} is not of the settings and fingerprints beside it; the pin "
                "contradicts itself."
            )
        for metric in cell["metrics"]:
            if not _is_metric(metric):
                raise InputError(f"{path}: cells[{index}].metrics: {metric!r} is not [split, slice, metric, value].")
        if wrong := measures.impossible(tuple(Metric(s, k, m, number_of(v)) for s, k, m, v in cell["metrics"])):
            named = f"{' '.join(wrong[:3])} is {wrong.value:g}"
            raise InputError(f"{path}: cells[{index}].metrics: {named}, which cannot be; the pin is wrong.")


def number_of(value: float | str | None) -> float:
    """A metric's value as JSON has it: null for NaN, `inf` and `-inf` as texts. Raises ValueError."""
    return math.nan if value is None else float(value)


def _is_metric(metric: Any) -> bool:
    if not (isinstance(metric, list) and len(metric) == len(Metric._fields)):
        return False
    *names, value = metric
    return all(isinstance(name, str) for name in names) and (
        value in (None, "inf", "-inf") or (isinstance(value, int | float) and not isinstance(value, bool))
    )


def _field(path: Path, inside: Any, name: str, kind: Any, part: str = "") -> Any:
    full = f"{part}.{name}" if part else name
    if not isinstance(inside, dict) or name not in inside:
        raise InputError(f"{path}: the field `{full}` is missing; the pin is damaged or not whole.")
    if not isinstance(inside[name], kind):
        raise InputError(f"{path}: the field `{full}` holds a {type(inside[name]).__name__}, which cannot be right.")
    return inside[name]
