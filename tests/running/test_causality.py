"""Encoders that do not keep their word are found before anything is trained."""

from dataclasses import dataclass
from typing import Any, ClassVar

import jax
import jax.numpy as jnp
import pytest
from flax import linen as nn

from lab.core.errors import InputError
from lab.models import GRU, HSTU, LSTM, RNN, Model, Transformer
from lab.running.causality import check_encoder, check_encoders
from tests.bag import Bag, Mean


@dataclass(frozen=True, kw_only=True)
class Forgetful(Bag):
    """Reads both ways, and does not say so."""

    causal: ClassVar[bool] = True


class Running(nn.Module):
    """A running sum that knows no start."""

    @nn.compact
    def __call__(self, steps: Any, starts: Any, time: Any, dropout: Any) -> Any:
        return nn.Dense(steps.shape[-1])(jnp.cumsum(steps, axis=1))


@dataclass(frozen=True, kw_only=True)
class Leaky(Model):
    """Carries one history into the next."""

    def encoder(self, dtype: Any) -> nn.Module:
        return Running()


def test_a_model_that_reads_both_ways_has_to_say_so() -> None:
    assert isinstance(Forgetful(width=4).encoder(jnp.dtype("float32")), Mean)
    with pytest.raises(InputError, match=r"output of Forgetful at a step moves.*causal: ClassVar\[bool\] = False"):
        check_encoders((Bag(width=4), Forgetful(width=4)))


def test_nothing_crosses_a_start() -> None:
    with pytest.raises(InputError, match="the encoder of Leaky carries one history into the next"):
        check_encoder(Leaky(width=4))


@pytest.mark.parametrize(
    "model",
    [RNN(width=4), GRU(width=4), LSTM(width=4), Transformer(width=8, layers=1, heads=2), HSTU(width=4, layers=1)],
)
def test_the_labs_own_pass(model: Model) -> None:
    with jax.numpy_rank_promotion("allow"):  # networks lean on it
        check_encoder(model)
