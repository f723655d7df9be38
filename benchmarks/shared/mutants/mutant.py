"""One fault: which claim it breaks, what it changes, and which tests should fail with it."""

from dataclasses import dataclass
from pathlib import Path

from lab.core.errors import InputError


@dataclass(frozen=True, kw_only=True)
class Mutant:
    """A change of one place in one file that makes a claim false."""

    name: str
    """Short, and no other mutant's."""
    claim: str
    """What is true without it, as a sentence."""
    file: str
    """From the root of the repository."""
    text: str
    """What is replaced; it must stand in the file exactly once."""
    becomes: str
    tests: tuple[str, ...]
    """What pytest is asked to run, such as `tests/data/test_steps.py::test_x`: as few as prove the claim."""

    def changed(self, root: Path) -> str:
        """The file's text with the fault in it. Raises InputError where there is no such place, or several."""
        path = root / self.file
        if not path.is_file():
            raise InputError(f"mutant {self.name}: there is no file {self.file}; name the one that has the code now.")
        content = path.read_text()
        found = content.count(self.text)
        if found != 1:
            raise InputError(
                f"mutant {self.name}: {self.text!r} is {found} times in {self.file}; it must be there exactly once. "
                f"Write the text as the code has it now."
            )
        return content.replace(self.text, self.becomes)
