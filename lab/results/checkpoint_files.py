"""The last two states of work that goes on for long: where the newest is damaged, the one before it still stands."""

from collections.abc import Callable
from pathlib import Path

import xxhash

from lab.core.errors import FaultError
from lab.core.files import write_error, write_whole

KEPT = 2


class CheckpointFiles:
    """Numbered states `<name>.<number>` in a folder, each with a digest in front of its content."""

    def __init__(self, folder: Path, name: str) -> None:
        self._folder, self._name = folder, name

    def numbers(self) -> list[int]:
        """Those that are there, the newest first, whole or not."""
        present = self._folder.glob(f"{self._name}.*") if self._folder.is_dir() else ()
        return sorted((int(path.suffix[1:]) for path in present if path.suffix[1:].isdigit()), reverse=True)

    def write(self, number: int, content: bytes) -> None:
        """Keep a newer state, and let go of what is older than the one before it. Raises FaultError."""
        write_whole(self._path(number), xxhash.xxh3_128_digest(content) + content)
        self._remove(self.numbers()[KEPT:])

    def read(self, number: int) -> bytes:
        """A state, whole. Raises FaultError where it is damaged, or gone."""
        path = self._path(number)
        try:
            content = path.read_bytes()
        except OSError as error:
            raise FaultError(f"{path}: cannot be read ({error.strerror}).") from error
        if xxhash.xxh3_128_digest(content[16:]) != content[:16]:
            raise FaultError(f"{path}: is damaged.")
        return content[16:]

    def read_intact(self, damaged: Callable[[FaultError], None]) -> dict[int, bytes]:
        """All that are whole; each that is not is told of and removed, so that it counts for none of the two."""
        found = {}
        for number in self.numbers():
            try:
                found[number] = self.read(number)
            except FaultError as error:
                damaged(error)
                self._remove([number])
        return found

    def clear(self) -> None:
        """Remove all of them."""
        self._remove(self.numbers())

    def _remove(self, numbers: list[int]) -> None:
        for number in numbers:
            try:
                self._path(number).unlink(missing_ok=True)
            except OSError as error:
                raise write_error(self._path(number), error) from error

    def _path(self, number: int) -> Path:
        return self._folder / f"{self._name}.{number:06d}"
