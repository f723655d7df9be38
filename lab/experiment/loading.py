"""From a Python file to the experiment it registers."""

import importlib.util
import inspect
import re
import sys
from dataclasses import fields, is_dataclass
from pathlib import Path
from types import ModuleType

from lab.core.errors import InputError
from lab.core.spelling import did_you_mean
from lab.core.user_code import last_line_in
from lab.experiment.experiment import Experiment
from lab.experiment.registry import experiments, forget


def load_experiment(path: Path) -> tuple[Experiment, str]:
    """Run the file and return the one experiment it registers, and the file's own docstring.

    Raises InputError when there is no such file, when it fails, or when it registers none or several.
    """
    if not path.is_file():
        raise InputError(f"{path}: {_not_a_file(path)}; name an experiment such as experiments/lstm_vs_transformer.py.")
    forget(str(path))
    before = experiments()
    about = _execute(path)
    added = [experiment for name, experiment in experiments().items() if before.get(name) is not experiment]
    if len(added) != 1:
        names = ", ".join(e.name for e in added) or "none"
        raise InputError(f"{path}: registers {len(added)} experiments ({names}); a file must register exactly one.")
    return added[0], about


def _execute(path: Path) -> str:
    spec = importlib.util.spec_from_file_location(f"lab_experiment_{path.stem}", path)
    if spec is None or spec.loader is None:
        raise InputError(
            f"{path}: is not a Python file; an experiment is one, such as experiments/lstm_vs_transformer.py."
        )
    module = importlib.util.module_from_spec(spec)
    # Before it runs: dataclasses and tyro look a class's module up there.
    sys.modules[spec.name] = module
    try:
        spec.loader.exec_module(module)
    except SystemExit as error:
        raise InputError(
            f"{_place(path, error)}: ends Python (exit code {error.code or 0}) while it is loaded; take the call of "
            f"exit out, or put it under `if __name__ == '__main__':`."
        ) from None
    except InputError as error:
        raise InputError(str(error) if _names_a_place(path, error) else f"{_place(path, error)}: {error}") from None
    except Exception as error:
        raise InputError(
            f"{_place(path, error)}: {type(error).__name__}: {error}{_suggestion(error, module)}"
        ) from None
    return inspect.cleandoc(module.__doc__ or "")


def _not_a_file(path: Path) -> str:
    if path.is_dir():
        return "is a folder, and a Python file is wanted"
    return "FILE comes first, its settings after it" if str(path).startswith("-") else "there is no such file"


def _place(path: Path, error: BaseException) -> str:
    """`file:line` of the file's own line that failed, where one did."""
    line = getattr(error, "lineno", None)
    return last_line_in(path, error) or (f"{path}:{line}" if line else str(path))


def _names_a_place(path: Path, error: InputError) -> bool:
    """Whether the message begins with a place in the file, as a registration's does."""
    said = re.match(r"(.+?):\d+: ", str(error))
    return said is not None and Path(said[1]).resolve() == path.resolve()


def _suggestion(error: Exception, module: ModuleType) -> str:
    """The nearest setting to a misspelt one of a class that the file uses."""
    wrong = re.search(r"(\w+)\.__init__\(\) got an unexpected keyword argument '(\w+)'", str(error))
    settings = getattr(module, wrong[1], None) if wrong else None
    if wrong is None or not is_dataclass(settings):
        return ""
    return did_you_mean(wrong[2], [f.name for f in fields(settings)])
