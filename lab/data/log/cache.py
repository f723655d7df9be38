"""Histories on disk: built once, served memory-mapped, found by a hash of all that made them.

    <cache>/histories/<key>/   offsets.npy time.npy item.npy ...   the columns
                               items.parquet categories.parquet    names by code
                               users.parquet                       raw ids and attributes, here alone
                               quarantine.csv                      rows that broke the schema, and why
                               meta.json                           facts, and a hash of every file

The key hashes the source's content, the settings, and the definitions that turn the one into the other: not their
comments, docstrings and words of errors. A folder appears whole, by a rename; one whose hashes do not agree is built
anew.
"""

import fcntl
import io
import json
import os
import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from lab.core.code_used import code_used
from lab.core.digests import cache_root, content_digest, digest, file_digest, settings_digest
from lab.core.errors import FaultError, InputError
from lab.core.escape import terminal
from lab.core.files import make_folder, os_errors_as_faults, sync_folder, write_synced
from lab.core.source_files import tree_of
from lab.data.log.build import build
from lab.data.log.cleaning import Cleaning
from lab.data.log.encoding import BuiltLog
from lab.data.log.event_order import require_times
from lab.data.log.histories import Histories
from lab.data.schema import Behaviour
from lab.data.sources.base import Source
from lab.data.sources.lookup import Lookup
from lab.data.timeline import Timeline, folds

SPAN = ("first", "last", "timed")
"""Facts from which cutoffs follow; cleaning may leave no event at either end."""

LARGE = 1 << 26
"""Bytes (64 MiB) beyond which a file's hash is remembered: a smaller one is read in the blink of an eye."""


def print_to_stderr(line: str) -> None:
    print(terminal(line), file=sys.stderr)


def prepare_log(
    source: Source,
    cleaning: Cleaning | None = None,
    timeline: Timeline | None = None,
    horizons: tuple[float, ...] = (),
    cache: Path | None = None,
    say: Callable[[str], None] = print_to_stderr,
) -> Histories:
    """The cleaned histories of a source, from the cache or built into it.

    `horizons` are in days; with them, rules that need statistics are fitted up to the oldest fold's valid
    cutoff, and a log too short for them is an error; without them (to describe a log) on all of it.
    With the protocol leave_one_out they are fitted on all of it too.
    `cache` is the cache's root (default: $LAB_CACHE, or the user's cache folder); `say` is told in one
    line of a damaged cache or of another run that is waited for. Raises InputError, FaultError.
    """
    cleaning, timeline = cleaning or Cleaning(), timeline or Timeline()
    horizons = () if timeline.leaves_one_out else horizons
    root = cache_root(cache) / "histories"
    with os_errors_as_faults(root, "--cache", "opening the cache"):
        make_folder(root)
    try:
        key = cache_key(source, cleaning, timeline, horizons, cache)
    except OSError as error:
        raise InputError(f"{error.filename}: cannot be read ({error.strerror}).") from None
    folder = root / key
    with _locked(root, key, say):
        histories = load(folder, say, cache)
        if histories is None:
            write(build(source, cleaning, timeline, horizons), folder)
            histories = load(folder, say, cache)
    if histories is None:
        raise FaultError(f"{folder}: what was just written there reads back differently; the disk may be failing.")
    files = [file.name for file in source.paths()]
    # The same bytes elsewhere share a cache: the names are those of the files asked for now.
    histories = replace(histories, facts={**histories.facts, "files": files or histories.facts["files"]})
    if horizons:
        require_times(histories.facts)
        folds(timeline, horizons, *histories.span)
    return histories


def cache_key(
    source: Source, cleaning: Cleaning, timeline: Timeline, horizons: tuple[float, ...], cache: Path | None = None
) -> str:
    """Hash of all that the histories depend on; the horizons only where a rule is fitted by them."""
    fitted = [max(horizons), timeline.folds] if horizons and cleaning.has_fitted_rules else []
    settings = {"cleaning": asdict(cleaning), "end": timeline.end, "fitted": fitted}
    return digest([source.fingerprint(cache), settings_digest(settings), building_code_digest(source), pl.__version__])


def building_code_digest(source: Source) -> str:
    """Hash of the definitions that turn a source into histories."""
    return code_used(building_starts(source)).digest


def building_starts(source: Source) -> list[tuple[str, str]]:
    """Module and name of the definitions from which all others are found that turn a source into histories.

    Settings name no class that they hold, so that these are starts of their own. A source that is defined elsewhere
    than at the top of a file is known by its fingerprint alone.
    """
    parts = (Cleaning, Timeline, Lookup, build, write)
    cls = type(source)
    tree = tree_of(cls.__module__)
    own = [(cls.__module__, cls.__name__)] if tree is not None and cls.__qualname__ in tree.binds else []
    return [*own, *((one.__module__, one.__name__) for one in parts)]


