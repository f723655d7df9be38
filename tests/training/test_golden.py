"""A whole tiny training against numbers written down: what changes them must have meant to."""

from dataclasses import astuple

import numpy as np

from tests.training.small import Bench

GOLDEN = """\
4 3.54417 13.4683 0.00883022 1.98716
8 2.10211 6.75612 0.0025 2.03274
10 2.26214 9.43433 0.000301537 1.9594"""
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
