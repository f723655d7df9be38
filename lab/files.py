"""Files that are either the old ones or the new ones, whole, whatever happens in between."""

import errno
import json
import os
from pathlib import Path
from typing import Any

import numpy as np

from lab.errors import FaultError

_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_FORBIDDEN = (errno.EROFS, errno.EACCES, errno.EPERM)


def write_whole(path: Path, content: bytes) -> None:
    """Write a file so that no reader and no crash ever sees half of it: temporary file, fsync, rename.

    Raises FaultError, in one sentence, where the disk is full or the folder may not be written to.
    """
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        make_folder(path.parent)
        with partial.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
        _sync_folder(path.parent)
    except OSError as error:
        raise unwritable(path, error) from error
    finally:
        if os.path.exists(partial):
            partial.unlink()


def make_folder(path: Path) -> None:
    """Create a folder and those above it, each durable before anything is put into it."""
    if not path.is_dir():
        make_folder(path.parent)
        path.mkdir(exist_ok=True)
        _sync_folder(path.parent)


def unwritable(path: Path, error: OSError) -> FaultError:
    """What to tell a person whose file could not be written."""
    if error.errno in _FULL:
        return FaultError(
            f"{path}: the disk is full or its quota used up; what was finished before is kept. "
            "Make room and run the same command again."
        )
    if error.errno in _FORBIDDEN:
        return FaultError(
            f"{path}: the folder may not be written to; what was finished before is kept. "
            "Change its permissions or name another folder with --out."
        )
    return FaultError(f"{path}: cannot be written ({error.strerror}); what was finished before is kept.")


def canonical_json(value: Any) -> bytes:
    """One text for one value: sorted keys, floats that read back to the same bits, NaN as null.

    Raises ValueError for an infinity and TypeError for what JSON has no word for.
    """
    text = json.dumps(_plain(value), sort_keys=True, ensure_ascii=False, allow_nan=False, indent=1)
    return text.encode() + b"\n"


def _plain(value: Any) -> Any:
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, dict):
        return {name: _plain(one) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    return None if isinstance(value, float) and value != value else value


def _sync_folder(path: Path) -> None:
    folder = os.open(path, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
