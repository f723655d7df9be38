"""An experiment's file may have any name that the file system takes."""

from pathlib import Path

import pytest

from lab.core.errors import InputError
from lab.experiment.cells import grid
from lab.experiment.loading import load_experiment

FILE = '''
from dataclasses import dataclass
from lab import Experiment, register
from lab.data.sources import SyntheticShop
from lab.models import LSTM
from lab.targets import Interest

@register
@dataclass(frozen=True, kw_only=True)
class {name}(LSTM):
    """A model of the file's own, whose code is in its cells' identity."""

register(Experiment(name="named_{name}", source=SyntheticShop(), target=Interest(), horizons=(7,), seeds=1,
                    features={{"ids": ("category",)}}, models=({name}(width=4),)))
'''
NAMES = ["$HOME $(id)", "a[1]*?", "new\nline", "quo'te\"s", "a.b.c", "-dash", "\x1b[31mred", "é\u202e", "1", "x" * 240]


@pytest.mark.parametrize("place", range(len(NAMES)))
def test_any_name_is_loaded_and_its_own_code_is_known(tmp_path: Path, place: int) -> None:
    (tmp_path / f"{NAMES[place]}.py").write_text(FILE.format(name=f"Mine{place}"))
    experiment, _ = load_experiment(tmp_path / f"{NAMES[place]}.py")
    (cell,) = [one for one in grid(experiment, "data", oracle=False) if one.kind == "model"]
    assert any(name.startswith("lab_experiment_") for name in cell.code.modules)


def test_a_name_that_is_too_long_is_said(tmp_path: Path) -> None:
    with pytest.raises((InputError, OSError), match=r"(?i)too long"):
        load_experiment(tmp_path / f"{'x' * 300}.py")
