"""A copy of the tree in which tests are run, as it is and with a fault in it."""

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import cache_from_source
from pathlib import Path
from typing import Any, Literal
from xml.etree import ElementTree

from benchmarks.shared.mutants.mutant import Mutant
from lab.core.errors import FaultError

LIMIT = 900.0
"""Seconds after which the tests of a mutant are ended: it has made them wait for ever."""

SHOWN = 10
"""Lines that are shown of what pytest printed where it could not begin."""

NOT_CODE = ("NameError", "UnboundLocalError", "SyntaxError", "ImportError", "ModuleNotFoundError")
"""What a change that is no working code raises: a test that ends in it has noticed nothing."""

Kind = Literal["killed", "SURVIVED", "error"]


@dataclass(frozen=True)
class Ran:
    """What became of some tests."""

    code: int | None
    """pytest's exit code; None where it was ended at the limit."""
    passed: tuple[str, ...]
    """Names such as `tests.data.test_steps::test_x[1]`."""
    failed: dict[str, str]
    """Name -> what it said, of those that began and failed."""
    broken: dict[str, str]
    """The same of what could not even begin: files, and tests whose preparation failed."""
    printed: str
    """The end of what pytest printed."""
    seconds: float


@dataclass(frozen=True)
class Outcome:
    """What became of a mutant."""

    kind: Kind
    said: str
    """Which test noticed it, or what went wrong."""
    seconds: float


def copy_tree(root: Path, folder: Path) -> None:
    """Copy the files that git tracks, as they are now. Raises FaultError where git does not know the folder."""
    command = ["git", "-C", str(root), "ls-files", "-z"]
    try:
        done = subprocess.run(command, capture_output=True, check=True, text=True)
    except (OSError, subprocess.CalledProcessError) as error:
        raise FaultError(f"{root}: git cannot list its files ({error}); run this in a git checkout.") from None
    for name in filter(None, done.stdout.split("\0")):
        if (root / name).is_file():  # one that is deleted is still tracked
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(root / name, folder / name)


class Bench:
    """One copy of the tree, with compiled programs of its own that all of its tests share."""

    def __init__(self, root: Path, folder: Path) -> None:
        self._tree, self._programs, self._report = folder / "tree", folder / "programs", folder / "report.xml"
        copy_tree(root, self._tree)

    def unchanged(self, tests: Sequence[str]) -> Ran:
        """Run tests on the code as it is. Raises FaultError where pytest could not even begin."""
        ran = self._run(tests)
        if ran.code not in (0, 1) and not ran.broken:
            raise FaultError(f"pytest left with code {ran.code} before a mutant was tried:\n{ran.printed}")
        return ran

    def _run(self, tests: Sequence[str], *options: str, limit: float | None = None) -> Ran:
        """Run tests in a process of their own, on the code of the copy."""
        self._report.unlink(missing_ok=True)
        quiet = ("-q", "-n", "0", "-p", "no:cacheprovider", f"--junitxml={self._report}")
        command = [sys.executable, "-m", "pytest", *quiet, *options, *tests]
        begun = time.monotonic()
        code, printed = _code(command, self._tree, self._environment(), limit)
        passed, failed, broken = read_report(self._report)
        return Ran(code, passed, failed, broken, printed, time.monotonic() - begun)

    def judge(self, mutant: Mutant) -> Outcome:
        """Run the mutant's tests with its fault in the copy, which is then as before."""
        with self._fault(mutant):
            ran = self._run(mutant.tests, "-x", limit=LIMIT)
        return Outcome(*verdict(ran), ran.seconds)

    @contextmanager
    def _fault(self, mutant: Mutant) -> Iterator[None]:
        path = self._tree / mutant.file
        before, after = path.read_text(), mutant.changed(self._tree)
        try:
            self._write(path, after)
            yield
        finally:
            self._write(path, before)

    def _write(self, path: Path, text: str) -> None:
        path.write_text(text)
        # Python takes bytecode for that of a file of the same length and second, which another mutant may be.
        Path(cache_from_source(str(path))).unlink(missing_ok=True)

    def _environment(self) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
        return kept | {
            "PYTHONPATH": str(self._tree),
            "JAX_COMPILATION_CACHE_DIR": str(self._programs),
            "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0.2",
            "LAB_TEST_PROFILE": "first failure",
        }


