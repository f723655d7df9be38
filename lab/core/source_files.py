"""The Python files that fingerprints follow: the lab's own and the user's, not those of Python or of libraries."""

import importlib.util
import sys
import sysconfig
from functools import cache
from pathlib import Path

from lab.core.errors import InputError
from lab.core.source_trees import LAB, SourceTree, read_tree

_HOME = Path(__file__).parents[1]
"""The folder of the lab itself."""

_INSTALLED = {sysconfig.get_path(name) for name in ("stdlib", "platstdlib", "purelib", "platlib")}


@cache
def file_of(module: str) -> Path | None:
    """The source of a module that is followed; None for all others. Nothing is imported for it."""
    top = module.partition(".")[0]
    if top == LAB:
        return _in_lab(module)
    if top in sys.stdlib_module_names:
        return None
    origin = getattr(sys.modules.get(module), "__file__", None) or _where(module)
    return Path(origin) if origin and origin.endswith(".py") and not _is_installed(Path(origin)) else None


def _in_lab(module: str) -> Path | None:
    path = _HOME.joinpath(*module.split(".")[1:])
    return next((file for file in (path / "__init__.py", path.with_suffix(".py")) if file.is_file()), None)


def _where(module: str) -> str | None:
    """Where Python would import a module of the user's from."""
    parent = module.rpartition(".")[0]
    if parent and (parent not in sys.modules or file_of(parent) is None):
        return None  # finding it would import its package
    try:
        spec = importlib.util.find_spec(module)
    except (ImportError, ValueError):
        return None
    return spec.origin if spec else None


def _is_installed(path: Path) -> bool:
    named = {"site-packages", "dist-packages"} & set(path.parts)
    return bool(named) or any(path.is_relative_to(folder) for folder in _INSTALLED)


@cache
def tree_of(module: str) -> SourceTree | None:
    """The names of a module that is followed; None for all others. Raises InputError where its file is no Python."""
    file = file_of(module)
    if file is None:
        return None
    _stamps[file] = _stamp(file)
    try:
        return read_tree(file.read_bytes(), package_of(module))
    except (SyntaxError, ValueError) as error:
        raise InputError(f"{file}: cannot be read as Python ({error}).") from None


def package_of(module: str) -> str:
    """What the relative imports of a module start from."""
    file = file_of(module)
    return module if file is not None and file.name == "__init__.py" else module.rpartition(".")[0]


_stamps: dict[Path, tuple[int, int, int]] = {}


def _stamp(file: Path) -> tuple[int, int, int]:
    try:
        found = file.stat()
    except OSError:
        return 0, 0, 0
    return found.st_ino, found.st_size, found.st_mtime_ns


def users_files_changed() -> bool:
    """Whether some file of the user's was changed since it was read, as between two runs of a notebook's cell."""
    return any(stamp != _stamp(file) for file, stamp in _stamps.items() if not file.is_relative_to(_HOME))


def forget_files() -> None:
    """Read all files anew when they are next asked for, wherever they then lie."""
    lab_modules.cache_clear()
    file_of.cache_clear()
    tree_of.cache_clear()
    _stamps.clear()


@cache
def lab_modules() -> tuple[str, ...]:
    """Every module of the lab by name."""
    paths = (path.relative_to(_HOME.parent).with_suffix("") for path in _HOME.rglob("*.py"))
    return tuple(sorted(".".join(path.parts).removesuffix(".__init__") for path in paths))
