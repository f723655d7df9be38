"""Compiling in a hurry what a test runs once."""

from collections.abc import Callable
from typing import Any

import jax


def quick(function: Callable[..., Any]) -> jax.stages.Wrapped:
    """The function jitted, hardly optimised."""
    options = {"xla_backend_optimization_level": 0, "xla_llvm_disable_expensive_passes": True}
    return jax.jit(function, compiler_options=options)
