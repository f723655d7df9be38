"""A whole tiny training against numbers written down: what changes them must have meant to."""

from dataclasses import astuple

import numpy as np

from tests.training.small import Bench

GOLDEN = """\
4 3.46383 12.8715 0.00883022 1.78452
8 1.98754 5.50389 0.0025 1.79492
10 1.98964 7.44077 0.000301537 1.74804"""
"""At each look: step, loss, norm of the gradient, learning rate, valid loss."""


def test_the_numbers_of_a_tiny_training_are_those_written_down(alone: Bench) -> None:
    (trained,) = alone.train(alone.arrays(features="full"))
    found = [astuple(look) for look in trained.curve]
    text = "\n".join(" ".join(f"{value:.6g}" for value in row) for row in found)
    golden = [[float(value) for value in line.split()] for line in GOLDEN.split("\n")]
    np.testing.assert_allclose(
        found,
        golden,
        rtol=1e-3,
        err_msg=(
            "A tiny training gave other numbers. If features, network, data or training were meant to change, write "
            f"these as GOLDEN in {__file__} and say so in the changelog; else something has changed unmeant:\n{text}\n"
        ),
    )
