"""The pin: one file from which others check and reproduce a run. docs/pin.md says what each field means."""

import hashlib
import json
import math
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from lab.cell_record import CellRecord, Metric, to_json
from lab.data.histories import Histories
from lab.data.sources.base import Source
from lab.data.timeline import Fold
from lab.data.words import counted
from lab.environment import code, machine, peak_memory, without_paths
from lab.errors import InputError
from lab.experiment import Experiment
from lab.files import write_whole
from lab.fingerprints import code_fingerprint, digest
from lab.settings import settings_of
from lab.store import Store

FORMAT = "interest-lab pin"
VERSION = 1
"""Raised whenever a reader of the last version could misread a pin."""

STREAMS = (
    "version 1: a cell draws from fold_in(key(seed), hash of the part's name) of jax.random, and the order of its rows "
    "from numpy's SeedSequence([seed, 'order', epoch]); baselines and the oracle draw nothing"
)
"""How randomness follows from a seed, in words; a change of it is a change of VERSION."""

SCHEMA: dict[str, dict[str, type | tuple[type, ...]]] = {
    "": {"format": str, "version": int, "experiment": dict, "data": dict, "split": dict, "seeds": dict},
    "experiment": {"name": str, "source": dict, "target": dict, "horizons": list, "features": dict, "models": list},
    "data": {"source": str, "fingerprint": str, "files": list},
    "split": {"fingerprint": str, "folds": list},
    "code": {"version": (str, type(None)), "commit": (str, type(None)), "fingerprint": str},
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
    "digests": dict,
    "fingerprints": dict,
}


def build_pin(
    experiment: Experiment,
    about: Mapping[str, str],
    histories: Histories,
    left_out: Sequence[str],
    folds: Sequence[Fold],
    candidates: Sequence[int],
    store: Store,
    planned: Iterable[CellRecord],
    seconds: float,
) -> dict[str, Any]:
    """The pin of a run as plain values, failures and missing cells included.

    `left_out` says what of the experiment the log had no column for, a sentence each.
    """
    cells = store.plan(planned)
    return {
        "format": FORMAT,
        "version": VERSION,
        "about": dict(about),
        "experiment": settings_of(experiment),
        "data": _data(experiment.source, histories, left_out),
        "split": _split(folds, candidates, experiment.target.asks == "ticks"),
        "seeds": {"count": experiment.seeds, "first": 0, "streams": STREAMS},
        "metrics": experiment.target.judged(),
        "code": code() | {"fingerprint": code_fingerprint([])},
        "machine": machine(),
        "run": {"seconds": round(seconds, 3), "peak_memory_bytes": peak_memory()},
        "cells": [pinned_cell(store, cell) for cell in cells],
    }


def write_pin(path: Path, pin: Mapping[str, Any]) -> None:
    """Write a pin whole or not at all; mappings keep their order, which for features and behaviours has a meaning."""
    write_whole(path, json.dumps(pin, ensure_ascii=False, allow_nan=False, indent=1).encode() + b"\n")


def read_pin(path: Path) -> dict[str, Any]:
    """A pin, checked against the schema. Raises InputError naming the file and what is wrong with it."""
    try:
        pin = json.loads(path.read_bytes())
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror}); name a pin.json.") from None
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path}: is no JSON, or a damaged one ({error}).") from None
    if not isinstance(pin, dict) or pin.get("format") != FORMAT:
        raise InputError(f"{path}: is no pin of this lab; its field `format` must be {FORMAT!r}.")
    if pin.get("version") != VERSION:
        raise InputError(f"{path}: is a pin of version {pin.get('version')!r}; this lab reads version {VERSION}.")
    _check(path, pin)
    return pin


def metrics_of(cell: Mapping[str, Any]) -> dict[tuple[str, str, str], float]:
    """A pinned cell's numbers by (split, slice, metric)."""
    return {(s, k, m): math.nan if v is None else float(v) for s, k, m, v in cell["metrics"]}


def files_of(source: Source) -> list[dict[str, Any]]:
    """Name, bytes and sha256 of each file behind a source."""
    return [{"name": p.name, "bytes": p.stat().st_size, "sha256": _sha256(p)} for p in source.paths()]


def check_files(source: Source, pin: Mapping[str, Any]) -> None:
    """Raise InputError where the files of a source are not there, or are not those that a pin is of."""
    here, pinned = files_of(source), pin["data"]["files"]
    if len(here) != len(pinned):
        raise InputError(f"source: {counted(len(here), 'file')} here, and the pin is of {len(pinned)}.")
    for now, was in zip(here, pinned, strict=True):
        if now["sha256"] != was["sha256"]:
            new, old = (f"{one['name']} ({one['bytes']:,} bytes, sha256 {one['sha256'][:16]})" for one in (now, was))
            raise InputError(f"source: {new} is not the pinned {old}.")


def _data(source: Source, histories: Histories, left_out: Sequence[str]) -> dict[str, Any]:
    facts = histories.facts
    counts = {name: facts.get(name) for name in ("rows", "events", "users", "items", "first", "last", "rules")}
    order = {name: facts[name] for name in ("timed", "calendar") if name in facts}
    return {
        "source": source.name,
        "licence": source.licence,
        "citation": source.citation,
        "files": files_of(source),
        "fingerprint": histories.fingerprint,
        "quarantined": facts["quarantine"]["rows"],
        **counts,
        **order,
        "left_out": list(left_out),
    }


def _split(folds: Sequence[Fold], candidates: Sequence[int], on_ticks: bool) -> dict[str, Any]:
    placed = [
        {"fold": f.index, "valid_cutoff": f.valid_cutoff, "test_cutoff": f.test_cutoff, "candidates": count}
        for f, count in zip(folds, candidates, strict=True)
    ]
    every = [[f.index, f.first, f.valid_cutoff, f.test_cutoff, f.horizons, f.query_every] for f in folds]
    return {"fingerprint": digest(every), "query_every": folds[0].query_every if on_ticks else None, "folds": placed}


def pinned_cell(store: Store, record: CellRecord) -> dict[str, Any]:
    """A cell as a pin holds it."""
    said = to_json(record)
    names = ("id", "kind", "model", "features", "variant", "target", "horizon", "fold", "seed", "status")
    return {name: said[name] for name in (*names, "fingerprints") if name in said} | {
        "reason": without_paths(record.reason),
        "parameters": record.parameters,
        "metrics": said["metrics"],
        "digests": {} if record.status == "missing" else store.digests(record.id),
        "timing": said["timing"],
    }


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _check(path: Path, pin: Mapping[str, Any]) -> None:
    for part, wanted in SCHEMA.items():
        inside = pin if not part else _field(path, pin, part, dict)
        for name, kind in wanted.items():
            _field(path, inside, name, kind, part)
    for index, cell in enumerate(_field(path, pin, "cells", list)):
        for name, kind in CELL.items():
            _field(path, cell, name, kind, f"cells[{index}]")
        for metric in cell["metrics"]:
            if not (isinstance(metric, list) and len(metric) == len(Metric._fields)):
                raise InputError(f"{path}: cells[{index}].metrics: {metric!r} is not [split, slice, metric, value].")


def _field(path: Path, inside: Any, name: str, kind: Any, part: str = "") -> Any:
    full = f"{part}.{name}" if part else name
    if not isinstance(inside, dict) or name not in inside:
        raise InputError(f"{path}: the field `{full}` is missing; the pin is damaged or not whole.")
    if not isinstance(inside[name], kind):
        raise InputError(f"{path}: the field `{full}` holds a {type(inside[name]).__name__}, which cannot be right.")
    return inside[name]
