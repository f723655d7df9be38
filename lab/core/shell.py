"""A command of the lab as it can be typed again where this one was."""

import os
import shlex
import shutil
import sys
from pathlib import Path


def shell_command(module: str, *arguments: str) -> str:
    """`python -m lab.run FILE`, by the interpreter that runs now: `python` only where that is what the shell finds."""
    return shlex.join([_interpreter(), "-m", module, *arguments])


def _interpreter() -> str:
    # Of a virtual environment the link counts, not what it leads to.
    mine = Path(os.path.abspath(sys.executable))
    found = shutil.which("python")
    if found is not None and Path(os.path.abspath(found)) == mine:
        return "python"
    return str(mine.relative_to(Path.cwd())) if mine.is_relative_to(Path.cwd()) else str(mine)
