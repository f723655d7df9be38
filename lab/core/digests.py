"""Hashes of content, and a memory of them so that a large file is read once."""

import json
import os
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import xxhash

from lab.core.files import write_whole

SETTLED = 2_000_000_000
"""Nanoseconds for which a file must have lain unchanged before its hash is remembered: its clock may be coarse."""


def cache_root(cache: Path | None = None) -> Path:
    """Where derived data is kept: as stated, or $LAB_CACHE, or the user's cache folder."""
    if cache is not None:
        return Path(cache).expanduser()
    if os.environ.get("LAB_CACHE"):
        return Path(os.environ["LAB_CACHE"]).expanduser()
    from platformdirs import user_cache_path

    return user_cache_path("lab")


def digest(parts: Iterable[bytes | str]) -> str:
    """One hash of several pieces; where one ends and the next begins counts."""
    state = xxhash.xxh3_128()
    for part in parts:
        raw = part.encode() if isinstance(part, str) else part
        state.update(len(raw).to_bytes(8, "little"))
        state.update(raw)
    return state.hexdigest()


def settings_digest(settings: Any) -> str:
    """Hash of JSON-able settings, whatever the order of their keys."""
    return digest([json.dumps(settings, sort_keys=True, allow_nan=False)])


def content_digest(path: Path) -> str:
    """Hash of a file's bytes."""
    state = xxhash.xxh3_128()
    with open(path, "rb") as stream:
        while block := stream.read(1 << 22):
            state.update(block)
    return state.hexdigest()


def file_digest(path: Path, cache: Path | None = None) -> str:
    """Hash of a file's bytes, remembered by its path, size and times of change."""
    path = path.resolve()
    facts = path.stat()
    seen = [str(path), facts.st_size, facts.st_mtime_ns, facts.st_ctime_ns]
    note = cache_root(cache) / "digests" / f"{digest([str(path)])}.json"
    remembered = _read_note(note)
    if remembered is not None and remembered[:-1] == seen:
        return remembered[-1]
    found = content_digest(path)
    if time.time_ns() - facts.st_mtime_ns > SETTLED:
        write_whole(note, json.dumps([*seen, found]).encode(), "--cache")
    return found


def _read_note(note: Path) -> list[Any] | None:
    """A note that cannot be read is no note: the file is hashed anew."""
    try:
        entry = json.loads(note.read_text())
    except (OSError, ValueError):
        return None
    return entry if isinstance(entry, list) and len(entry) == 5 else None
