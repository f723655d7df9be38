"""JAX made ready for a run: the CPU cut into devices, and compiled programs kept for the next time."""

from contextlib import suppress
from pathlib import Path

import jax
from jax._src.compilation_cache import decompress_executable

from lab.core.digests import cache_root
from lab.training.devices import default_devices, use_devices


def prepare_backend(cache: Path | None, devices: int | None = None) -> None:
    """Call before anything touches a device; `devices` says how many the CPU has, by default one for each core.

    The compilation cache is keyed by program, options, backend and version, so that a stale entry is
    never used, and each entry has a checksum; a folder that cannot be written costs the cache and nothing else.
    """
    use_devices(devices or default_devices())
    folder = cache_root(cache) / "compiled"
    remove_broken_programs(folder)
    jax.config.update("jax_compilation_cache_dir", str(folder))
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.5)


def remove_broken_programs(folder: Path) -> None:
    """Remove compiled programs that are not whole.

    JAX writes them in place, so that a process that is killed there leaves a part; it then compiles anew each
    time and warns, but never mends what exists. One that another process is writing just now is compiled again later.
    """
    for entry in folder.glob("*-cache"):
        try:
            decompress_executable(entry.read_bytes())
        except OSError:
            continue  # gone already, or not ours to read
        except Exception:  # as many kinds as there are ways to compress
            with suppress(OSError):
                entry.unlink()
