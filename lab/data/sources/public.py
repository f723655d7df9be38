"""What public data sets share: a page to get them from, a folder to put them in, a Table to read them."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import polars as pl

from lab.core.digests import digest
from lab.core.errors import InputError
from lab.data.sources.base import Scan, Source
from lab.data.sources.damage import ReadError
from lab.data.sources.download import Download, fetch
from lab.data.sources.table import Table


def only(behaviour: str) -> dict[str, Any]:
    """The settings of a Table whose rows are all of one behaviour."""
    return {
        "behaviour": "behaviour",
        "behaviours": {behaviour: behaviour},
        "derive": {"behaviour": pl.lit(behaviour)},
    }


@dataclass(frozen=True, kw_only=True)
class PublicLog(Source):
    """A public data set; a subclass names its files and maps its columns."""

    path: str = "data"
    """The folder (or the file itself) where you put it."""

    def names(self) -> tuple[tuple[str, ...], ...]:
        """Its files, those of the events first: for each the names under which it is found, in this order."""
        raise TypeError(f"{type(self).__name__} does not define names()")

    def table(self) -> Table:
        """The mapping of its columns."""
        raise TypeError(f"{type(self).__name__} does not define table()")

    def scan(self) -> Scan:
        """Raises InputError naming the page to get the files from when they are not there, or are others."""
        with self._own_words():
            table = self.table()
            scan = table.scan()
        cure = f"see {self.homepage} for the files as they are published"
        explain = scan.explain
        return replace(
            scan,
            faults=tuple(replace(fault, cure=cure) for fault in scan.faults),
            facts={**scan.facts, "licence": self.licence, "citation": self.citation},
            explain=None if explain is None else lambda error: self._of_the_file(explain(error)),
        )

    def fingerprint(self, cache: Path | None = None) -> str:
        with self._own_words():
            return digest([self.name, self.table().fingerprint(cache)])

    def paths(self) -> tuple[Path, ...]:
        return self.table().paths()

    @property
    def folder(self) -> Path:
        """Where its files lie."""
        place = Path(self.path).expanduser()
        return place.parent if place.is_file() else place

    def place(self, file: int = 0) -> str:
        """Where a file of `names` is; of the events', the path itself when that is a file. Raises InputError."""
        found = self.find(file)
        if found is None:
            wanted = self.names()[file][0]
            raise InputError(
                f"{self.folder}: holds no {wanted}; {self.how_to_get()}, or say where it is with --source.path."
            )
        return found

    def find(self, file: int = 0) -> str | None:
        """`place`, or None where it is not."""
        if file == 0 and Path(self.path).expanduser().is_file():
            return str(Path(self.path).expanduser())
        return next((str(self.folder / name) for name in self.names()[file] if (self.folder / name).is_file()), None)

    def is_complete(self) -> bool:
        """Whether all of its files are."""
        return all(self.find(file) is not None for file in range(len(self.names())))

    def how_to_get(self) -> str:
        """What to do about files that are not there."""
        return f"get it from {self.homepage} (licence: {self.licence}), put it there"

    @contextmanager
    def _own_words(self) -> Iterator[None]:
        """Speak of the file and never of settings of Table, which are not this source's."""
        try:
            yield
        except ReadError as error:
            raise self._of_the_file(error) from None

    def _of_the_file(self, error: InputError) -> InputError:
        if not isinstance(error, ReadError):
            return error
        return InputError(f"{error.found}; that is not {self.name} as published: see {self.homepage}.")


@dataclass(frozen=True, kw_only=True)
class OpenLog(PublicLog):
    """A public data set whose publisher gives its files without a login."""

    download: bool = False
    """Fetch what the folder lacks, once, from its publisher (licence and address: `python -m lab.data --list`)."""

    def downloads(self) -> tuple[Download, ...]:
        """What is fetched, for these settings."""
        raise TypeError(f"{type(self).__name__} does not define downloads()")

    def find(self, file: int = 0) -> str | None:
        if self.download and not Path(self.path).expanduser().is_file():
            for download in self.downloads():
                if download.needed(self.folder):
                    fetch(download, self.folder, str(self.homepage))
        return super().find(file)

    def how_to_get(self) -> str:
        return f"fetch it with --source.download or get it from {self.homepage} (licence: {self.licence}), put it there"
