"""Packed rows to feed the encoders, and encoders whose every parameter is off its initial value."""

from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from lab import models

NAMES = ("RNN", "LSTM", "GRU", "Transformer", "HSTU")


class Rows(NamedTuple):
    steps: jax.Array
    starts: jax.Array
    time: jax.Array


class Built(NamedTuple):
    """A model, its module and parameters, all moved off their special initial values."""

    name: str
    settings: Any
    module: Any
    params: Any

    def __call__(self, rows: Rows, dropout: Any = None, key: Any = None) -> jax.Array:
        return _apply(self.module, self.params, rows, dropout, {} if key is None else {"dropout": key})


@partial(jax.jit, static_argnums=0)
def _apply(module: Any, params: Any, rows: Rows, dropout: Any, rngs: dict[str, jax.Array]) -> jax.Array:
    return module.apply(params, *rows, dropout, rngs=rngs)


def rows(seed: int, batch: int = 3, length: int = 17, width: int = 16, starts: float = 0.2) -> Rows:
    """Random rows of several histories each, whose clocks begin again at each start."""
    rng = np.random.default_rng(seed)
    flags = rng.random((batch, length)) < starts
    flags[:, 0] = True
    time = np.cumsum(rng.exponential(3.0, (batch, length)), 1)
    time -= np.maximum.accumulate(np.where(flags, time, 0), 1)
    steps = rng.standard_normal((batch, length, width))
    return Rows(jnp.asarray(steps, jnp.float32), jnp.asarray(flags), jnp.asarray(time, jnp.float32))


def build(name: str, dtype: Any = jnp.float32, **settings: Any) -> Built:
    model = getattr(models, name)(**{"width": 16, **settings})
    module = model.encoder(dtype)
    shapes = jax.eval_shape(module.init, jax.random.key(0), *rows(0, width=model.width), None)
    rng = np.random.default_rng(1)

    def value(path: Any, leaf: jax.ShapeDtypeStruct) -> jax.Array:
        drawn = rng.standard_normal(leaf.shape) * (0.3 if len(leaf.shape) == 1 else leaf.shape[0] ** -0.5)
        return jnp.asarray(drawn + (path[-1].key == "scale"), leaf.dtype)

    params = jax.tree_util.tree_map_with_path(value, shapes)
    return Built(name, model, module, params)
