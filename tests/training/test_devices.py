"""Devices: one against eight and two, in processes of their own; two processes that share a batch."""

import os
import socket
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import jax
import numpy as np
import pytest

from lab.core.errors import InputError
from lab.dataset.dataset import Dataset
from lab.training.devices import Layout, plan_layout
from lab.training.settings import Training
from tests.forking import QUICK
from tests.training.small import Bench, small_experiment

Found = Mapping[str, np.ndarray]


def _assert_near(found: Found, split: str, one: Found) -> None:
    """Sums over devices have another order; after ten steps they may differ by this much.

    Adam brings small gradients to the length of large ones, and their rounding with them: a parameter that
    hardly matters may be off by a few hundredths of a step, which is 0.01 here, and the loss must not show it.
    """
    np.testing.assert_allclose(found[f"{split} params"], one["params"], rtol=2e-4, atol=3e-4)
    np.testing.assert_allclose(found[f"{split} valid"], one["valid"], rtol=2e-5)


def _start(out: Path, cache: Path, devices: int, *process: str) -> subprocess.Popen[str]:
    repository = str(Path(__file__).resolve().parents[2])
    command = [sys.executable, "-m", "tests.training.worker", str(devices), str(out), str(cache), *process]
    environment = os.environ | {"PYTHONPATH": repository, "JAX_NUMPY_RANK_PROMOTION": "allow"}
    environment[QUICK] = "1"  # what is compared agrees within a tolerance only
    return subprocess.Popen(command, cwd=repository, env=environment, stderr=subprocess.PIPE, text=True)


def _found(process: subprocess.Popen[str], out: Path) -> Found:
    _, complained = process.communicate(timeout=200)
    assert process.returncode == 0, complained
    with np.load(out) as found:
        return dict(found)


@pytest.fixture(scope="module")
def one(cache: Path, data: Dataset) -> Found:
    """What one device makes of the two cells of `worker.py`."""
    bench = Bench.of(small_experiment(batch=8, dropout=0, cells_at_once=1), cache, data)
    trained = [bench.train(cell)[0] for cell in (bench.arrays(), bench.arrays(seed=1, features="full", days=14))]
    return {
        "params": np.stack([one.params for one in trained]),
        "valid": np.array([[look.valid_loss for look in one.curve] for one in trained]),
    }


def test_eight_devices_change_nothing_but_the_order_of_sums(one: Found, cache: Path, tmp_path: Path) -> None:
    many = _found(_start(tmp_path / "many.npz", cache, 8), tmp_path / "many.npz")
    _assert_near(many, "cells", one)
    _assert_near(many, "batch", one)


def test_two_processes_that_share_each_batch_train_as_one(one: Found, cache: Path, tmp_path: Path) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = str(probe.getsockname()[1])
    outs = [tmp_path / "left.npz", tmp_path / "right.npz"]
    pair = [_start(out, cache, 1, str(index), port) for index, out in enumerate(outs)]
    left, right = (_found(process, out) for process, out in zip(pair, outs, strict=True))
    _assert_near(left, "batch", one)
    np.testing.assert_array_equal(left["batch params"], right["batch params"])


def test_a_batch_that_does_not_divide_is_named_where_it_was_asked_for() -> None:
    with pytest.raises(InputError, match=r"training\.batch: 7 rows in 2 piece"):
        plan_layout(_training(batch=6, accumulate=2, odd=7), 1, 1)


def _training(batch: int, accumulate: int, odd: int) -> Training:
    training = Training(batch=batch, accumulate=accumulate, split="batch")
    object.__setattr__(training, "batch", odd)
    return training


def test_half_as_many_cells_at_once_come_down_to_one() -> None:
    (device, *_), counts = jax.devices(), []
    layout = Layout("cells", (device,) * 3, 5)
    while layout.halved() != layout:
        layout = layout.halved()
        counts.append(layout.cells_at_once)
    assert counts == [9, 6, 3, 2, 1]
    assert Layout("batch", (device,) * 4, 2).halved() == Layout("batch", (device,) * 4, 1)
