"""Files that are either the old ones or the new ones, whole, whatever happens in between."""

import errno
import json
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from lab.core.errors import FaultError

_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
FORBIDDEN = (errno.EROFS, errno.EACCES, errno.EPERM)

BLOCK = 1 << 24
"""Bytes written at once."""


def write_whole(path: Path, content: bytes, flag: str = "--out") -> None:
    """Write a file so that no reader and no crash ever sees half of it: temporary file, fsync, rename.

    `flag` is what names another folder on the command line; empty where nothing does. Raises FaultError, in one
    sentence, where the disk is full or the folder may not be written to.
    """
    # Two hosts that share the folder may give two processes one number.
    partial = path.with_name(f".{path.name}.{os.getpid()}.{secrets.token_hex(4)}.partial")
    try:
        make_folder(path.parent)
        write_synced(partial, content)
        partial.replace(path)
        sync_folder(path.parent)
    except OSError as error:
        raise write_error(path, error, flag) from error
    finally:
        if os.path.exists(partial):
            partial.unlink()


def write_synced(path: Path, *contents: bytes | memoryview) -> None:
    """Write contents end to end, durable when this returns. Raises OSError.

    Never through a memory map: on a full disk that kills the process.
    """
    with path.open("wb") as file:
        for content in contents:
            whole = memoryview(content)
            for start in range(0, len(whole), BLOCK):
                file.write(whole[start : start + BLOCK])
        file.flush()
        os.fsync(file.fileno())


def make_folder(path: Path) -> None:
    """Create a folder and those above it, each durable before anything is put into it."""
    if not path.is_dir():
        make_folder(path.parent)
        path.mkdir(exist_ok=True)
        sync_folder(path.parent)


def sync_folder(path: Path) -> None:
    """Make durable which files a folder holds."""
    folder = os.open(path, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def write_error(path: Path | str, error: OSError, flag: str = "--out", doing: str = "") -> FaultError:
    """What to tell a person whose file could not be written, and while doing what, where the file does not say it.

    `flag` is empty where the command can name no other folder.
    """
    in_the_way = next((one for one in Path(path).parents if os.path.isfile(one)), None)
    if in_the_way is not None:
        why, cure = f"cannot be written ({in_the_way} is a file, no folder)", "Move that file away"
    elif error.errno in _FULL:
        why, cure = "the disk is full or its quota used up", "Make room"
    elif error.errno in FORBIDDEN:
        why, cure = "the folder may not be written to", "Change its permissions"
    else:
        why, cure = f"cannot be written ({error.strerror or error})", "Mend that"
    when = f" while {doing}" if doing else ""
    other = f", or name another folder with {flag}" if flag else ""
    return FaultError(
        f"{path}: {why}{when}; what was finished before is kept. {cure} and run the same command again{other}."
    )


@contextmanager
def os_errors_as_faults(place: Path, flag: str, doing: str) -> Iterator[None]:
    """What the machine refuses of a piece of work, as one sentence; `place` is named where the error names no file."""
    try:
        yield
    except OSError as error:
        raise write_error(error.filename or place, error, flag, doing) from None


def canonical_json(value: Any) -> bytes:
    """One text for one value: sorted keys, floats that read back to the same bits, NaN as null.

    Raises ValueError for an infinity and TypeError for what JSON has no word for.
    """
    text = json.dumps(_json_value(value), sort_keys=True, ensure_ascii=False, allow_nan=False, indent=1)
    return text.encode() + b"\n"


def _json_value(value: Any) -> Any:
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, dict):
        return {name: _json_value(one) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [_json_value(one) for one in value]
    return None if isinstance(value, float) and value != value else value
