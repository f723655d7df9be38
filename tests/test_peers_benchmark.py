"""What the comparison with RecBole reads, writes and says, without RecBole."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.courses import Failed, follow
from benchmarks.peers import ROOT, pairs, write_log
from benchmarks.recbole_side import write_atomic

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


def test_without_recbole_it_says_how_to_get_it():
    command = [sys.executable, "-m", "benchmarks.peers", "--recbole", sys.executable]
    run = subprocess.run(command, capture_output=True, text=True, cwd=ROOT)
    assert run.returncode == 2
    assert "pip install -r benchmarks/requirements-recbole.txt" in run.stderr
