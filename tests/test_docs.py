"""What the docs show can be run as it stands."""

import re
from pathlib import Path

import pandas as pd

from lab.experiment.loading import load_experiment
from tests.forking import Home, Server

ROOT = Path(__file__).parents[1]

EXPERIMENT = """
from lab import Experiment, Timeline, Training
from lab.baselines import RecentPopularity
from lab.data.sources import SyntheticShop
from lab.targets import Interest

register(Experiment(
    name="docs", source=SyntheticShop(users=60, days=60, categories=6, items=30), target=Interest(), horizons=(7,),
    models=(Fade(width=8),), features={"mine": ("category", "weekend")}, seeds=1,
    baselines=(RecentPopularity(), Fortnight()), timeline=Timeline(min_events=1),
    training=Training(steps=2, batch=2, row_length=32, overlap=8),
))
"""
COUNTED = EXPERIMENT.replace("target=Interest()", "target=Activity()").replace(
    "baselines=(RecentPopularity(), Fortnight()), ", ""
)


def blocks(name: str) -> list[str]:
    return re.findall(r"```python\n(.*?)```", (ROOT / name).read_text(), re.DOTALL)


def test_the_readme_s_experiment_loads(tmp_path: Path) -> None:
    file = tmp_path / "readme.py"
    file.write_text(blocks("README.md")[0])
    experiment, _ = load_experiment(file)
    assert experiment.horizons == (1, 7, 30) and len(experiment.models) == 2


def test_the_classes_of_contributing_train(tmp_path: Path, forks: Server) -> None:
    file = tmp_path / "mine.py"
    file.write_text("\n".join([*blocks("CONTRIBUTING.md"), EXPERIMENT]))
    ran = Home(forks, tmp_path).run("lab.run", "mine.py", "--out", "out", "--no-report")
    assert ran.code == 0, ran.complained
    cells = pd.read_csv(tmp_path / "out" / "docs" / "cells.csv")
    assert set(cells.status) == {"done"} and "fortnight" in set(cells.model)


def test_the_target_of_contributing_trains_beside_its_baseline(tmp_path: Path, forks: Server) -> None:
    (tmp_path / "mine.py").write_text("\n".join([*blocks("CONTRIBUTING.md"), COUNTED]))
    ran = Home(forks, tmp_path).run("lab.run", "mine.py", "--out", "out", "--no-report")
    assert ran.code == 0 and "Next 7 days: " in ran.said, ran.complained
    assert "deviance at the test cutoff: mean" in ran.said and "same again" in ran.said
