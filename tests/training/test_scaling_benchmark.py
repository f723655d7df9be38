"""Exponents of costs that are known, and the figure of them."""

from pathlib import Path

import pytest

from benchmarks.scaling import draw, fitted


def test_an_exponent_is_that_of_the_larger_sizes(tmp_path: Path):
    points = [(size, {"seconds": 5 + 0.01 * size**2, "GB": 1.0}) for size in (1, 2, 400, 800, 1600)]
    assert fitted(points, "seconds") == pytest.approx(2, abs=0.01)
    assert fitted(points, "GB") == pytest.approx(0)
    draw({("length", "LSTM"): points, ("width", "LSTM"): points}, tmp_path / "figure.png")
    assert (tmp_path / "figure.png").read_bytes()[:4] == b"\x89PNG"
