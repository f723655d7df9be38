"""The bits of a cell follow from how many CPU devices it is trained on, and a folder keeps to one number of them."""

import json
from pathlib import Path
from typing import Any

import pytest

from lab.core.errors import InputError
from lab.pins.pin import read_pin
from lab.results.claims import Claims
from lab.results.store import Store
from lab.running.device_count import device_count_line, devices_for
from lab.training.devices import default_devices
from tests.forking import Home, Server
from tests.results.made import record

EXPERIMENT = '''"""Does the number of cores move a bit?"""
from lab import Experiment, Training, register
from lab.baselines import Logistic
from lab.data.sources import SyntheticShop
from lab.models import RNN
from lab.targets import Interest

register(Experiment(
    name="cores",
    source=SyntheticShop(users=400, days=180),
    target=Interest(),
    horizons=(7,),
    features={"ids": ("category", "behaviour")},
    models=(RNN(width=64),),
    seeds=2,
    training=Training(steps=4, batch=16, row_length=128, overlap=32, evaluate_every=2, patience=0),
    baselines=(Logistic(),),
))
'''
FOUR = {"XLA_FLAGS": "--xla_force_host_platform_device_count=4"}
FLAGS = ("--no-report", "--tracking.mode", "off")


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("cores")
    (home / "cores.py").write_text(EXPERIMENT)
    return home


def run(home: Path, forks: Server, out: str, *flags: str, four: bool = False, **how: Any) -> str:
    commands = Home(forks, home, FOUR if four else None, quick=False)
    ended = commands.run("lab.run", "cores.py", "--out", out, *FLAGS, *flags, **how)
    assert ended.code == 0, ended.said + ended.complained
    return ended.said


def files(home: Path, out: str) -> dict[str, Any]:
    """The digests of what each cell left."""
    store = Store(home / out / "cores")
    return {cell: store.digests(cell) for cell in store.cell_ids()}


@pytest.fixture(scope="module")
def one_core(home: Path, forks: Server) -> dict[str, Any]:
    run(home, forks, "one", cores=1)
    return files(home, "one")


@pytest.fixture(scope="module")
def four_devices(home: Path, forks: Server) -> dict[str, Any]:
    run(home, forks, "four", four=True, cores=1)
    return files(home, "four")


def test_one_core_and_two_give_the_same_bits(home: Path, forks: Server, one_core: dict[str, Any]) -> None:
    run(home, forks, "two", cores=2)
    assert files(home, "two") == one_core
    assert len(one_core) == 4


def test_another_number_of_devices_gives_others(one_core: dict[str, Any], four_devices: dict[str, Any]) -> None:
    """If not, nothing of this would be needed."""
    moved = {cell for cell in one_core if one_core[cell] != four_devices[cell]}
    assert moved and all(cell.startswith("rnn") for cell in moved)


def test_a_folder_is_gone_on_with_as_it_was_begun(home: Path, forks: Server, four_devices: dict[str, Any]) -> None:
    begun = run(home, forks, "begun", "--only", "seed=0", four=True)
    more = " ".join(run(home, forks, "begun").split())
    assert "begun on" not in begun
    assert "results" not in more and "begun on 4 CPU devices, and gone on with on as many" in more
    assert f"this machine would take {default_devices()}." in more
    assert files(home, "begun") == four_devices


def test_a_pin_comes_out_again_to_the_bit_on_other_cores(
    home: Path, forks: Server, four_devices: dict[str, Any]
) -> None:
    path = home / "four" / "cores" / "pin.json"
    pin = read_pin(path)
    assert {cell["devices"] for cell in pin["cells"] if cell["kind"] == "model"} == {4}
    told = Home(forks, home, quick=False).run("lab.reproduce", str(path))
    assert told.code == 0, told.said + told.complained
    assert "4 of 4 matched at level bitwise" in told.said


def test_two_that_begin_at_once_on_other_numbers_find_each_other(tmp_path: Path) -> None:
    with Claims(tmp_path, devices=2) as one, Claims(tmp_path, devices=2) as like, Claims(tmp_path, devices=3) as other:
        assert one.take("a") and like.take("b")
        with pytest.raises(InputError, match=r"computes here on 2 CPU devices, this one on 3, .* Run the same command"):
            other.take("c")
        assert devices_for(Store(tmp_path)) == 2
    assert devices_for(Store(tmp_path)) == default_devices()
    with Claims(tmp_path, devices=3) as other, Claims(tmp_path) as accelerated:
        assert other.take("a") and accelerated.take("b")


def test_what_is_kept_says_how_many(tmp_path: Path) -> None:
    store = Store(tmp_path)
    for cell, devices in (("a", 0), ("b", 5), ("c", 5), ("d", 3)):
        store.write(record(cell, devices=devices))
    assert devices_for(store) == 5
    assert "begun on 5 CPU devices" in device_count_line(store, 5) and device_count_line(store, default_devices()) == ""
    assert json.loads((store.folder("d") / "cell.json").read_bytes())["devices"] == 3
