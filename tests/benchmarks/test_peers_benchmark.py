"""What the comparison with RecBole reads, writes and says, without RecBole."""

import json
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from benchmarks import lab_side
from benchmarks.judging import dataset
from benchmarks.peers import ROOT, Asked, flags_of, pairs, show, write_log
from benchmarks.recbole_side import write_atomic
from benchmarks.shared.courses import Course, Epoch, Failed, follow
from lab.core.errors import InputError
from lab.models import GRU
from lab.running.assembly import feed
from lab.training.feeding import is_resident

PATH = {"PYTHONPATH": str(ROOT)}
TRAINS = """
print("noise")
print('{"targets": 10, "asked": 2, "items": 3, "device": "cpu", "preparation": 1.5}')
for ndcg, since in ((0.1, 2), (0.3, 3), (0.2, 4)):
    print('{"train": 1.0, "valid": 0.5, "since": %d, "ndcg": %f}' % (since, ndcg))
"""


def test_a_course_is_what_a_process_says_of_it(tmp_path: Path):
    course = follow("one", [sys.executable, "-c", TRAINS], tmp_path, os.environ, lambda _: None)
    assert (course.targets, course.seconds, course.best) == (10, 1.0, 0.3)
    assert (course.reaches(0.05), course.reaches(0.2), course.reaches(0.4)) == (2, 3, None)
    # At least an interpreter; at most this process, whose size a child has until it runs another program.
    assert 0.001 < course.peak < 16


def test_a_process_that_fails_is_told_with_its_own_words(tmp_path: Path):
    with pytest.raises(Failed, match="no such log"):
        follow("one", [sys.executable, "-c", "raise SystemExit('no such log')"], tmp_path, os.environ, lambda _: None)


def test_recbole_gets_the_order_of_each_history_as_small_times(tmp_path: Path):
    (tmp_path / "log.txt").write_text("a x\na y\nb x\na x\n")
    write_log(tmp_path / "log.csv", pairs(tmp_path / "log.txt"))
    write_atomic(tmp_path / "log.csv", tmp_path / "log")
    lines = (tmp_path / "log/log.inter").read_text().splitlines()[1:]
    assert lines == ["a\tx\t0", "a\ty\t1", "b\tx\t0", "a\tx\t2"]


def test_ids_with_commas_and_quotes_reach_recbole_as_they_are(tmp_path: Path):
    write_log(tmp_path / "log.csv", iter([("a,b", '"x"'), ("a,b", 'y"z')]))
    write_atomic(tmp_path / "log.csv", tmp_path / "log")
    # As RecBole reads it: its header by itself, its rows by pandas.
    frame = pd.read_csv(tmp_path / "log/log.inter", sep="\t", dtype=str)
    assert frame.columns.tolist() == ["user_id:token", "item_id:token", "timestamp:float"]
    assert frame.to_numpy().tolist() == [["a,b", '"x"', "0"], ["a,b", 'y"z', "1"]]


def test_a_line_that_is_no_user_and_item_is_told_with_its_number(tmp_path: Path):
    (tmp_path / "log.txt").write_text("a x\na x y\n")
    with pytest.raises(InputError, match="line 2: 'a x y' is not a user and an item"):
        list(pairs(tmp_path / "log.txt"))


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (["--log", "gone.txt"], "error: --log: gone.txt is no file"),
        (["--curves", "gone/curves.csv"], "error: --curves: there is no folder gone"),
        (["--curves", "curves.png"], "error: --curves: curves.png is to be a CSV file"),
        (["--models", "GRU", "GRU"], "error: --models: GRU stands there twice."),
        (["--overlap", "50"], "error: --overlap: 50; use 0 to below --length (50)"),
    ],
)
def test_what_would_fail_after_training_is_told_before(flags: list[str], said: str, tmp_path: Path):
    command = [sys.executable, "-m", "benchmarks.peers", "--recbole", sys.executable, *flags]
    run = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, env=os.environ | PATH)
    assert (run.returncode, run.stderr[: len(said)]) == (2, said)


def test_each_side_is_told_the_device_and_the_lab_alone_the_overlap():
    assert "--gpu" not in flags_of("recbole_side", 3, Asked())
    assert "--gpu" in flags_of("recbole_side", 3, Asked(gpu=True))
    flags = flags_of("lab_side", 3, Asked(gpu=True, overlap=10))
    assert "--gpu" not in flags and flags[flags.index("--overlap") + 1] == "10"
    assert "--overlap" not in flags_of("recbole_side", 3, Asked(overlap=10))


def test_the_table_names_the_device_of_each(capsys: pytest.CaptureFixture[str]):
    epochs = [Epoch(2.0, 0.5, 3.0, 0.1), Epoch(2.0, 0.5, 6.0, 0.2)]
    theirs = Course("SASRec (RecBole)", 100, 5, 9, "cpu", 1.0, epochs)
    ours = Course("Transformer (lab)", 100, 5, 9, "cpu", 1.0, [Epoch(0.1, 0.1, 0.2, 0.2)])
    show(theirs, ours, 60)
    told = capsys.readouterr().out.splitlines()
    assert told[2].split()[2:5] == ["cpu", "2.00", "50"] and told[3].split()[2:5] == ["cpu", "0.10", "1,000"]
    assert "20.0 times as fast" in told[4] and "30.0 times sooner" in told[5]


def test_all_of_a_log_lies_on_the_device_whatever_its_size(tmp_path: Path):
    log = [(f"u{user}", f"i{(user + place) % 7}") for user in range(8) for place in range(9)]
    write_log(tmp_path / "log.csv", iter(log))
    asked = SimpleNamespace(log=tmp_path / "log.csv", epochs=1, seed=0, length=5, overlap=0)
    experiment = lab_side.declared(asked, GRU(width=8), 1)  # type: ignore[arg-type]
    data = dataset(experiment, tmp_path)
    rows = feed(data, "train")
    assert not rows.rest and is_resident(rows.rows, 2**32, experiment.training)
    assert experiment.timeline.shard_events > 2**32


def test_epochs_are_timed_by_the_calls_of_a_run(capsys: pytest.CaptureFixture[str]):
    verdict = SimpleNamespace(loss=np.array([0.25]))
    program = SimpleNamespace(run_resident=lambda state: (state, None), judge=lambda state: (state, verdict))
    lab_side.time_epochs(program, 0.8, 0.0)
    program.run_resident(1)
    with pytest.raises(lab_side.Enough):  # the time was up from the start
        program.judge(1)
    told = json.loads(capsys.readouterr().out)
    assert told["ndcg"] == pytest.approx(0.6)
    assert 0 < told["train"] <= told["since"] and 0 < told["valid"] <= told["since"]
    # Rows that stream from the host take another call, of which nothing was timed.
    with pytest.raises(RuntimeError, match="no epoch"):
        program.judge(1)


def test_without_recbole_it_says_how_to_get_it():
    command = [sys.executable, "-m", "benchmarks.peers", "--recbole", sys.executable]
    run = subprocess.run(command, capture_output=True, text=True, cwd=ROOT)
    assert run.returncode == 2
    assert "pip install -r benchmarks/requirements-recbole.txt" in run.stderr
