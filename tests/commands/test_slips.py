"""What a person types or writes by mistake: words, an exit code, and no traceback."""

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from lab.core.errors import InputError
from lab.experiment.loading import load_experiment
from lab.results.store import Store
from tests.forking import ROOT, Home, Server
from tests.small_experiment import small_experiment

FILE = """
import sys
from lab import Experiment, register
from lab.data.sources import SyntheticShop
from lab.models import RNN
from lab.targets import Interest

register(Experiment(
    name="tiny", source=SyntheticShop(users=40, days=120, categories=8, items=40), target=Interest(), horizons=(7,),
    features={"ids": ("category",)}, models=(RNN(width=8),), seeds=1,
))
"""


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("slips")
    (home / "tiny.py").write_text(FILE)
    return home


@pytest.fixture(scope="module")
def commands(home: Path, forks: Server) -> Home:
    return Home(forks, home)


def python(folder: Path, *arguments: str, environment: dict[str, str] | None = None) -> tuple[int, str, str]:
    """A process of Python as a shell begins it."""
    done = subprocess.run(
        [sys.executable, *arguments],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(ROOT)} | (environment or {}),
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, done.stdout, done.stderr


def test_a_file_run_by_python_alone_says_the_command(home: Path) -> None:
    code, said, complained = python(home, "tiny.py", "--seeds", "3")
    assert (code, said) == (0, "")
    assert complained.startswith("tiny.py: registers an experiment and computes nothing by itself; run it with:\n  ")
    assert complained.endswith("-m lab.run tiny.py --seeds 3\n") and complained.count("\n") == 2


@pytest.mark.parametrize("how", ["imported", "from a notebook", "failing", "by the lab"])
def test_who_imports_a_file_or_runs_it_by_the_lab_is_told_nothing(home: Path, how: str) -> None:
    (home / "failing.py").write_text(f"{FILE}\nraise ValueError('mine')")
    (home / "runs.py").write_text(f"{FILE}\nimport lab.running.runner")
    arguments = {
        "imported": ("-c", "import tiny"),
        "from a notebook": ("-c", FILE),  # whose __main__ has no file
        "failing": ("failing.py",),
        "by the lab": ("runs.py",),
    }[how]
    code, said, complained = python(home, *arguments)
    assert said == "" and "run it with" not in complained and code == (how == "failing")


@pytest.mark.parametrize(("call", "exit_code"), [("sys.exit(0)", 0), ("sys.exit('done')", "done"), ("exit()", 0)])
def test_a_file_that_ends_python_while_it_is_loaded_says_so(tmp_path: Path, call: str, exit_code: object) -> None:
    (tmp_path / "ends.py").write_text(f"import sys\n\n{call}\n")
    with pytest.raises(InputError, match=rf"ends\.py:3: ends Python \(exit code {exit_code}\) while it is loaded"):
        load_experiment(tmp_path / "ends.py")


def test_such_a_file_has_an_exit_code_of_its_own(home: Path, commands: Home) -> None:
    (home / "ends.py").write_text(f"{FILE}\nsys.exit(0)\n")
    code, _, complained = commands.run("lab.run", "ends.py")
    assert code == 2 and complained.startswith("error: ends.py:13: ends Python (exit code 0) while it is loaded")


LONG = "a" * 300


@pytest.mark.parametrize(
    ("command", "said"),
    [
        (("lab.run", "tiny.py", "--out", LONG), "--out: aaaa"),
        (("lab.run", "tiny.py", "--out", LONG, "--status"), "--out: aaaa"),
        (("lab.run", "tiny.py", "--out", "/".join(["a" * 200] * 19)), "and 3,696 for the path"),
        (("lab.run", "tiny.py", "--cache", LONG), "is too long for the file system"),
        (("lab.run", LONG), "is too long for the file system"),
        (("lab.run", "tiny.py", "source:table", "--source.path", LONG, "--source.user", "u"), "too long"),
        (("lab.commands.describe_log", LONG), "aaaa"),
        (("lab.report.__main__", LONG), "aaaa"),
        (("lab.reproduce", LONG), "aaaa"),
        (("lab.run", "tiny.py", "--horizons", "1e300"), "horizons: 1e+300 must be numbers of days"),
        (("lab.run", "tiny.py", "--horizons", "inf"), "horizons: inf must be numbers of days"),
        (("lab.run", "tiny.py", "--timeline.query-every", "1e305"), "timeline.query_every: 1e+305"),
        (("lab.run", "tiny.py", "--timeline.folds", "1000000000"), "timeline.folds: 1000000000"),
    ],
)
def test_lengths_and_spans_beyond_reason_are_one_line(commands: Home, command: Sequence[str], said: str) -> None:
    code, _, complained = commands.run(*command)
    assert code == 2 and said in complained and complained.count("\n") == 1 and len(complained) < 400, complained


def test_a_long_name_of_an_experiment_is_refused_and_a_long_path_of_results(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"name: a{40}\.\.\. is too long for a folder; use at most 200 letters"):
        small_experiment(name=LONG)
    Store(tmp_path / ("b" * 255)).check_length()
    with pytest.raises(InputError, match="at most 255 letters for a folder's name"):
        Store(tmp_path / ("b" * 256)).check_length()


def test_letters_that_the_output_cannot_say_are_said_as_codes(home: Path) -> None:
    ascii = {"PYTHONIOENCODING": "ascii", "LAB_CACHE": str(home / "cache")}
    code, said, complained = python(home, "-m", "lab.run", "tiny.py", "--status", environment=ascii)
    assert (code, complained) == (0, "") and "RNN width=8" in said
    code, _, complained = python(home, "-m", "lab.run", "fehlt-ü.py", environment=ascii)
    assert code == 2 and "fehlt-\\xfc.py: there is no such file" in complained


@pytest.mark.parametrize("arguments", [("lab.run", "--list"), ("lab.data", "--list"), ("lab.run", "tiny.py", "--help")])
def test_a_reader_who_leaves_ends_a_command_in_silence(home: Path, arguments: Sequence[str]) -> None:
    line = f"{sys.executable} -m {' '.join(arguments)} | true"
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run(["bash", "-c", line], cwd=home, env=environment, capture_output=True, text=True, check=False)
    assert done.stderr == ""


def test_json_nested_past_all_reason_is_a_damaged_file(home: Path, commands: Home) -> None:
    place = home / "nested"
    (place / "cells" / "a").mkdir(parents=True)
    for path in (place / "pin.json", place / "cells" / "a" / "cell.json"):
        path.write_text("[" * 200_000)
    code, _, complained = commands.run("lab.reproduce", "nested/pin.json")
    assert code == 2 and complained.startswith("error: nested/pin.json: is no JSON, or a damaged one")
    code, _, complained = commands.run("lab.report.__main__", "nested")
    assert code == 1 and "nested/cells/a" in complained
