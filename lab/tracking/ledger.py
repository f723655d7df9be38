"""Which cells of a results folder W&B was given, whole, so that a later run gives it the others.

results/<experiment>/wandb/mirrored     a line for each: the id of its run, and a digest of what was mirrored,
                                        or `begun` for a run that the server may have a part of;
                                        and one for a group that was given a workspace
"""

import hashlib
from pathlib import Path

from lab.core.files import make_folder
from lab.results.cell_files import RECORD
from lab.results.store import Store

SUMMARY = ".summary"
"""Stands for the experiment's tables where a cell is named; no cell can have this name."""

TABLES = ("summary", "comparisons", "cells")


class Ledger:
    """The runs of one group, by the names of their cells. Raises OSError where its file cannot be read or written."""

    def __init__(self, root: Path, group: str) -> None:
        self._store, self._group, self._path = Store(root), group, root / "wandb" / "mirrored"
        self._known: set[str] = set()

    def lacks(self, name: str) -> bool:
        """Whether a cell, or the tables, were never mirrored as they are now."""
        return not self._has(self._line(name))

    def note(self, name: str) -> None:
        """Remember a cell or the tables as mirrored."""
        self._add(self._line(name))

    def began(self, name: str) -> bool:
        """Whether the server may have some of its run: it was begun online, or a copy kept offline was sent."""
        identity = run_id(self._group, name)
        sent = self._path.parent.glob(f"offline-run-*-{identity}/*.synced")
        return self._has(f"{identity} begun") or any(sent)

    def begin(self, name: str) -> None:
        """Remember that a run was begun online, before anything is sent of it."""
        if not self.began(name):
            self._add(f"{run_id(self._group, name)} begun")

    def has_workspace(self) -> bool:
        """Whether the group was given a workspace."""
        return self._has(f"{self._group} workspace")

    def note_workspace(self) -> None:
        """Remember that it was."""
        self._add(f"{self._group} workspace")

    def _has(self, line: str) -> bool:
        if line not in self._known and self._path.exists():
            self._known = set(self._path.read_text(errors="replace").splitlines())
        return line in self._known

    def _add(self, line: str) -> None:
        make_folder(self._path.parent)
        with self._path.open("ab", buffering=0) as file:  # several may write: each line goes out in one piece
            file.write(f"{line}\n".encode())

    def _line(self, name: str) -> str:
        content = hashlib.sha256()
        for path in self._files(name):
            content.update(path.read_bytes())
        return f"{run_id(self._group, name)} {content.hexdigest()[:32]}"

    def _files(self, name: str) -> list[Path]:
        if name != SUMMARY:
            return [self._store.folder(name) / RECORD]  # holds a digest of every other file of the cell
        root = self._store.root
        tables = [root / f"{table}.csv" for table in TABLES]
        return [path for path in tables if path.exists()] + figures(root)


def figures(root: Path) -> list[Path]:
    """The experiment's figures, where its report has been written."""
    return sorted((root / "figures").glob("*.png"))


def run_id(group: str, cell: str) -> str:
    """The id of a cell's run, the same whenever it is mirrored."""
    return hashlib.sha256(f"{group}/{cell}".encode()).hexdigest()[:16]
