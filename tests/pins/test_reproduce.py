"""Reproducing a pin with the command, in fresh processes."""

import json
from pathlib import Path
from typing import Any

import pytest

from lab.pins.pin import read_pin, write_pin
from tests.forking import Home, Server

COMMITTED = Path(__file__).parent / "tiny.json"
"""A pin of an experiment on the embedded shop, made on some machine once."""

TINY = '''"""Does a price help on a tiny shop?"""
from lab import Experiment, Training, register
from lab.baselines import RecentPopularity
from lab.data.sources import Table
from lab.models import RNN
from lab.targets import Interest

register(Experiment(
    name="tiny",
    source=Table(path="logs/log.csv"),
    target=Interest(),
    horizons=(3,),
    features={"ids": ("category", "behaviour")},
    models=(RNN(width=4),),
    seeds=2,
    training=Training(steps=10, batch=4, row_length=32, overlap=8, evaluate_every=5, patience=0),
    baselines=(RecentPopularity(),),
))
'''


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the tiny experiment and its log."""
    home = tmp_path_factory.mktemp("pinned")
    (home / "logs").mkdir()
    lines = [f"secret{i % 20},i{i % 7},c{i * i % 5},{1_700_000_000 + i * 4_000}" for i in range(400)]
    (home / "logs" / "log.csv").write_text("\n".join(["user,item,category,time", *lines]) + "\n")
    (home / "tiny.py").write_text(TINY)
    return home


@pytest.fixture(scope="module")
def commands(home: Path, forks: Server) -> Home:
    """Commands in that folder, after the tiny experiment has run there."""
    commands = Home(forks, home, quick=False)
    ran = commands.run("lab.run", "tiny.py")
    assert ran.code == 0, ran.complained
    return commands


def pin_of(home: Path, out: str = "results") -> dict[str, Any]:
    pin = read_pin(home / out / "tiny" / "pin.json")
    del pin["digest"]
    return pin


def test_the_pin_is_private_and_the_same_but_for_its_times(home: Path, commands: Home) -> None:
    text = (home / "results" / "tiny" / "pin.json").read_text()
    assert str(home) not in text and "secret" not in text and "price help" in text
    assert commands.run("lab.run", "tiny.py", "--out", "again", "--no-report").code == 0
    pins = [pin_of(home), pin_of(home, "again")]
    for pin in pins:
        assert pin.pop("run")["seconds"] > 0
        assert all(cell.pop("timing") for cell in pin["cells"])
    assert pins[0] == pins[1]


def test_a_pin_comes_out_again_to_the_bit(home: Path, commands: Home) -> None:
    told = commands.run("lab.reproduce", "results/tiny/pin.json", "--source.path", "logs/log.csv")
    assert told.code == 0, told.said + told.complained
    assert "3 of 3 matched at level bitwise" in told.said
    assert max(map(len, told.said.splitlines())) <= 80


def test_another_metric_in_the_pin_fails(home: Path, commands: Home) -> None:
    pin = pin_of(home)
    changed = next(cell for cell in pin["cells"] if cell["kind"] == "baseline")
    place = next(i for i, metric in enumerate(changed["metrics"]) if metric[2] == "ndcg@10")
    changed["metrics"][place][3] += 1e-4
    pin["machine"]["processor"] = "another"
    write_pin(home / "wrong.json", pin)
    told = commands.run("lab.reproduce", "wrong.json", "--source.path", "logs/log.csv", "--out", "reproduced")
    assert told.code == 1 and "differs" in told.said
    assert "machine.processor: another in the pin" in told.said and "2 of 3 matched at level tolerance" in told.said


@pytest.mark.parametrize("level", ["auto", "bitwise", "tolerance", "statistical"])
def test_a_setting_that_moved_is_named_at_every_level_before_anything_is_computed(
    home: Path, commands: Home, level: str
) -> None:
    pin = pin_of(home)
    pin["experiment"]["training"]["learning_rate"] = 0.0021
    (home / "edited.json").write_text(json.dumps(pin_of(home) | {"digest": "0"}))
    write_pin(home / "moved.json", pin)
    flags = ("--source.path", "logs/log.csv", "--level", level)
    told = commands.run("lab.reproduce", "moved.json", *flags)
    assert (told.code, told.said) == (2, "")
    assert "is another cell here: training.learning_rate: 0.002 in the pin, 0.0021 here. It" in told.complained
    told = commands.run("lab.reproduce", "edited.json", *flags)
    assert told.code == 2 and "edited.json: is damaged or was edited" in told.complained


def test_other_data_are_refused_before_anything_is_computed(home: Path, commands: Home) -> None:
    (home / "other.csv").write_text((home / "logs" / "log.csv").read_text() + "u1,i1,c1,1700000001\n")
    told = commands.run("lab.reproduce", "results/tiny/pin.json", "--source.path", "other.csv")
    assert (told.code, told.said) == (2, "")
    assert "other.csv" in told.complained and "is not the pinned log.csv" in told.complained
    assert told.complained.endswith("-m lab.reproduce results/tiny/pin.json --source.path FOLDER/log.csv\n")


def test_a_log_whose_place_the_pin_does_not_know_is_asked_for_with_the_line_to_run(commands: Home) -> None:
    told = commands.run("lab.reproduce", "results/tiny/pin.json")
    assert told.code == 2 and told.complained.startswith("error: log.csv: no such file")
    assert told.complained.endswith("-m lab.reproduce results/tiny/pin.json --source.path FOLDER/log.csv\n")


def test_another_log_of_the_same_files_is_refused_before_anything_is_said_of_this_place(
    tmp_path: Path, forks: Server
) -> None:
    told = Home(forks, tmp_path, quick=False).run("lab.reproduce", str(COMMITTED), "--source.seed", "1")
    assert (told.code, told.said) == (2, "")
    assert told.complained.startswith("error: source: the histories made of it have the fingerprint ")


def test_too_few_seeds_for_the_statistical_level_are_told_before_anything_is_computed(commands: Home) -> None:
    flags = ("--source.path", "logs/log.csv", "--level", "statistical")
    told = commands.run("lab.reproduce", "results/tiny/pin.json", *flags)
    assert (told.code, told.said) == (2, "")
    assert "needs 3 seeds or more of every trained line" in told.complained
    assert "; RNN width=4-ids-h3-f0 has 2." in told.complained


def test_the_committed_pin_comes_out_again(tmp_path: Path, forks: Server) -> None:
    """At the strongest level that applies on this machine: a small pin of the embedded shop."""
    told = Home(forks, tmp_path, quick=False).run("lab.reproduce", str(COMMITTED))
    assert told.code == 0, told.said + told.complained
    assert "3 of 3 matched at level" in told.said
