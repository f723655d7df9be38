"""The command line: what it changes, and what it refuses with exit code 2."""

import os
import re
import subprocess
import sys
from itertools import pairwise
from pathlib import Path
from typing import Any

import pandas as pd
import polars as pl
import pytest

import lab.across
import lab.commands.describe_log
import lab.report.__main__
import lab.reproduce
import lab.run
from lab.commands.command_line import Options, field_docs, parse
from lab.core.entry_point import help_exit_code
from lab.core.errors import InputError
from lab.core.paragraphs import paragraphs, wrap_to_terminal
from lab.data.sources import SyntheticShop, Table
from lab.data.timeline import Timeline
from lab.experiment.experiment import Experiment
from lab.features import Habit
from lab.models import LSTM
from lab.targets import Interest, NextItem
from lab.targets.base import Target
from tests.small_experiment import small_experiment


def parse_arguments(*arguments: str, of: Experiment | None = None) -> tuple[Experiment, Options]:
    return parse(of or small_experiment(), "python -m lab.run x.py", "About.", arguments)


def test_nothing_said_changes_nothing() -> None:
    experiment, options = parse_arguments()
    assert experiment == small_experiment()
    assert (options.out, options.cache, options.dry_run) == (Path("results"), None, False)


def test_settings_are_changed_by_their_names() -> None:
    line = (
        "--seeds 3 --horizons 7 30 --training.steps 200 --out there --dry-run --timeline.end 2024-05-01 "
        "--timeline.active-days None --features.ids category time --models.0.width 16 --source.users 9"
    )
    experiment, options = parse_arguments(*line.split())
    assert (experiment.seeds, experiment.horizons, experiment.training.steps) == (3, (7.0, 30.0), 200)
    assert experiment.timeline == Timeline(end="2024-05-01", active_days=None)
    assert experiment.features == {"ids": ("category", "time"), "more": ("category", "habit")}
    assert experiment.models == (LSTM(width=16), small_experiment().models[1])
    assert experiment.source == SyntheticShop(users=9)
    assert (options.out, options.dry_run) == (Path("there"), True)


def test_another_source_is_chosen_by_its_name() -> None:
    experiment, _ = parse_arguments(
        "source:table", "--source.path", "log.csv", "--source.user", "visitor", "--source.time", "ts"
    )
    assert experiment.source == Table(path="log.csv", user="visitor", time="ts")
    assert experiment.models == small_experiment().models
    late, _ = parse_arguments("--seeds", "4", "source:table", "--source.path", "a.csv", "--training.batch", "8")
    assert (late.seeds, late.training.batch, late.source) == (4, 8, Table(path="a.csv"))


@pytest.mark.parametrize("kind", [pd.DataFrame, pl.DataFrame])
def test_a_log_in_memory_stays_the_files_own(kind: Any) -> None:
    frame = kind({"user": ["a"], "item": ["b"], "time": [1]})
    experiment, _ = parse_arguments(
        "--seeds", "4", "--source.item", "thing", of=small_experiment(source=Table(frame=frame))
    )
    assert experiment.seeds == 4 and experiment.source == Table(item="thing")
    assert isinstance(experiment.source, Table) and experiment.source.frame is frame


@pytest.mark.parametrize("line", ["", "--seeds 2 target:next-item", "--source.users 9"])
def test_a_flag_may_stand_before_the_class_that_it_sets(line: str) -> None:
    experiment, _ = parse_arguments(
        "--target.no-repeats", *line.split(), of=small_experiment(target=NextItem(), features={"a": ("item",)})
    )
    assert experiment.target == NextItem(repeats=False)


def test_groups_that_the_file_sets_can_be_changed() -> None:
    experiment, _ = parse_arguments("--groups.0.days", "2", "9", of=small_experiment(groups=(Habit(),)))
    assert experiment.groups == (Habit(days=(2, 9)),)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--sed", "2"), "--seeds"),
        (("--training.step", "2"), "--training.steps"),
        (("--horizon", "7"), "--horizons"),
        (("--seeds", "two"), "--seeds"),
        (("--target.weights", "sets"), "set"),
    ],
)
def test_what_is_unknown_names_the_nearest(
    arguments: tuple[str, ...], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as stopped:
        parse_arguments(*arguments)
    assert stopped.value.code == 2
    complained = capsys.readouterr().err
    assert said in complained
    assert "python -m lab.run x.py" in complained and "--help" in complained
    assert not re.search(r"python(?! -m lab\.run x\.py)", complained)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--horizons", "0"), "horizons: 0 must be numbers of days, each above 0"),
        (("--seeds", "0"), "seeds: 0"),
        (("--seeds", "1", "--out", "x", "--seeds=2"), "--seeds: is given twice; give it once"),
        (("--training.row-length", "8", *("--training.row_length", "9") * 2), "row-length: is given 3 times"),
        (("--seeds", "99999999999"), "seeds: 99999999999 is too many; use 1 to 10,000"),
        (("--training.batch", "-1"), r"training\.batch: -1"),
        (("source:tabel",), r"source:tabel: no source is called 'tabel'; did you mean source:table\?"),
        (
            ("--source.path", "log.csv", "--source.user=visitor"),
            r"--source\.path: source:synthetic-shop has no such setting; name .* such as source:table --source\.path",
        ),
        (("source:table", "--source.pathh", "x"), r"source:table has no such setting; did you mean --source\.path\?"),
        (("--target.wieghts", "set"), r"target:interest has no such setting; did you mean --target\.weights\?$"),
        (("--only", "--seeds", "2"), "--only: names no cells; write key=value, such as --only model=lstm"),
        (("--target.zzzz", "set"), r"target:interest has no such setting\.$"),
        (("--timeline.end", "soon"), r"timeline\.end: 'soon'"),
        (("--features.ids", "categroy"), r"features\.ids: .*did you mean 'category'"),
        (("--models.1.width", "8", "--models.0.width", "8", "--features.ids"), r"features\.ids: no feature group"),
    ],
)
def test_what_is_wrong_is_one_sentence(arguments: tuple[str, ...], message: str) -> None:
    with pytest.raises(InputError, match=message):
        parse_arguments(*arguments)


