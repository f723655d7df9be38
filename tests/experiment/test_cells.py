"""A cell is its name: what moves it, what does not, in this process and in others."""

import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lab.data.fold.categories import Categories
from lab.data.timeline import Timeline
from lab.experiment.cells import Cell, grid
from lab.experiment.experiment import Experiment
from lab.experiment.fingerprints import canonical, code_fingerprint, digest, identity
from lab.experiment.loading import load_experiment
from lab.features import Habit
from lab.models import GRU, LSTM
from lab.targets import Interest
from lab.training.settings import Training
from tests.small_experiment import small_experiment


def cell(experiment: Experiment, model: str = "LSTM width=8", features: str = "more", data: str = "data") -> Cell:
    wanted = (model, features, 7.0, 0, 0)
    (found,) = [c for c in grid(experiment, data, False) if (c.model, c.features, c.horizon, c.fold, c.seed) == wanted]
    return found


HERE = small_experiment()


@pytest.mark.parametrize(
    "changes",
    [
        {"training": Training(steps=601)},
        {"training": Training(learning_rate=1e-4)},
        {"training": Training(dtype="bfloat16")},
        {"target": Interest(weights="counts")},
        {"target": Interest(categories=Categories(clusters=9))},
        {"timeline": Timeline(min_events=4)},
        {"timeline": Timeline(query_every=3)},
        {"horizons": (7, 14)},  # the calendar of training queries is shared
        {"groups": (Habit(days=(1,)),)},
        {"features": {"more": ("category", "habit", "time")}},
    ],
)
def test_a_cell_moves_with_what_its_numbers_depend_on(changes: dict[str, Any]) -> None:
    assert cell(small_experiment(**changes)).id != cell(HERE).id


def test_a_cell_moves_with_its_data_its_code_and_its_packages() -> None:
    here = cell(HERE)
    assert cell(HERE, data="other").id != here.id
    assert here.fingerprints.keys() == {"data", "code", "packages"}
    assert here.id.endswith(f"-{identity(here.config, here.fingerprints)}")
    for name in here.fingerprints:
        assert not here.id.endswith(identity(here.config, {**here.fingerprints, name: "other"}))


@pytest.mark.parametrize(
    "changes",
    [
        {"training": Training(cells_at_once=3, resident_gib=0.5)},
        {"models": (LSTM(width=8),)},
        {"models": (GRU(width=9), LSTM(width=8))},
        {"features": {"more": ("habit", "category")}},
        {"seeds": 9},
        {"name": "other"},
        {"horizons": (7.0, 30.0)},
        {"baselines": ()},
        {"groups": (Habit(),)},
        {"timeline": Timeline(active_days=365.0, folds=2)},
    ],
)
def test_a_cell_stays_when_only_others_change(changes: dict[str, Any]) -> None:
    assert cell(small_experiment(**changes)).id == cell(HERE).id


def test_every_cell_has_a_name_of_its_own() -> None:
    names = [c.id for c in grid(small_experiment(timeline=Timeline(folds=2)), "data", True)]
    assert len(set(names)) == len(names) == 2 * 2 * (1 + 6) + 2 * 2 * 2 * 2 * 2
    assert cell(HERE, data="other").id != cell(HERE).id
    assert all(len(name) <= 93 and set(name) <= set("abcdefghijklmnopqrstuvwxyz0123456789.=_-") for name in names)


def test_a_baseline_does_not_depend_on_training_or_features() -> None:
    def baselines(experiment: Experiment) -> list[str]:
        return [c.id for c in grid(experiment, "data", False) if c.kind == "baseline"]

    other = replace(HERE, training=Training(steps=1), features={"x": ("time",)}, seeds=1)
    assert baselines(other) == baselines(HERE)


def test_canonical_forms() -> None:
    value = {"b": (1, 2.0, np.float32(0.5), np.int64(3)), "a": [None, True, Path("x")]}
    assert canonical(value) == {"a": [None, True, "x"], "b": [1, 2, 0.5, 3]}
    assert list(canonical(value)) == ["a", "b"]
    assert canonical(Habit(days=(1, 7.0))) == {"type": "Habit", "days": [1, 7]}
    assert digest({"a": 7, "b": 1}) == digest({"b": 1, "a": 7.0}) != digest({"a": 7.5, "b": 1})
    assert digest(LSTM(width=8)) != digest(GRU(width=8))
    with pytest.raises(TypeError, match="is no setting"):
        canonical({1, 2})


PROGRAM = """
from tests.experiment.test_cells import HERE, grid
for c in grid(HERE, "data", True):
    print(c.id)
"""


def test_names_are_the_same_in_fresh_processes() -> None:
    here = [c.id for c in grid(HERE, "data", True)]
    ran = subprocess.run([sys.executable, "-c", PROGRAM], env=os.environ | {"PYTHONHASHSEED": "7", "PYTHONPATH": "."},
                         capture_output=True, text=True, check=True)  # fmt: skip
    assert ran.stdout.split() == here


OWN = '''"""About."""
from dataclasses import dataclass
from lab import Experiment, register
from lab.data.sources import SyntheticShop
from lab.models import LSTM
from lab.targets import Interest

DEPTH = 1

def scaled(x):
    return x * DEPTH

@register
@dataclass(frozen=True, kw_only=True)
class Mine(LSTM):
    """Mine."""
    width: int = scaled(8)

register(Experiment(name="own_file", source=SyntheticShop(), target=Interest(), horizons=(7,),
                    features={"ids": ("category",)}, models=(Mine(width=8),), seeds=1))
'''


def own(path: Path, changes: Mapping[str, str]) -> str:
    """The code fingerprint of the model in a user's file."""
    text = OWN
    for old, new in changes.items():
        assert old in text
        text = text.replace(old, new)
    path.write_text(text)
    experiment, _ = load_experiment(path)
    return code_fingerprint("model", experiment.models).digest


def test_the_code_of_a_users_file_counts_and_its_settings_do_not(tmp_path: Path) -> None:
    path = tmp_path / "own_file.py"
    first = own(path, {})
    assert own(path, {"seeds=1": "seeds=5", '"""About."""': '"""All about."""'}) == first
    assert own(path, {"DEPTH = 1": "DEPTH = 1\nAPART = 2"}) == first
    # What the class leans on is code too, wherever in the file it stands.
    assert own(path, {"DEPTH = 1": "DEPTH = 2"}) != first
    assert own(path, {"x * DEPTH": "x + DEPTH"}) != first
    assert own(path, {"(frozen=True, kw_only=True)": "(frozen=True, kw_only=True, order=True)"}) != first
    assert code_fingerprint("model", [LSTM()]) != code_fingerprint("model", [GRU()])
    assert code_fingerprint("model", [LSTM(width=8)]) == code_fingerprint("model", [LSTM()])
