"""Compiled programs that are kept: those that are broken go, the others stay."""

import subprocess
import sys
from pathlib import Path

PROGRAM = """
import sys
from pathlib import Path
from lab.running.backend import prepare_backend
import jax
prepare_backend(Path(sys.argv[1]))
jax.config.update("jax_persistent_cache_min_compile_time_secs", 0)
print(jax.jit(lambda x: x @ x + 1)(jax.numpy.ones((4, 4)))[0, 0])
"""


def run(cache: Path) -> str:
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", PROGRAM, str(cache)],
        capture_output=True,
        text=True,
        cwd=Path(__file__).resolve().parents[2],
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_a_compiled_program_that_is_cut_off_or_changed_is_compiled_anew_and_kept_whole(tmp_path: Path) -> None:
    assert run(tmp_path) == "5.0\n"
    entries = sorted((tmp_path / "compiled").glob("*-cache"))
    sizes = [entry.stat().st_size for entry in entries]
    assert len(entries) >= 2
    for entry in entries[1:]:
        entry.write_bytes(entry.read_bytes()[:100])
    raw = bytearray(entries[0].read_bytes())
    raw[len(raw) // 2] ^= 0xFF
    entries[0].write_bytes(raw)
    kept = tmp_path / "compiled"
    assert run(tmp_path) == "5.0\n"
    assert sorted(kept.glob("*-cache")) == entries
    assert all(abs(entry.stat().st_size - size) < 100 for entry, size in zip(entries, sizes, strict=True))
    assert run(tmp_path) == "5.0\n"