def _code(
    command: Sequence[str], folder: Path, environment: dict[str, str], limit: float | None
) -> tuple[int | None, str]:
    """The exit code, and the end of what was printed."""
    pipes: dict[str, Any] = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
    try:
        done = subprocess.run(command, cwd=folder, env=environment, text=True, timeout=limit, **pipes)
    except subprocess.TimeoutExpired:
        return None, ""
    return done.returncode, "\n".join(done.stdout.splitlines()[-SHOWN:])


def read_report(path: Path) -> tuple[tuple[str, ...], dict[str, str], dict[str, str]]:
    """From pytest's report in XML: the tests that passed, that failed, and that could not begin."""
    passed: list[str] = []
    failed: dict[str, str] = {}
    broken: dict[str, str] = {}
    for case in ElementTree.parse(path).iter("testcase") if path.is_file() else ():
        name = f"{case.get('classname')}::{case.get('name')}".removeprefix("::")
        said = {found.tag: _first_line(found) for found in case}
        if "failure" in said:
            failed[name] = said["failure"]
        elif "error" in said:
            broken[name] = said["error"]
        elif "skipped" not in said:
            passed.append(name)
    return tuple(passed), failed, broken


def _first_line(found: ElementTree.Element) -> str:
    return ((found.get("message") or found.text or "").strip().splitlines() or [""])[0]


def verdict(ran: Ran) -> tuple[Kind, str]:
    """Killed where a test that had passed ran and failed by what it found; survived where all passed again."""
    if ran.code is None:
        return "error", f"the tests had not ended after {LIMIT:.0f} s"
    if ran.code == 0:
        return "SURVIVED", ""
    for name, said in ran.failed.items():
        if said.startswith(NOT_CODE):
            return "error", f"the change is no working code: {said}"
        return "killed", name
    name, said = next(iter(ran.broken.items()), ("pytest", f"left with code {ran.code}"))
    return "error", f"{name} could not begin: {said}"


def unproven(mutant: Mutant, unchanged: Sequence[Ran]) -> str:
    """Why the mutant's tests could prove nothing, as they went without it; empty where they all passed."""
    for name, said in (pair for ran in unchanged for pair in (ran.failed | ran.broken).items()):
        if any(_is_of(name, test) for test in mutant.tests):
            return f"{name} fails without the mutant: {said}"
    passed = [name for ran in unchanged for name in ran.passed]
    lacking = [test for test in mutant.tests if not any(_is_of(name, test) for name in passed)]
    return f"{lacking[0]} did not run without the mutant" if lacking else ""


def _is_of(name: str, test: str) -> bool:
    """Whether a name of the report is of what pytest was asked to run: a folder, a file, a test or its cases."""
    file, _, inner = test.partition("::")
    wanted = file.removesuffix(".py").strip("/").replace("/", ".") + (f"::{inner}" if inner else "")
    return name == wanted or name.startswith(tuple(wanted + end for end in ("[", ".", "::")))


def parts_of_tests(mutants: Iterable[Mutant], count: int) -> list[list[str]]:
    """The tests of all mutants, each once, in so many parts or fewer; those of a file stay together."""
    files: dict[str, list[str]] = {}
    for test in dict.fromkeys(test for mutant in mutants for test in mutant.tests):
        files.setdefault(test.partition("::")[0], []).append(test)
    each = [[test for tests in list(files.values())[part::count] for test in tests] for part in range(count)]
    return [tests for tests in each if tests]
