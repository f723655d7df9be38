"""Whether an encoder keeps its word: its shape, nothing of what follows, and nothing of the history before."""

from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from lab.core.errors import InputError
from lab.models.base import Model

STEPS, START = 10, 6
"""A small row: two histories, the second from step START."""

CLOSE = 1e-4
"""By which outputs may differ and still be the same, relative to their size: sums may be taken in another order."""


def check_encoders(models: Sequence[Model]) -> None:
    """Raise InputError for a model whose outputs move with steps they must not see; tests hold the lab's own to it."""
    for model in models:
        if not type(model).__module__.startswith("lab.models."):
            check_encoder(model)


def check_encoder(model: Model) -> None:
    """Try a model's encoder on random steps, some of them exchanged for others; an exception of its own passes."""
    name, (output, steps) = type(model).__name__, _encoder_and_steps(model)
    plain, other = output(steps), np.flip(steps, 1) + 1
    if not np.isfinite(plain).all():
        raise InputError(
            f"models: the encoder of {name} gives numbers that are not finite ({plain[~np.isfinite(plain)][0]}) for "
            f"steps drawn from a normal distribution."
        )
    if _differs(plain, output(np.where(_place < START, other, steps)))[START:].any():
        raise InputError(
            f"models: the encoder of {name} carries one history into the next of its row; let nothing cross a step "
            f"at which `starts` is true."
        )
    for step in range(1, START) if model.causal else ():
        if _differs(plain, output(np.where(_place >= step, other, steps)))[:step].any():
            raise InputError(
                f"models: the output of {name} at a step moves with steps that follow it. Where it shall read both "
                f"ways, write `causal: ClassVar[bool] = False` in {name}; else mask what follows."
            )


_place = np.arange(STEPS)[None, :, None]


def _encoder_and_steps(model: Model) -> tuple[Callable[[np.ndarray], np.ndarray], np.ndarray]:
    """The encoder as a function of its steps alone, and random steps [1, T, D]."""
    encoder = model.encoder(jnp.dtype("float32"))
    steps = np.random.default_rng(0).normal(size=(1, STEPS, model.width)).astype(np.float32)
    starts = jnp.asarray(np.isin(_place[..., 0], (0, START)))
    time = jnp.asarray(_place[..., 0] % START, jnp.float32)
    params = jax.jit(lambda s: encoder.init(jax.random.key(0), s, starts, time, None))(steps)
    apply = jax.jit(lambda s: encoder.apply(params, s, starts, time, None))
    said = jax.eval_shape(apply, steps)
    if getattr(said, "shape", None) != steps.shape:
        _, count, width = steps.shape
        raise InputError(
            f"models: the encoder of {type(model).__name__} gives {_shaped(said)} for steps of [1, {count}, {width}]; "
            f"it must give [B, T, {width}] for [B, T, {width}], one vector of its width for each step."
        )
    return lambda changed: np.asarray(apply(changed))[0], steps


def _shaped(said: Any) -> str:
    return f"{list(said.shape)}" if hasattr(said, "shape") else f"a {type(said).__name__}"


def _differs(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """bool[T, 1]: at which steps two outputs [T, D] differ by more than rounding."""
    return np.any(np.abs(a - b) > CLOSE * (1 + np.abs(a)), axis=-1, keepdims=True)
