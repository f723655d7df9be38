"""What is known by name is listed, in a page's width, without what takes seconds to import."""

import subprocess
import sys
from pathlib import Path

import pytest

from lab.commands.part_list import HEADINGS, list_parts
from lab.experiment.loading import load_experiment
from lab.experiment.registry import PACKAGES, shipped

ROOT = Path(__file__).parents[2]
SHIPPED = sorted((ROOT / "experiments").glob("*.py"))

OWN = '''"""Asks something."""
from dataclasses import dataclass
from lab import register
from lab.models import RNN
from tests.small_experiment import small_experiment

@register
@dataclass(frozen=True, kw_only=True)
class Listed(RNN):
    """One of mine."""

register(small_experiment(name="listed_by_a_file", models=(Listed(),)))
'''


def test_every_class_that_ships_and_every_experiment_is_listed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    lines = list(list_parts())
    headings = [f"{HEADINGS[kind]}, from {package}" for kind, (package, _) in PACKAGES.items()]
    assert max(map(len, lines)) <= 80 and {*headings, "experiments"} <= set(lines)
    first = [line.split()[0].lower() for line in lines if line.strip()]
    names = {name.replace("_", "").replace(" ", "") for kind in PACKAGES for name in shipped(kind)}
    assert names <= {name.replace("_", "") for name in first}
    words = {word.rstrip(":") for line in lines for word in line.split()}
    assert {cls.__name__ for kind in PACKAGES for cls in shipped(kind).values()} <= words
    assert {f"experiments/{file.name}" for file in SHIPPED} <= set(first)


def test_a_file_of_ones_own_is_listed_with_what_it_registers(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(OWN)
    said = " ".join(" ".join(list_parts(tmp_path / "mine.py")).split())
    assert f"listed ({tmp_path / 'mine.py'}) Listed: One of mine." in said
    assert f"listed_by_a_file ({tmp_path / 'mine.py'}) Asks something." in said


def test_the_list_needs_no_jax() -> None:
    code = "import sys; sys.argv = ['run', '--list']; from lab.run import main\ntry:\n    main()\nfinally:\n"
    code += "    print(sorted({'jax', 'polars', 'pandas', 'flax'} & set(sys.modules)))"
    said = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert said.splitlines()[-1] == "[]" and "Transformer" in said


@pytest.mark.parametrize("file", SHIPPED, ids=lambda file: file.stem)
def test_an_experiment_that_ships_says_what_it_asks_and_how_to_run_it(file: Path) -> None:
    experiment, about = load_experiment(file)
    assert experiment.name == file.stem
    assert all(f"\n{word}: " in about for word in ("Asks", "Expect", "Takes", "Run"))
    assert f"python -m lab.run experiments/{file.name}" in about
