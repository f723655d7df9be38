"""Exponents of costs that are known, and the figure of them."""

from pathlib import Path

import numpy as np
import pytest

from benchmarks import catalogue
from benchmarks.scaling import UPDATES, draw, fit_exponent, remark
from benchmarks.shared.memory import forget, resident


def test_an_exponent_is_that_of_the_larger_sizes(tmp_path: Path):
    points = [(size, {"seconds": 5 + 0.01 * size**2, "GB": 1.0}) for size in (1, 2, 400, 800, 1600)]
    assert fit_exponent(points, "seconds") == pytest.approx(2, abs=0.01)
    assert fit_exponent(points, "GB") == 0
    for exponent in (1, 2):
        grown = [(size, {"GB": 0.6 + 2e-5 * size**exponent}) for size in (500, 1000, 2000, 4000, 8000)]
        assert fit_exponent(grown, "GB") == pytest.approx(exponent, abs=0.01)
    items = [(size, {"softmax": 1.0, "softmax GB": 1.0, "sampled": 1.0, "sampled GB": 1.0}) for size in (1, 2)]
    draw({("length", "LSTM"): points, ("width", "LSTM"): points, ("items", "LSTM"): items}, tmp_path / "figure.png")
    assert (tmp_path / "figure.png").read_bytes()[:4] == b"\x89PNG"


def test_memory_is_the_most_held_since_it_was_forgotten():
    forget()
    large = np.ones(40_000_000)
    most = resident("VmHWM")
    del large
    forget()
    assert resident("VmHWM") < most - 0.3
    again = np.ones(40_000_000)
    assert resident("VmHWM") == pytest.approx(most, abs=0.1) and again[0] == 1


def test_what_is_due_depends_on_the_model():
    assert remark(1.9, "length", "Transformer") == ""
    assert remark(1.9, "length", "LSTM") == ", above the 1 that is due"
    assert remark(1.9, "width", "LSTM") == ""
    assert remark(1.3, "cells", "Transformer") == ", above the 1 that is due"


def test_the_updates_of_the_axis_of_items_fit_a_dispatch():
    assert UPDATES <= catalogue.STEPS // 3