def write(built: BuiltLog, folder: Path) -> None:
    """Write everything beside `folder`, then rename: it is there whole or not at all."""
    partial = folder.with_name(f".{folder.name}.partial")
    size = sum(array.nbytes for array in built.arrays.values())
    with os_errors_as_faults(folder.parent, "--cache", f"caching the histories ({size / 1e6:,.0f} MB and names)"):
        shutil.rmtree(partial, ignore_errors=True)
        shutil.rmtree(folder, ignore_errors=True)
        try:
            partial.mkdir()
            for name, array in built.arrays.items():
                _write_array(partial / f"{name}.npy", array)
            for name, frame in _tables(built).items():
                write_synced(partial / name, _table_bytes(frame, name))
            body = _meta(built, {file.name: content_digest(file) for file in sorted(partial.iterdir())})
            write_synced(partial / "meta.json", json.dumps({"digest": settings_digest(body), "body": body}).encode())
            sync_folder(partial)
            os.rename(partial, folder)
            sync_folder(folder.parent)
        finally:
            shutil.rmtree(partial, ignore_errors=True)


def load(folder: Path, say: Callable[[str], None], cache: Path | None = None) -> Histories | None:
    """The histories in a folder, every file's hash checked; None when there are none, or damaged ones.

    A large file is read for its hash once: then it is remembered, in `cache`, until the file changes.
    """
    if not folder.exists():
        return None
    body, damaged = _checked_meta(folder, cache)
    if damaged:
        say(f"cache: {folder / damaged} is damaged; building the histories anew.")
        return None
    arrays = {path.stem: np.load(path, mmap_mode="r", allow_pickle=False) for path in sorted(folder.glob("*.npy"))}
    items = pl.read_parquet(folder / "items.parquet", glob=False)
    categories = (
        pl.read_parquet(folder / "categories.parquet", glob=False) if (folder / "categories.parquet").exists() else None
    )
    facts = body["facts"]
    facts["quarantine"]["file"] = str(folder / "quarantine.csv")
    return Histories(
        **{name: arrays.get(name) for name in ("category", "price", "quantity")},
        **{name: arrays[name] for name in ("offsets", "time", "item", "behaviour")},
        item_names=items["name"].to_numpy(),
        category_names=None if categories is None else categories["name"].to_numpy(),
        item_text=items["text"].to_numpy() if "text" in items.columns else None,
        behaviours=tuple(Behaviour(name, sign) for name, sign in body["behaviours"]),
        fingerprint=body["fingerprint"],
        facts=facts,
        folder=folder,
    )


def _checked_meta(folder: Path, cache: Path | None) -> tuple[dict[str, Any], str]:
    """The meta data, and the name of the first damaged file ('' when all is well)."""
    try:
        whole = json.loads((folder / "meta.json").read_bytes())
        body = whole["body"]
        if settings_digest(body) != whole["digest"]:
            return {}, "meta.json"
    except (OSError, ValueError, KeyError, TypeError):
        return {}, "meta.json"
    for name, expected in body["files"].items():
        file = folder / name
        if not file.exists() or _hash(file, cache) != expected:
            return body, name
    return body, ""


def _hash(file: Path, cache: Path | None) -> str:
    return file_digest(file, cache) if file.stat().st_size > LARGE else content_digest(file)


def _meta(built: BuiltLog, files: dict[str, str]) -> dict[str, Any]:
    return {
        "files": files,
        "fingerprint": _fingerprint(built),
        "behaviours": [[behaviour.name, behaviour.sign] for behaviour in built.behaviours],
        "facts": built.facts,
    }


def _fingerprint(built: BuiltLog) -> str:
    """Hash of what a model may depend on: the columns, the names and the span, not who the users are."""
    parts: list[bytes | str] = [json.dumps([built.facts.get(name) for name in SPAN])]
    for name in sorted(built.arrays):
        parts += [
            name,
            str(built.arrays[name].dtype),
            np.ascontiguousarray(built.arrays[name]).data.cast("B").tobytes(),
        ]
    for frame in (built.items, built.categories):
        for column in frame.get_columns() if frame is not None else []:
            parts += [column.name, json.dumps(column.to_list())]
    return digest([*parts, json.dumps([[b.name, b.sign] for b in built.behaviours])])


def _tables(built: BuiltLog) -> dict[str, pl.DataFrame]:
    tables = {"items.parquet": built.items, "users.parquet": built.users, "quarantine.csv": built.quarantine}
    return tables if built.categories is None else {**tables, "categories.parquet": built.categories}


def _table_bytes(frame: pl.DataFrame, name: str) -> bytes:
    stream = io.BytesIO()
    frame.write_csv(stream) if name.endswith(".csv") else frame.write_parquet(stream)
    return stream.getvalue()


def _write_array(path: Path, array: np.ndarray) -> None:
    array, start = np.ascontiguousarray(array), io.BytesIO()
    np.lib.format.write_array_header_1_0(start, np.lib.format.header_data_from_array_1_0(array))
    write_synced(path, start.getvalue(), array.data.cast("B"))


@contextmanager
def _locked(root: Path, key: str, say: Callable[[str], None]) -> Iterator[None]:
    """Hold a key's lock, so that of two runs one builds and the other is served; a dead run's lock is free."""
    with os_errors_as_faults(root, "--cache", "opening the cache"):
        lock = open(root / f".{key}.lock", "w")  # noqa: SIM115
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say("cache: another run is preparing this log; waiting for it.")
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield
