"""The tables of a results folder as files: their digests are in tables.json, and none is read that was edited.

The CSV files themselves stay plain, for whatever else reads them. tables.json carries a digest of its own.
"""

import hashlib
import json
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path

from lab.core.errors import InputError
from lab.core.files import write_whole
from lab.core.sealed import is_intact, read_json, seal

CELLS, SUMMARY, COMPARISONS = "cells.csv", "summary.csv", "comparisons.csv"
"""The tables that figures and pages are made from."""

DIGESTS = "tables.json"
"""The file of their digests."""

NO_DIGESTS = (
    f"{DIGESTS} is not in this folder, as in those of older versions: whether {CELLS}, {SUMMARY} and {COMPARISONS} are "
    "as the run wrote them cannot be checked."
)
"""What is said of a folder without it."""

VERSION = 1

Digests = Mapping[str, Sequence[str]]
"""Table -> the sha256 (hex) that it may have; several only while it is written anew."""


def write_table_files(root: Path, tables: Mapping[str, bytes], flag: str = "--out") -> None:
    """Write some tables, each whole, so that a kill in between leaves none that is refused.

    `flag` is what names another folder on the command line. Raises FaultError where the disk refuses.
    """
    kept, new = _known_digests(root), {name: _digest(content) for name, content in tables.items()}
    either = dict(kept) | {name: [*dict.fromkeys([*kept.get(name, ()), digest])] for name, digest in new.items()}
    _write(root, either, flag)
    for name, content in tables.items():
        write_whole(root / name, content, flag)
    # Of two processes that write at once, one writes last, and the other keeps what either of them wrote.
    mine = {name: [digest] for name, digest in new.items() if _digest((root / name).read_bytes()) == digest}
    _write(root, either | mine, flag)


def read_table_file(root: Path, name: str) -> str:
    """The text of a table; empty where there is none. Raises InputError where it is not as it was written."""
    path = root / name
    if not path.is_file():
        return ""
    content = path.read_bytes()
    if has_digests(root) and _digest(content) not in read_digests(root).get(name, ()):
        again = shlex.join(("git", "checkout", "--", str(path)))
        raise InputError(
            f"{path}: is damaged or was edited: its sha256 is not the one in {DIGESTS}. Get it anew from where it came "
            f"from (in git: {again}), or run the experiment again, which makes the tables from its "
            "cells; for a table of your own, edit a copy elsewhere."
        )
    try:
        return content.decode()
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: is damaged ({error}); get it anew from where it came from.") from None


def has_digests(root: Path) -> bool:
    return (root / DIGESTS).is_file()


def read_digests(root: Path) -> Digests:
    """What the tables may be. Raises InputError for a file that is damaged or was edited."""
    path = root / DIGESTS
    try:
        content = read_json(path.read_bytes())
        if not isinstance(content, dict) or not is_intact(content) or content.get("version") != VERSION:
            raise ValueError("what it holds does not give its digest")
        return content["sha256"]
    except (OSError, ValueError, KeyError) as error:
        raise InputError(
            f"{path}: is damaged or was edited ({error}). Get it anew from where it came from, or run the experiment "
            "again, which makes the tables from its cells."
        ) from None


def _known_digests(root: Path) -> Digests:
    """What is known of the tables that are there; nothing of a damaged file, which is about to be replaced."""
    try:
        return read_digests(root) if has_digests(root) else {}
    except InputError:
        return {}


def _write(root: Path, digests: Digests, flag: str) -> None:
    content = seal({"version": VERSION, "sha256": {name: list(digests[name]) for name in sorted(digests)}})
    write_whole(root / DIGESTS, json.dumps(content, indent=1).encode() + b"\n", flag)


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
