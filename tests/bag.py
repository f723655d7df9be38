"""A model that is not causal: every step is told the mean of its whole history, what follows it included."""

from dataclasses import dataclass
from typing import Any, ClassVar

import jax.numpy as jnp
from flax import linen as nn

from lab.models.base import Model


class Mean(nn.Module):
    """The mean over the steps between two starts, through one dense layer."""

    width: int

    @nn.compact
    def __call__(self, steps: Any, starts: Any, time: Any, dropout: Any) -> Any:
        history = jnp.cumsum(starts, axis=1)
        same = (history[:, :, None] == history[:, None, :]).astype(steps.dtype)
        return nn.Dense(self.width)(same @ steps / same.sum(-1, keepdims=True))


@dataclass(frozen=True, kw_only=True)
class Bag(Model):
    """The mean of a history, read both ways."""

    causal: ClassVar[bool] = False

    def encoder(self, dtype: Any) -> nn.Module:
        return Mean(self.width)
