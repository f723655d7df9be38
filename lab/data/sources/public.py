"""What public data sets share: a page to get them from, a folder to put them in, a Table to read them."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar

from lab.data.digests import digest
from lab.data.sources.base import Scan, Source
from lab.data.sources.table import Table
from lab.errors import InputError


@dataclass(frozen=True, kw_only=True)
class PublicLog(Source):
    """A public data set; a subclass names its files and maps its columns."""

    files: ClassVar[tuple[str, ...]]
    """Names under which its events are found in a folder, the first that is there."""

    path: str = "data"
    """The folder (or the file itself) where you put it."""

    def table(self) -> Table:
        """The mapping of its columns."""
        raise TypeError(f"{type(self).__name__} does not define table()")

    def scan(self) -> Scan:
        """Raises InputError naming the page to get the files from when they are not there."""
        scan = self.table().scan()
        return replace(scan, facts={**scan.facts, "licence": self.licence, "citation": self.citation})

    def fingerprint(self, cache: Path | None = None) -> str:
        return digest([self.name, self.table().fingerprint(cache)])

    def paths(self) -> tuple[Path, ...]:
        return self.table().paths()

    def place(self, names: tuple[str, ...] | None = None) -> str:
        """The file under the path that has one of these names."""
        folder = Path(self.path).expanduser()
        if folder.is_file() and names is None:
            return str(folder)
        if folder.is_file():
            folder = folder.parent
        for name in names or self.files:
            if (folder / name).is_file():
                return str(folder / name)
        raise InputError(
            f"{folder}: holds no {(names or self.files)[0]}; get it from {self.homepage} (licence: {self.licence}), "
            f"put it there, or say where it is with --source.path."
        )
