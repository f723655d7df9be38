"""Progress as a person sees it: a bar in a terminal, lines in a log, never both."""

import io
import os
import pty
import re
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from lab.core.progress import Estimate, Progress, duration
from lab.experiment.cells import grid
from lab.running.work import count_work
from lab.training.settings import Training
from tests.small_experiment import small_experiment

ROOT = Path(__file__).parents[2]

WORK = """
import time
from lab.core.progress import Progress
with Progress(20, "cells", every=0.2) as progress:
    for i in range(20):
        time.sleep(0.05)
        progress.advance(1, f"transformer · full, 30 days, seed {i}, with a name that goes on and on and on")
        if i == 10:
            progress.say("first cell: " + "x" * 90 + " [red]")
"""


def in_terminal() -> str:
    ours, theirs = pty.openpty()
    environment = {**os.environ, "TERM": "xterm-256color", "COLUMNS": "80", "LINES": "24"}
    with subprocess.Popen([sys.executable, "-c", WORK], stdout=theirs, cwd=ROOT, env=environment) as process:
        os.close(theirs)
        chunks = []
        try:
            while chunk := os.read(ours, 4096):
                chunks.append(chunk)
        except OSError:  # how a terminal says on Linux that its other end is closed
            pass
        os.close(ours)
    assert process.returncode == 0
    return b"".join(chunks).decode()


def test_a_terminal_has_one_line_that_is_redrawn_within_80_columns() -> None:
    output = in_terminal()
    plain = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", output)
    drawn = [line for line in re.split(r"[\r\n]+", plain) if "%" in line]
    assert len(drawn) >= 3 and max(map(len, drawn)) <= 80
    assert any(re.search(r"\d+ %, \d s left", line) for line in drawn)
    assert "cells:" not in plain.replace("cells: done", "")  # no lines of a log beside the bar
    assert "first cell: " + "x" * 90 + " [red]" in plain.replace("\r\n", "")
    assert "\x1b[?25h" in output  # the cursor is back


def test_a_log_has_plain_lines_now_and_then() -> None:
    ended = subprocess.run([sys.executable, "-c", WORK], capture_output=True, text=True, cwd=ROOT, check=True)
    assert "\x1b" not in ended.stdout and "\r" not in ended.stdout and "━" not in ended.stdout
    lines = ended.stdout.splitlines()
    progress = [line for line in lines if "%" in line]
    assert 3 <= len(progress) <= 8
    assert all(re.match(r"cells: +\d+ %, \d+ s left · transformer · full", line) for line in progress)
    assert "first cell: " + "x" * 90 + " [red]" in lines
    assert re.fullmatch(r"cells: done after \d+ s", lines[-1])


def test_an_interrupt_ends_the_progress_and_is_passed_on() -> None:
    file = io.StringIO()
    with pytest.raises(KeyboardInterrupt), Progress(10, "cells", Console(file=file)) as progress:
        progress.advance(1, "lstm")
        raise KeyboardInterrupt
    assert file.getvalue().splitlines()[-1] == "cells: stopped after 0 s"


def test_an_estimate_before_anything_is_done_says_nothing() -> None:
    estimate = Estimate(10)
    estimate.begin(100.0)
    assert estimate.left(105.0) is None and estimate.text(105.0) == "  0 %"


def test_what_is_timed_says_how_long_it_is_at_least() -> None:
    estimate = Estimate({"train": 100, "judge": 1, "train another": 100})
    estimate.begin(0.0)
    estimate.advance(20, 30.0, "train")
    assert estimate.left(30.0) is None and estimate.share(30.0) is None
    assert estimate.least(30.0) == pytest.approx(120) and estimate.text(40.0) == "at least 1 min 50 s left"
    estimate.advance(80, 150.0, "train")
    assert estimate.text(150.0) == "no estimate yet"
    estimate.advance(1, 152.0, "judge")
    estimate.advance(50, 202.0, "train another")
    assert estimate.left(202.0) == estimate.least(202.0) == pytest.approx(50)


def test_nothing_is_said_of_a_kind_of_which_nothing_was_timed() -> None:
    estimate = Estimate({"fit": 2, "start": 1, "train": 100})
    estimate.begin(0.0)
    estimate.advance(2, 6.0, "fit")
    assert estimate.text(6.0) == "no estimate yet"
    estimate.advance(1, 16.0, "start")
    estimate.advance(10, 16.0, "train", timed=False)  # its first steps went into compiling
    assert estimate.left(16.0) is None
    estimate.advance(10, 18.0, "train")
    assert estimate.left(18.0) == pytest.approx(80 * 2 / 10) and estimate.text(18.0) == " 52 %, 16 s left"
    estimate.advance(80, 34.0, "train")
    assert estimate.done and estimate.left(34.0) == 0


def test_a_runs_work_is_its_rows_programs_steps_and_judgings() -> None:
    experiment = small_experiment(seeds=2, horizons=(7,), features={"ids": ("category",)}, training=Training(steps=50))
    cells = grid(experiment, "data", oracle=True)
    untrained = {f"fit {cell.model}": 1 for cell in cells if cell.kind != "model"}
    trained = {"train LSTM width=8": 100, "train GRU width=8": 100, "start LSTM width=8": 1, "start GRU width=8": 1}
    assert count_work([cells]) == {"data": 1, "judge": 4} | untrained | trained


@given(st.floats(1, 1e6), st.floats(1e-3, 1), st.floats(0.1, 1e5), st.floats(0, 1))
def test_steady_work_is_foreseen_exactly(total: float, share: float, seconds: float, waited: float) -> None:
    estimate = Estimate(total)
    estimate.begin(50.0)
    estimate.advance(total * share, 50.0 + seconds)
    left = estimate.left(50.0 + seconds + waited * seconds)
    assert left == pytest.approx(max(seconds / share - seconds - waited * seconds, 0), abs=1e-4 * seconds / share)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.4, "0 s"),
        (59.4, "59 s"),
        (59.6, "1 min 00 s"),
        (200, "3 min 20 s"),
        (3599.7, "1 h 00 min"),
        (7500, "2 h 05 min"),
    ],
)
def test_durations_are_said_as_a_person_would(seconds: float, text: str) -> None:
    assert duration(seconds) == text


def test_a_line_of_a_plain_log_is_no_wider_than_the_page() -> None:
    page = io.StringIO()
    with Progress(2, "work", Console(file=page, width=60), every=0.0) as progress:
        progress.advance(1, "one of many words " * 9)
    told = page.getvalue().splitlines()
    assert max(map(len, told)) == 60 and told[0].startswith("work:  50 %") and told[0].endswith(" ...")
