"""The arithmetic of many cells side by side, and what its command refuses."""

import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.crowd import ROOM, choose_models, fitting, line
from lab.core.errors import InputError
from tests.small_experiment import small_experiment

ROOT = Path(__file__).resolve().parents[2]


def test_as_many_fit_as_the_last_two_numbers_say():
    # 2 GB and 1 GB a cell, of which 96 % of 100 GB take 94.
    assert fitting([(1, 3e9), (8, 10e9), (32, 34e9)], 100e9) == int(ROOM * 100 - 2)
    assert fitting([(1, 3e9), (8, 99e9)], 100e9) == 8


def test_a_peak_that_does_not_grow_tells_nothing():
    assert fitting([(1, 5e9), (8, 5e9)], 80e9) is None
    assert fitting([(1, 0), (8, 0)], 0) is None


def test_a_line_compares_with_the_fewest_cells_and_shares_out():
    assert line(8, 0.004, 0.0005, 0.002, 3.21e9).split() == ["8", "4.00", "2.00", "0.500", "0.5", "3.2"]
    assert line(8, 0.004, 0.0005, 0.002, 0).split()[-1] == "-"


def test_models_are_chosen_by_name_and_unknown_ones_refused():
    assert choose_models(small_experiment(), []) == [0, 1]
    assert choose_models(small_experiment(), ["GRU"]) == [1]
    with pytest.raises(InputError, match="RNN is no model of small; it has LSTM, GRU"):
        choose_models(small_experiment(), ["GRU", "RNN"])


def test_what_cannot_be_is_a_sentence():
    command = [sys.executable, "-m", "benchmarks.crowd", "experiments/lstm_vs_transformer.py", "--path", "log.csv"]
    run = subprocess.run(command, capture_output=True, text=True, cwd=ROOT)
    assert run.returncode == 2
    assert run.stderr.startswith("error: --path: SyntheticShop") and "Traceback" not in run.stderr
