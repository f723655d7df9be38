"""What every model is: frozen settings and a pure linen encoder of one interface."""

from dataclasses import dataclass
from typing import ClassVar

import jax.numpy as jnp
from flax import linen as nn

from lab.core.errors import InputError
from lab.core.setting_types import check_types

MOST_LAYERS = 1_000
"""More could not be compiled within a day."""


@dataclass(frozen=True, kw_only=True)
class Model:
    """Settings of an encoder. A subclass adds its own fields and builds the module.

    The module is called as `encoder(steps, starts, time, dropout)` and returns Float[B, T, D]:

    - steps: Float[B, T, D], the embedded steps, D = width; rows hold several histories end to end.
    - starts: Bool[B, T], true at each history's first step (and at the first step of the padding):
      nothing may cross it from the left.
    - time: Float32[B, T], days since the history's first step; not descending between starts.
    - dropout: a Float32 scalar, the rate, drawn from the rng stream "dropout"; None when evaluating.
    """

    causal: ClassVar[bool] = True
    """Whether output t depends on steps up to t alone. A model that is not gets a history
    once for each query, ending there, which costs as many times the steps."""

    width: int = 64
    """Width D of the embedding and of the encoder's output."""

    def __post_init__(self) -> None:
        check_types(self, type(self).__name__)
        self.require_positive("width")
        layers = getattr(self, "layers", 1)
        if isinstance(layers, int) and layers > MOST_LAYERS:
            raise InputError(f"{type(self).__name__}.layers: {layers:,} is too many; use 1 to {MOST_LAYERS:,}.")

    def require_positive(self, *names: str, least: int = 1) -> None:
        """Raise InputError, naming the model and the setting, where one of these is below `least`."""
        for name in names:
            value = getattr(self, name)
            if value < least:
                possible = f"use a whole number from {least}."
                raise InputError(f"{type(self).__name__}.{name}: {value!r} is not possible; {possible}")

    def require_heads(self, heads: int, multiple: int = 1) -> None:
        """Raise InputError, naming what would do, where width / heads is no multiple of this."""
        if self.width % (multiple * heads):
            possible = [str(n) for n in range(1, self.width // multiple + 1) if self.width % (multiple * n) == 0]
            said = "a whole number" if multiple == 1 else f"a multiple of {multiple}"
            raise InputError(
                f"{type(self).__name__}.heads: {heads} heads do not fit width {self.width}, since width / heads must "
                f"be {said}; use {', '.join(possible)}."
            )

    def encoder(self, dtype: jnp.dtype) -> nn.Module:
        """The encoder, computing in `dtype` (parameters stay float32)."""
        raise TypeError(f"{type(self).__name__} defines no encoder")
