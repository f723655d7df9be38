"""The folder that the results of an experiment go into, and whether they can go there."""

import os
from pathlib import Path

from lab.core.errors import FaultError, InputError
from lab.core.escape import printable
from lab.core.files import FORBIDDEN, write_error, write_whole

NAME_MAX, PATH_MAX = 255, 4096
"""Bytes of a file's name and of a path on Linux; macOS has 255 and 1024, and says so when a file is written."""
BELOW = 400
"""Bytes that the path of a cell's file has behind that of its results folder, at most."""


class ResultsFolder:
    """A folder for results, which need not be there yet."""

    def __init__(self, root: Path) -> None:
        self.root = Path(root)

    def check_writable(self) -> None:
        """Raise InputError now, not after the first cell, where a file is in the way or none may be put there.

        FaultError where the disk is full. Leaves nothing behind, nor the folder itself.
        """
        self.refuse_links()
        places = (self.root, *self.root.parents)
        self.check_length()
        for path in places:
            if path.is_file():
                raise InputError(f"--out: {path} is a file; name a folder for the results.")
        probe = next(path for path in places if path.is_dir()) / ".writable"
        try:
            write_whole(probe, b"")
        except FaultError as error:
            cause = error.__cause__
            if isinstance(cause, OSError) and cause.errno in FORBIDDEN:
                raise InputError(f"--out: {self.root} may not be written to; name another folder.") from None
            # What was tried to be written is no name that anybody gave.
            raise write_error(self.root, cause) if isinstance(cause, OSError) else error from None
        probe.unlink(missing_ok=True)  # another process may have probed at the same time

    def refuse_links(self) -> None:
        """Raise InputError where a folder in here is a symbolic link: what is written there would be another folder's.

        The results folder itself may be one.
        """
        inside = (entry for place in (self.root, self.root / "cells") for entry in _entries(place))
        for entry in inside:
            if entry.is_symlink() and entry.is_dir():
                raise InputError(
                    f"{entry.path}: is a link to {os.path.realpath(entry.path)}, which would be written to. Put a "
                    "folder in its place; the whole results folder may be a link, or name another with --out."
                )

    def check_length(self) -> None:
        """Raise InputError where a cell's files would have a path, or a part of it, too long for the file system."""
        path = self.root.absolute()
        longest = max((len(os.fsencode(part)) for part in path.parts), default=0)
        if longest > NAME_MAX or len(os.fsencode(path)) + BELOW > PATH_MAX:
            shown = printable(str(self.root))
            shown = shown if len(shown) <= 60 else f"{shown[:60]}..."
            raise InputError(
                f"--out: {shown} is too long for the file system: use at most {NAME_MAX} letters for a folder's name "
                f"and {PATH_MAX - BELOW:,} for the path."
            )


def _entries(folder: Path) -> list[os.DirEntry[str]]:
    return sorted(os.scandir(folder), key=lambda entry: entry.name) if folder.is_dir() else []
