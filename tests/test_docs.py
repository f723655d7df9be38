"""What the docs show can be run as it stands."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pandas as pd

from lab.loading import load_experiment

ROOT = Path(__file__).parents[1]

EXPERIMENT = """
from lab import Experiment, Timeline, Training
from lab.baselines import RecentPopularity
from lab.data.sources import SyntheticShop
from lab.targets import Interest

register(Experiment(
    name="docs", source=SyntheticShop(users=60, days=60, categories=6, items=30), target=Interest(), horizons=(7,),
    models=(Fade(width=8),), features={"mine": ("category", "weekend")}, seeds=1, baselines=(RecentPopularity(),),
    timeline=Timeline(min_events=1), training=Training(steps=2, batch=2, row_length=32, overlap=8),
))
"""


def blocks(name: str) -> list[str]:
    return re.findall(r"```python\n(.*?)```", (ROOT / name).read_text(), re.DOTALL)


def test_the_readme_s_experiment_loads(tmp_path: Path) -> None:
    file = tmp_path / "readme.py"
    file.write_text(blocks("README.md")[0])
    experiment, _ = load_experiment(file)
    assert experiment.horizons == (1, 7, 30) and len(experiment.models) == 2


def test_the_classes_of_contributing_train(tmp_path: Path) -> None:
    file = tmp_path / "mine.py"
    file.write_text("\n".join([*blocks("CONTRIBUTING.md"), EXPERIMENT]))
    places = ["--out", str(tmp_path / "out"), "--cache", str(tmp_path / "cache")]
    command = [sys.executable, "-m", "lab.run", str(file), *places, "--tracking.mode", "off", "--no-report"]
    environment = os.environ | {"JAX_NUMPY_RANK_PROMOTION": "allow"}
    ran = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr
    cells = pd.read_csv(tmp_path / "out" / "docs" / "cells.csv")
    assert set(cells[cells.features == "mine"].status) == {"done"}
