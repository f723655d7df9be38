"""Where in a user's own code something went wrong: the last line outside the lab and the libraries."""

import sysconfig
import traceback
from pathlib import Path

from lab.core.errors import InputError

_OTHERS = [str(Path(__file__).parents[1]), *{sysconfig.get_path(name) for name in ("stdlib", "purelib", "platlib")}]
"""Folders whose code no user wrote."""


def last_line_in(path: Path, error: BaseException) -> str | None:
    """`file:line` of a file's last line on the way to an exception, None where it was not on it."""
    own = [f for f in traceback.extract_tb(error.__traceback__) if Path(f.filename).resolve() == path.resolve()]
    return f"{path}:{own[-1].lineno}" if own else None


def user_code_error(error: Exception) -> InputError | None:
    """What to say of an exception raised in, or by what was called from, a user's own class; None of the lab's own."""
    walked = [(f.f_code, line) for f, line in traceback.walk_tb(error.__traceback__) if _is_own(f.f_code.co_filename)]
    if not walked:
        return None
    code, line = walked[-1]
    said = " ".join((str(error).strip().splitlines() or [""])[0].split()).rstrip(".")
    file = Path(code.co_filename)
    place = file.relative_to(Path.cwd()) if file.is_relative_to(Path.cwd()) else file
    return InputError(f"{place}:{line}: in {code.co_qualname}: {type(error).__name__}: {said}.")


def _is_own(file: str) -> bool:
    return Path(file).is_file() and not any(Path(file).is_relative_to(folder) for folder in _OTHERS)
