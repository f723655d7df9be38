"""The command that breaks claims one by one: what counts as noticed, and whether its list still fits the code."""

import ast
import re
import subprocess
from dataclasses import replace
from functools import cache
from pathlib import Path

import pytest

from benchmarks.mutants import chosen, try_out
from benchmarks.shared.mutants import MUTANTS
from benchmarks.shared.mutants.mutant import Mutant
from lab.core.errors import FaultError, InputError

ROOT = Path(__file__).resolve().parents[2]

CODE = """\
def known(time: int, cutoff: int) -> bool:
    return time <= cutoff


def last(times: list[int]) -> int:
    return max(times, default=0)
"""

CHECKS = """\
import pytest

from shop import known, last


@pytest.mark.parametrize("time", [1, 2])
def test_known(time):
    assert known(time, 2)


def test_last():
    assert last([1, 3, 2]) == 3


def test_that_always_fails():
    assert last([]) == 1


@pytest.fixture
def latest():
    return last([2, 1])


@pytest.mark.skipif(True, reason="a log that is not here")
def test_of_a_log(latest):
    assert latest == 2


def test_prepared(latest):
    assert latest == 2
"""

KILLED = Mutant(
    name="cutoff",
    claim="An event at the cutoff is known.",
    file="shop.py",
    text="time <= cutoff",
    becomes="time < cutoff",
    tests=("tests/test_shop.py::test_known",),
)
SURVIVOR = replace(KILLED, name="empty", claim="Of no times the last is 0.", text="default=0", becomes="default=1",
                   tests=("tests/test_shop.py::test_last",))  # fmt: skip


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    """A little project in a checkout of its own, with a file that git does not track."""
    (tmp_path / "tests").mkdir()
    (tmp_path / "shop.py").write_text(CODE)
    (tmp_path / "tests/test_shop.py").write_text(CHECKS)
    for arguments in (("init", "-q"), ("add", ".")):
        subprocess.run(["git", *arguments], cwd=tmp_path, check=True)
    (tmp_path / "conftest.py").write_text("raise RuntimeError('no part of the copy')")
    return tmp_path


PROVE_NOTHING = {
    "fails anyway": {"tests": ("tests/test_shop.py::test_that_always_fails",)},
    "skipped": {"tests": ("tests/test_shop.py::test_of_a_log",)},
    "no such name": {"becomes": "time <= cut"},
    "no Python": {"becomes": "time <="},
    "before the test": {
        "text": "max(times, default=0)", "becomes": "1 // 0", "tests": ("tests/test_shop.py::test_prepared",)
    },
}  # fmt: skip

SAID = r"""
killed +\d+ s  cutoff: tests\.test_shop::test_known\[2\]
SURVIVED +\d+ s  empty
error +0 s  fails anyway: tests\.test_shop::test_that_always_fails fails without the mutant: assert 0 == 1
error +0 s  skipped: tests/test_shop\.py::test_of_a_log did not run without the mutant
error +\d+ s  no such name: the change is no working code: NameError: name 'cut' is not defined
error +\d+ s  no Python: tests\.test_shop could not begin: collection failure
error +\d+ s  before the test: tests\.test_shop::test_prepared could not begin: failed on setup with .*
killed +cutoff +An event at the cutoff is known\.
SURVIVED +empty +Of no times the last is 0\.
7 mutants in \d+ s: 1 killed, 1 survived, 5 ended in an error\.
"""


def test_what_is_killed_what_survives_and_what_proves_nothing(shop: Path, capsys: pytest.CaptureFixture[str]) -> None:
    # Side by side, each in a copy of its own: in a copy of both the survivor would be killed as well.
    survivor = replace(SURVIVOR, tests=(*SURVIVOR.tests, *KILLED.tests))
    nothing = [replace(KILLED, name=name, **changed) for name, changed in PROVE_NOTHING.items()]
    assert try_out([KILLED, survivor, *nothing], shop, jobs=2) == 1
    told = capsys.readouterr().out
    for line in SAID.split("\n")[1:-1]:
        assert re.search(rf"^{line}$", told, re.MULTILINE), told
    assert (shop / "shop.py").read_text() == CODE


def test_where_all_are_killed_the_exit_code_is_0(shop: Path) -> None:
    assert try_out([KILLED], shop, jobs=4) == 0


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"text": "time <= until"}, r"mutant cutoff: 'time <= until' is 0 times in shop\.py; it must be there exactly"),
        ({"text": "int"}, r"mutant cutoff: 'int' is 4 times in shop\.py; it must be there exactly once"),
        ({"file": "gone.py"}, r"mutant cutoff: there is no file gone\.py"),
    ],
)
def test_a_text_that_is_gone_is_told_before_anything_runs(
    shop: Path, capsys: pytest.CaptureFixture[str], changed: dict, said: str
) -> None:
    with pytest.raises(InputError, match=said):
        try_out([KILLED, replace(KILLED, **changed)], shop, jobs=1)
    assert capsys.readouterr().out == ""


def test_a_folder_that_git_does_not_know_is_told(tmp_path: Path) -> None:
    (tmp_path / "shop.py").write_text(CODE)
    with pytest.raises(FaultError, match="git cannot list its files"):
        try_out([KILLED], tmp_path, jobs=1)


def test_some_are_chosen_by_name_or_file() -> None:
    assert chosen([KILLED, SURVIVOR], ()) == [KILLED, SURVIVOR]
    assert chosen([KILLED, SURVIVOR], ("cut",)) == [KILLED]
    assert chosen([KILLED, SURVIVOR], ("shop.py",)) == [KILLED, SURVIVOR]
    with pytest.raises(InputError, match=r"--only: cutof\? is in no mutant's name or file; did you mean 'cutoff'\?"):
        chosen([KILLED, SURVIVOR], ("cutof?",))


@cache
def functions_of(file: str) -> set[str]:
    return {node.name for node in ast.walk(ast.parse((ROOT / file).read_text())) if isinstance(node, ast.FunctionDef)}


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda one: one.name)
def test_the_list_fits_the_code(mutant: Mutant) -> None:
    """Each text stands in its file exactly once, what it becomes is Python, and the named tests are there."""
    changed = mutant.changed(ROOT)
    assert ast.dump(ast.parse(changed)) != ast.dump(ast.parse((ROOT / mutant.file).read_text()))
    assert mutant.file.startswith("lab/") and mutant.claim.endswith(".") and mutant.tests
    for test in mutant.tests:
        file, _, name = test.partition("::")
        assert (ROOT / file).exists() and (not name or name in functions_of(file)), test


def test_no_two_have_one_name() -> None:
    assert len({one.name for one in MUTANTS}) == len(MUTANTS) >= 40
