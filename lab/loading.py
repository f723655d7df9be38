"""From a Python file to the experiment it registers."""

import importlib.util
import inspect
import sys
import traceback
from pathlib import Path

from lab.errors import InputError
from lab.experiment import Experiment
from lab.registry import experiments, forget


def load_experiment(path: Path) -> tuple[Experiment, str]:
    """Run the file and return the one experiment it registers, and the file's own docstring.

    Raises InputError when there is no such file, when it fails, or when it registers none or several.
    """
    if not path.is_file():
        raise InputError(
            f"{path}: there is no such file; name an experiment such as experiments/lstm_vs_transformer.py."
        )
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
    except InputError as error:
        raise InputError(f"{path}: {error}") from None
    except Exception as error:
        frames = [f for f in traceback.extract_tb(error.__traceback__) if f.filename == str(path)]
        line = frames[-1].lineno if frames else getattr(error, "lineno", None)
        place = f"{path}:{line}" if line else str(path)
        raise InputError(f"{place}: {type(error).__name__}: {error}") from None
    return inspect.cleandoc(module.__doc__ or "")
