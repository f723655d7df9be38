"""What the benchmarks of a training step say of speeds, logs, names and attention, without PyTorch."""

import subprocess
import sys
from pathlib import Path
from typing import get_args

import jax.numpy as jnp
import numpy as np
import pytest

from benchmarks import attention
from benchmarks.shared import packed
from benchmarks.shared.ratios import ratios, read_again
from lab.data.timeline import DAY

ROOT = Path(__file__).resolve().parents[2]


def test_on_a_cpu_one_model_is_compared_with_one_and_a_model_for_each_core_apart():
    speeds = {"PyTorch, 1 threads": 50.0, "PyTorch, 2 threads": 100.0, "one device": 120.0, "split": 90.0}
    assert ratios(speeds, on_cpu=True) == "one model 1.20"
    assert ratios(speeds | {"cells": 180.0}, on_cpu=True) == "one model 1.20, a model on each core 1.80"


def test_elsewhere_each_number_of_cells_is_compared_and_the_most_with_the_fewest():
    speeds = {"PyTorch": 10.0, "PyTorch, graph": 20.0, "1 cells": 10.0}
    assert ratios(speeds, on_cpu=False) == "0.50"
    more = {"8 cells": 40.0, "32 cells": 80.0}
    assert ratios(speeds | more, on_cpu=False) == "0.50 2.00 4.00; 32 cells take 4.00 times as long as 1"


def test_how_often_an_event_is_read_counts_the_last_events_on_both_sides():
    # One event a week: rows of 1, 2, 3, 4 and 4 events, of which the lab reads 5; with 2 at most: 1, 2, 2, 2 of 2.
    weekly = np.arange(4) * 7 * DAY
    assert read_again([weekly], 200) == pytest.approx((1 + 2 + 3 + 4) / 4)
    assert read_again([weekly], 2) == pytest.approx((1 + 2 + 2 + 2) / 2)


def test_names_on_the_command_line_are_those_of_the_models():
    assert get_args(packed.Name) == tuple(type(model).__name__ for model in packed.MODELS)
    assert get_args(packed.EncoderName) == tuple(type(model).__name__ for model in packed.ENCODERS)


def test_an_unknown_model_is_refused():
    command = [sys.executable, "-m", "benchmarks.roofline", "--models", "Mamba"]
    run = subprocess.run(command, capture_output=True, text=True, cwd=ROOT)
    assert run.returncode == 2 and "Mamba" in run.stderr and "Traceback" not in run.stderr


@pytest.mark.usefixtures("quick_compile")
def test_ways_to_attend_that_are_timed_give_the_same_gradients():
    calls = attention.contenders((2, 9, 3, 2, 4), jnp.dtype("float32"))
    assert list(calls) == ["lab", "library"]
    mine, theirs = (np.asarray(call()) for call in calls.values())
    assert np.abs(mine).max() > 0.1
    np.testing.assert_allclose(mine, theirs, rtol=1e-4, atol=1e-5)
