"""JAX made ready for a run: a device for every core, and compiled programs kept for the next time."""

from pathlib import Path

import jax

from lab.data.digests import cache_root
from lab.training.devices import use_all_cores


def prepare_backend(cache: Path | None) -> None:
    """Call before anything touches a device.

    The compilation cache is keyed by program, options, backend and version, so that a stale entry is
    never used; a folder that cannot be written costs the cache and nothing else.
    """
    use_all_cores()
    jax.config.update("jax_compilation_cache_dir", str(cache_root(cache) / "compiled"))
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.5)
