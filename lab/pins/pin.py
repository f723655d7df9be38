"""The pin: one file from which others check and reproduce a run. docs/pin.md says what each field means."""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from lab.core.errors import InputError
from lab.core.words import plural
from lab.data.log.histories import Histories
from lab.data.sources.base import Source
from lab.data.timeline import Fold
from lab.experiment.cell_record import CellRecord, to_json
from lab.experiment.experiment import Experiment
from lab.experiment.fingerprints import digest
from lab.experiment.settings import settings_of
from lab.pins.environment import describe_code, describe_machine, peak_memory, without_paths
from lab.pins.pin_file import FORMAT as FORMAT
from lab.pins.pin_file import VERSION as VERSION
from lab.pins.pin_file import measures_of as measures_of
from lab.pins.pin_file import number_of
from lab.pins.pin_file import read_pin as read_pin
from lab.pins.pin_file import write_pin as write_pin
from lab.results.store import Store

STREAMS = (
    "version 2: a cell draws from fold_in(key(seed), hash of the part's name) of jax.random, and the order of its rows "
    "from numpy's SeedSequence([seed, 'order', epoch]); baselines and the oracle draw nothing"
)
"""How randomness follows from a seed, in words; a change of it is a change of VERSION."""


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
        "metrics": {"target": experiment.target.name, "measures": experiment.target.measures().to_json()},
        "code": describe_code() | {"modules": {one.fingerprints["code"]: dict(one.modules) for one in cells}},
        "machine": describe_machine(),
        "run": {"seconds": round(seconds, 3), "peak_memory_bytes": peak_memory()},
        "cells": [pinned_cell(store, cell) for cell in cells],
    }


def metrics_of(cell: Mapping[str, Any]) -> dict[tuple[str, str, str], float]:
    """A pinned cell's numbers by (split, slice, metric)."""
    return {(s, k, m): number_of(v) for s, k, m, v in cell["metrics"]}


def files_of(source: Source) -> list[dict[str, Any]]:
    """Name, bytes and sha256 of each file behind a source."""
    return [{"name": p.name, "bytes": p.stat().st_size, "sha256": _sha256(p)} for p in source.paths()]


def check_files(source: Source, pin: Mapping[str, Any]) -> None:
    """Raise InputError where the files of a source are not there, or are not those that a pin is of."""
    here, pinned = files_of(source), pin["data"]["files"]
    if len(here) != len(pinned):
        raise InputError(f"source: {plural(len(here), 'file')} here, and the pin is of {len(pinned)}.")
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
    return {name: said[name] for name in (*names, "config", "fingerprints") if name in said} | {
        "reason": without_paths(record.reason),
        "parameters": record.parameters,
        "devices": record.devices,
        "metrics": said["metrics"],
        "digests": {} if record.status == "missing" else store.digests(record.id),
        "timing": said["timing"],
    }


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
