"""What numbers were computed with: the code's state, packages, machine and devices; no name, no path, no user."""

import hashlib
import os
import platform
import re
import resource
import subprocess
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import lab

PACKAGES = ("jax", "jaxlib", "flax", "optax", "numpy", "polars", "pandas", "pyarrow", "scipy", "scikit-learn", "grain")
"""Packages that numbers, or the bytes that hold them, depend on."""

JAX_SETTINGS = (
    *("jax_num_cpu_devices", "jax_enable_x64", "jax_default_matmul_precision", "jax_default_prng_impl"),
    *("jax_threefry_partitionable", "jax_disable_most_optimizations"),
)
"""JAX settings that can move bits."""

TRACKED = ("lab", "experiments", "pyproject.toml", "requirements.lock")
"""What of a checkout counts as a change of it; results do not."""


def describe_machine() -> dict[str, Any]:
    """Interpreter, system, processor, packages, JAX and its devices."""
    import jax

    devices = jax.local_devices()
    return {
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.machine()}",
        "processor": _processor(),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1,
        "memory_bytes": os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"),
        "packages": {name: _version(name) for name in PACKAGES},
        "jax": {name: jax.config.values.get(name) for name in JAX_SETTINGS},
        "xla_flags": without_paths(_xla_flags()),
        "devices": {"platform": devices[0].platform, "kind": devices[0].device_kind, "count": jax.device_count()},
    }


def _xla_flags() -> str:
    """But for the number of devices, which stands among these."""
    return re.sub(r"--xla_force_host_platform_device_count=\d+\s*", "", os.environ.get("XLA_FLAGS", "")).strip()


def describe_code() -> dict[str, Any]:
    """The lab's version; of a checkout its commit, a hash of what differs from it (None: nothing), and of its lock."""
    root = Path(lab.__path__[0]).parent
    lock = root / "requirements.lock"
    here = (root / ".git").exists()
    commit = _git(root, "rev-parse", "HEAD").decode().strip() if here else ""
    return {
        "version": _version("interest-lab"),
        "commit": commit or None,
        "dirty": _dirty(root) if commit else None,
        "lock_sha256": hashlib.sha256(lock.read_bytes()).hexdigest() if lock.is_file() else None,
    }


def peak_memory() -> int:
    """Bytes that this process held at most."""
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most if sys.platform == "darwin" else most * 1024


def without_paths(text: str) -> str:
    """The text with every absolute path cut to its last name."""
    return re.sub(r"(?<![\w.])~?(?:/[^\s/:;,'\"]+)*/([^\s/:;,'\"]+)/?", r"\1", text)


def _dirty(root: Path) -> str | None:
    changes = _git(root, "diff", "HEAD", "--binary", "--", *TRACKED)
    added = _git(root, "ls-files", "-z", "--others", "--exclude-standard", "--", *TRACKED).split(b"\0")
    files = [root / os.fsdecode(name) for name in sorted(filter(None, added))]
    changes += b"".join(file.name.encode() + file.read_bytes() for file in files if file.is_file())
    return hashlib.sha256(changes).hexdigest() if changes else None


def _git(root: Path, *arguments: str) -> bytes:
    """What git says; nothing where there is no git, or where it refuses."""
    try:
        return subprocess.run(["git", "-C", str(root), *arguments], capture_output=True, check=True).stdout
    except (OSError, subprocess.CalledProcessError):
        return b""


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


VECTORS = r"avx|avx2|fma|avx512\w*|amx\w*|neon|asimd|sve2?"
"""Instruction sets that compilers choose by; what has others rounds otherwise."""


def _processor() -> str:
    """Such as `AMD EPYC, family 25, model 1: avx avx2 fma`: names alone do not tell generations apart."""
    info = Path("/proc/cpuinfo")
    text = info.read_text() if info.is_file() else ""

    def field(name: str) -> str:
        found = re.search(rf"^{name}\s*:\s*(.+)$", text, re.M)
        return found[1].strip() if found else ""

    name = field("model name") or platform.processor() or platform.machine()
    numbers = [f"{word} {field(key)}" for key, word in (("cpu family", "family"), ("model", "model")) if field(key)]
    vectors = sorted({flag for flag in (field("flags") or field("Features")).split() if re.fullmatch(VECTORS, flag)})
    return ", ".join([name, *numbers]) + (f": {' '.join(vectors)}" if vectors else "")
