"""Every benchmark's command: its help, at once and within 80 columns, and what it refuses."""

import re
import runpy
import shlex
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
NAMES = re.findall(r"^\| `(\w+)` \|", (ROOT / "benchmarks/README.md").read_text(), re.MULTILINE)
OF_SOMETHING = ("averaged", "crowd", "interest", "why")
"""Those that need a folder or a file, without which nothing else is looked at."""


@pytest.fixture(autouse=True)
def terminal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of 80 columns, in a folder that has a file of an experiment."""
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.chdir(tmp_path)
    Path("mine.py").touch()


def exit_value(name: str, *arguments: str) -> object:
    """The exit code of a command that is run as by `python -m`, but for the imports that this process has done."""
    with pytest.MonkeyPatch.context() as patch, pytest.raises(SystemExit) as leaving:
        patch.setattr(sys, "argv", [name, *arguments])
        patch.delitem(sys.modules, f"benchmarks.{name}", raising=False)
        runpy.run_module(f"benchmarks.{name}", run_name="__main__", alter_sys=True)
    return leaving.value.code


@pytest.mark.parametrize("name", NAMES)
def test_help_begins_with_the_command_and_fits_80_columns(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert exit_value(name, "--help") == 0
    told = capsys.readouterr()
    assert told.out.startswith(f"usage: python -m benchmarks.{name} ") and told.err == ""
    assert max(map(len, told.out.splitlines())) <= 80
    assert "(default: )" not in told.out
    # Its own words tell how to run it, beside the usage.
    assert told.out.count(f"python -m benchmarks.{name}") > 1
    assert "torch" not in sys.modules


@pytest.mark.parametrize("name", NAMES)
def test_commands_in_a_help_can_be_copied(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    exit_value(name, "--help")
    usage, told = capsys.readouterr().out.split("\n\n", 1)
    about, boxes = re.split(r"\n\n[^\n]* (?:positional arguments|options) ", told, maxsplit=1)
    assert "[{None}" not in usage and "\n\n\n" not in about
    indented = re.findall(r"^ {4}.*$", about.replace("\\\n", " "), re.MULTILINE)
    assert not any(re.search(r"[\[\\]", line) for line in indented)
    commands = [shlex.split(line) for line in indented]
    # None of them stands in a paragraph, where lines flow.
    assert sum("-m" in words for words in commands) == len(re.findall(r"python\S* -m ", about)) > 0
    assert sum("install" in words for words in commands) == about.count("pip install ")
    for words in commands:
        assert not {"...", "FILE", "FOLDER"} & set(words)
        if f"benchmarks.{name}" in words:
            flags = {word.split("=")[0] for word in words if word.startswith("--")}
            assert flags <= set(re.findall(r"--[a-z-]+", boxes))


@pytest.mark.parametrize("name", NAMES)
def test_an_unknown_flag_is_refused(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert exit_value(name, *["mine.py"] * (name in OF_SOMETHING), "--nonsense") == 2
    told = capsys.readouterr()
    assert told.out == "" and "Unrecognized options: --nonsense" in told.err
    assert f"python -m benchmarks.{name} --help" in told.err


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("statistics --repetitions 99", "--repetitions: 99 makes no sense here; use 100 or more."),
        ("statistics --repetitions 150", "--repetitions: 150; they are drawn 100 at once, so use 200."),
        ("peers --lab-epochs 0", "--lab-epochs: 0 makes no sense here; use 1 or more."),
        ("peers --models", "--models: nothing is named; name one or more, or leave it out."),
        ("training --cells 8 -1", "--cells: -1 makes no sense here; use 1 or more."),
        ("attention --rows", "--rows: nothing is named; name one or more, or leave it out."),
        ("attention --dtypes", "--dtypes: nothing is named; name one or more, or leave it out."),
        ("attention --heads 3", "--width: 128; 3 heads need a multiple of 6."),
        ("roofline --rounds 0", "--rounds: 0 makes no sense here; use 1 or more."),
        ("scaling --doublings 0", "--doublings: 0 makes no sense here; use 1 or more."),
        ("scaling --axes", "--axes: nothing is named; name one or more, or leave it out."),
        ("scaling --figure gone/a.png", "--figure: there is no folder gone; make it first."),
        ("catalogue --items 0", "--items: 0 makes no sense here; use 2 or more."),
        (
            "catalogue --items 50",
            "--items: 50; 256 negatives are drawn of them, so use 512 or more, or --losses softmax, which draws none.",
        ),
        ("catalogue --losses --alone", "--losses: nothing is named; name one or more, or leave it out."),
        ("crowd mine.py --cells 0", "--cells: 0 makes no sense here; use 1 or more."),
        (f"crowd {ROOT}/experiments/ml1m.py", "--path: ml1m reads a log; say where it lies."),
        ("compiling none.py", "none.py: there is no such file; name an experiment's."),
        ("compiling mine.py --flags=--dry-run", "--flags: --dry-run makes a run stop before it trains; leave it out."),
        ("compiling mine.py --flags='", "--flags: ' cannot be read (No closing quotation); close each quote."),
        ("grid --every nan", "--every: nan makes no sense here; use 0 or more."),
        ("data --events 0", "--events: 0 makes no sense here; use 1 or more."),
        ("data --folder gone", "--folder: there is no folder gone; make it first."),
        ("tracking --seeds -3", "--seeds: -3 makes no sense here; use 1 or more."),
        ("mutants --jobs 0", "--jobs: 0 makes no sense here; use 1 or more."),
        ("mutants --only ?", "--only: ? is in no mutant's name or file; leave it out to try all."),
        ("published --seeds 0", "--seeds: 0 makes no sense here; use 1 or more."),
        *(
            (f"{name} gone", "gone: there is no such folder; name one that a run left, such as results/NAME.")
            for name in ("interest", "averaged", "why")
        ),
    ],
)
def test_what_makes_no_sense_is_one_line(line: str, said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert exit_value(*line.split()) == 2
    told = capsys.readouterr()
    assert (told.out, told.err) == ("", f"error: {said}\n")


@pytest.mark.skipif(find_spec("torch") is not None, reason="PyTorch is installed")
def test_without_pytorch_it_says_how_to_get_it(capsys: pytest.CaptureFixture[str]) -> None:
    assert exit_value("training") == 2
    said = "error: PyTorch is not installed here: pip install -r benchmarks/requirements-torch.txt\n"
    assert capsys.readouterr().err == said


def test_a_mistake_that_a_process_apart_finds_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    assert exit_value("data", "--events", "1", "--no-pandas", "--folder", ".") == 2
    assert re.fullmatch(r"error: horizons: the log spans 0 days, .*\n", capsys.readouterr().err)