def test_help_tells_every_setting_from_its_docstring(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    with pytest.raises(SystemExit) as stopped:
        parse_arguments("--help")
    assert stopped.value.code == 0
    printed = capsys.readouterr().out
    assert max(map(len, [*printed.splitlines(), *str(lab.run.__doc__).splitlines()])) <= 80
    shown = " ".join(printed.replace("│", " ").split())
    for said in (field_docs(Timeline)["min_events"], field_docs(Options)["dry_run"], "About."):
        assert said in shown
    assert all(re.search(rf"models\.{i} options [^a-z]* {name} ", shown) for i, name in enumerate(("LSTM", "GRU")))
    # What the table is compared with is the file's to declare.
    assert "--baselines" not in shown and "--name" not in shown
    # A default in words is not told again as None, nor one that is empty as nothing.
    end = field_docs(Timeline)["end"]
    assert end in shown and f"{end} (default" not in shown and "(default: )" not in shown


@pytest.mark.parametrize("target", [Interest(), NextItem()])
def test_help_goes_on_below_only_where_a_line_is_full(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, target: Target
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    with pytest.raises(SystemExit):
        parse_arguments("--help", of=small_experiment(target=target, features={"ids": ("category",)}))
    lines = [line.rstrip() for line in capsys.readouterr().out.replace("│", " ").splitlines()]
    assert len(lines) > 100
    for line, below in pairwise(lines):
        first, indent = (below.split() or [""])[0], below[: len(below) - len(below.lstrip())]
        goes_on = line.startswith(indent) and line[len(indent) :][:1].isalnum() and re.match(r"[\w*`]", first)
        assert not goes_on or len(line) + 1 + len(first) > 77, (line, below)


@pytest.mark.parametrize("width", [60, 80, 120])
@pytest.mark.parametrize(
    "text",
    [
        lab.across.__doc__,
        lab.commands.describe_log.USAGE,
        lab.report.__main__.__doc__,
        lab.reproduce.__doc__,
        lab.run.__doc__,
    ],
)
def test_the_text_of_a_command_fits_the_terminal(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, text: str, width: int
) -> None:
    monkeypatch.setenv("COLUMNS", str(width))
    assert help_exit_code(text, []) == 2
    printed = capsys.readouterr().out
    assert max(map(len, printed.splitlines())) <= width
    assert printed.split() == text.split()


def test_commands_keep_their_lines_where_paragraphs_flow(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "24")
    text = "Tell of\nthe log.\n\n    lab.tell LOG\n    lab.tell --list\n\nusage: lab.tell LOG [--end DAY]\n"
    said = "Tell of the log.\n\n    lab.tell LOG\n    lab.tell --list\n\nusage: lab.tell LOG\n           [--end DAY]"
    assert wrap_to_terminal(text) == said


def test_an_item_is_indented_below_its_first_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "20")
    assert wrap_to_terminal("For each:\n- a row of\n  what is there;\n- no more.") == (
        "For each:\n- a row of what is\n  there;\n- no more."
    )


def test_commands_in_what_an_experiment_says_can_be_copied(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    commands = "Run:\n    python -m lab.run x.py \\\n        --seeds 3\n    python -m lab.run x.py"
    with pytest.raises(SystemExit):
        parse(
            small_experiment(),
            "python -m lab.run x.py",
            f"Ask of\nit.\n\n`so`, or:\n- this;\n- that.\n\n{commands}",
            ["--help"],
        )
    assert f"\n\nAsk of it.\n\n`so`, or:\n- this;\n- that.\n\n{commands}\n\n" in capsys.readouterr().out


def test_a_docstring_flows_in_paragraphs() -> None:
    text = "One against\nthe other.\n\nAsks: which\nleads?\nExpect: neither,\nby much.\n- an item\n  of two lines\n"
    said = ["One against the other.", "Asks: which leads?", "Expect: neither, by much.", "- an item of two lines"]
    assert list(paragraphs(text)) == said


def run(*arguments: str, folder: Path) -> subprocess.CompletedProcess[str]:
    root = str(Path(__file__).resolve().parents[2])
    environment = os.environ | {"PYTHONPATH": root}
    return subprocess.run([sys.executable, "-m", "lab.run", *arguments], cwd=folder, env=environment,
                          capture_output=True, text=True)  # fmt: skip


def test_a_mistake_leaves_with_2_and_no_trace(tmp_path: Path) -> None:
    missing = run("none.py", folder=tmp_path)
    assert (missing.returncode, missing.stdout) == (2, "")
    assert missing.stderr.startswith("error: none.py: there is no such file") and missing.stderr.count("\n") == 1
    (tmp_path / "empty.py").write_text("")
    empty = run("empty.py", folder=tmp_path)
    assert empty.returncode == 2 and "registers 0 experiments" in empty.stderr
    assert sorted(path.name for path in tmp_path.iterdir() if path.name != "__pycache__") == ["empty.py"]
