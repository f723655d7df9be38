"""A run whose processes are killed, or lack disk, permission or memory, ends as one that was left alone."""

import os
import random
import re
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.forking import Home, Process, Server, wait_for

EXPERIMENT = '''"""A tiny experiment, looked at often."""
from lab import Experiment, Training, register
from lab.data.sources import SyntheticShop
from lab.models import RNN
from lab.targets import Interest

register(Experiment(
    name="tiny",
    source=SyntheticShop(users=60, days=120, categories=8, items=40),
    target=Interest(),
    horizons=(7,),
    features={"ids": ("category", "behaviour"), "more": ("category", "price")},
    models=(RNN(width=8),),
    seeds=2,
    training=Training(steps=600, batch=4, row_length=32, overlap=8, evaluate_every=5, patience=0),
    baselines=(),
))
'''
LOOKS = 120
OFTEN = ("--checkpoint-every", "0", "--no-report")


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("home")
    (home / "tiny.py").write_text(EXPERIMENT)
    return home


@pytest.fixture(scope="module")
def commands(home: Path, forks: Server) -> Home:
    return Home(forks, home, quick=False)


@pytest.fixture(scope="module")
def whole(home: Path, commands: Home) -> Path:
    """The results of a run that was left alone, and kept nothing of a cell in training."""
    assert commands.run("lab.run", "tiny.py", "--out", "whole", "--no-report")[0] == 0
    return home / "whole" / "tiny"


def bits(folder: Path) -> dict[str, bytes]:
    """Everything that may not differ by a bit between two runs."""
    tables = {name: (folder / name).read_bytes() for name in ("cells.csv", "summary.csv", "comparisons.csv")}
    files = [path for path in folder.rglob("*") if path.is_file() and path.parent.parent.name == "cells"]
    return tables | {str(path.relative_to(folder)): path.read_bytes() for path in files if path.name != "cell.json"}


class Lives:
    """One run after the other into a folder, each ended by something, until one is left alone."""

    def __init__(self, home: Path, commands: Home, out: str) -> None:
        self.folder, self._commands, self._out = home / out / "tiny", commands, out
        self.said: list[str] = []

    def live(self, end: Callable[[Process], None], *more: str, **how: Any) -> int:
        """A process, from its start to its end, which `end` brings about; its exit code."""
        process = self._commands.start("lab.run", "tiny.py", "--out", self._out, *OFTEN, *more, **how)
        end(process)
        code, said, complained = process.ended()
        self.said.append(said + complained)
        assert "Traceback" not in self.said[-1]
        return code

    def looks(self) -> int:
        """How many looks at the valid split are on disk, of all cells."""
        newest = {path.parent: int(path.suffix[1:]) for path in sorted(self.folder.glob("cells/*/unfinished.*"))}
        return sum(newest.values()) + LOOKS * len(list(self.folder.glob("cells/rnn*/cell.json")))

    def partials(self) -> list[Path]:
        return list(self.folder.glob("cells/*/.unfinished.*.partial"))


def after(lives: Lives, how: signal.Signals, looks: int, more: float) -> Callable[[Process], None]:
    """A signal, so many looks after the start and a moment more."""
    before = lives.looks()

    def end(process: Process) -> None:
        assert wait_for(lambda: lives.looks() >= before + 2 * looks, process), "it was done too early"
        time.sleep(more)
        process.signal(how)

    return end


def ends() -> list[signal.Signals]:
    """Twelve kills and four polite requests, in an order drawn by chance."""
    found = [signal.SIGKILL] * 12 + [signal.SIGTERM, signal.SIGINT] * 2
    random.Random(0).shuffle(found)
    return found


def damage(lives: Lives) -> list[Path]:
    """Flip a bit of a cell's newest checkpoint, and cut the end off that of a cell beside it, if there is one."""
    newest = [max(cell.glob("unfinished.*")) for cell in lives.folder.glob("cells/rnn*") if any(cell.glob("unf*"))]
    assert len(newest) == min(2, len(os.sched_getaffinity(0)))  # two seeds, as many at once as there are cores
    first, *beside = newest
    flipped = first.read_bytes()
    first.write_bytes(flipped[:99] + bytes([flipped[99] ^ 1]) + flipped[100:])
    for path in beside:
        path.write_bytes(path.read_bytes()[:-1])
    return newest


def killed_in_a_write(lives: Lives) -> None:
    """The system ends the process at the byte at which a checkpoint becomes longer than those that are there."""
    sizes = [path.stat().st_size for path in lives.folder.glob("cells/*/unfinished.*")]
    before = lives.partials()
    assert lives.live(lambda process: None, limit=max(sizes) + 200) == -signal.SIGXFSZ
    assert len(lives.partials()) > len(before)


def test_killed_stopped_and_damaged_it_ends_in_the_same_bits(home: Path, commands: Home, whole: Path) -> None:
    lives, rng, damaged = Lives(home, commands, "killed"), random.Random(1), []
    for place, how in enumerate(ends()):
        # A kill may come at once, a polite request only once there is someone to answer it.
        looks = rng.randint(0 if how == signal.SIGKILL else 1, 5)
        code = lives.live(after(lives, how, looks, rng.uniform(0, 0.05)))
        assert code == (-how if how == signal.SIGKILL else 130)
        if place in (2, 5, 8):
            killed_in_a_write(lives)
        if place == 4:
            damaged = damage(lives)
    assert lives.live(lambda process: None) == 0
    assert bits(lives.folder) == bits(whole)
    assert not [path for path in lives.folder.rglob("*") if "unfinished" in path.name or "partial" in path.name]
    assert not list((lives.folder / "claims").iterdir())
    said = " ".join(" ".join(lives.said).split())
    # All but the first, and those that came between two chunks, began with what was kept before.
    assert said.count("training goes on after step") >= 10
    assert said.count("Stopped. Finished cells are kept; go on with:") == 4
    for path in damaged:
        assert f"{path.name}: is damaged. {path.parent.name} goes on from the checkpoint before it" in said


def test_a_full_disk_is_said_and_where_there_is_room_again_it_goes_on(home: Path, commands: Home, whole: Path) -> None:
    lives = Lives(home, commands, "full")
    # Room for the oracle, and not for a checkpoint of a cell in training or its record.
    (oracle,) = (whole / "cells").glob("oracle-*")
    room = max(path.stat().st_size for path in oracle.iterdir())
    assert lives.live(lambda process: None, limit=room, full=True) == 1
    said = " ".join(lives.said[-1].split())
    assert said.count("No checkpoint of a cell in training: ") == 1 and "Training goes on." in said
    assert re.search(r"error: full/tiny/\S+: the disk is full or its quota used up; what was finished before is", said)
    assert len(list(lives.folder.glob("cells/*/cell.json"))) == 1
    assert not list(lives.folder.rglob("*.partial"))
    assert lives.live(lambda process: None) == 0
    assert bits(lives.folder) == bits(whole)


def folders(root: Path) -> list[Path]:
    return [root, *(path for path in root.rglob("*") if path.is_dir())]


def test_a_folder_that_turns_read_only_is_said_and_where_it_may_be_written_to_it_goes_on(
    home: Path, commands: Home, whole: Path
) -> None:
    lives = Lives(home, commands, "forbidden")

    def forbid(process: Process) -> None:
        assert wait_for(lambda: lives.looks() >= 4, process), "it was done too early"
        for folder in folders(lives.folder):
            folder.chmod(0o555)

    try:
        assert lives.live(forbid, obedient=True) == 1
    finally:
        for folder in folders(lives.folder):
            folder.chmod(0o755)
    said = " ".join(lives.said[-1].split())
    assert said.count("No checkpoint of a cell in training: ") == 1 and "Training goes on." in said
    assert re.search(r"error: forbidden/tiny/\S+: the folder may not be written to; what was finished before is", said)
    assert not lives.partials()
    assert lives.live(lambda process: None) == 0
    assert "training goes on after step" in " ".join(lives.said[-1].split())
    assert bits(lives.folder) == bits(whole)


def test_a_checkpoint_of_other_settings_is_not_gone_on_with_and_that_is_said(
    home: Path, commands: Home, whole: Path
) -> None:
    lives = Lives(home, commands, "moved")
    lives.live(after(lives, signal.SIGKILL, 3, 0), "--training.learning-rate", "0.004")
    begun = {path.parent.name for path in lives.folder.glob("cells/*/unfinished.*")}
    assert begun and lives.live(lambda process: None) == 0
    said = " ".join(lives.said[-1].split())
    assert "kept in mid-training, of other settings, data, code or packages; not gone on with." in said
    assert min(begun) in said and "training goes on after step" not in said
    assert not begun & {path.parent.name for path in lives.folder.glob("cells/*/cell.json")}
    assert {name: content for name, content in bits(lives.folder).items() if "unfinished" not in name} == bits(whole)


GREEDY = '''
import jax
import jax.numpy as jnp
from dataclasses import dataclass
from flax import linen as nn
from lab.models import Model


def devices():
    try:
        return jax.lax.psum(1, "devices")
    except NameError:  # outside of a program
        return 1


class Hungry(nn.Module):
    width: int

    @nn.compact
    def __call__(self, steps, starts, time, dropout):
        if devices() > 1:
            with jax.ensure_compile_time_eval():
                jnp.zeros(1 << 50, jnp.uint8)
        return nn.Dense(self.width)(steps)


@register
@dataclass(frozen=True, kw_only=True)
class Greedy(Model):
    """Needs more memory than there is where cells train on several devices."""

    def encoder(self, dtype):
        return Hungry(self.width)

'''


def test_where_memory_does_not_suffice_half_as_many_cells_end_in_the_same_bits(
    home: Path, forks: Server, commands: Home
) -> None:
    head, _, tail = EXPERIMENT.replace("RNN(width=8)", "Greedy(width=8)").partition("register(")
    (home / "greedy.py").write_text(head + GREEDY + "register(" + tail)
    few = ("--training.steps", "10", "--only", "features=ids", "--no-report")
    code, said, complained = commands.run("lab.run", "greedy.py", "--out", "greedy", *few)
    assert code == 0
    said = " ".join((said + complained).split())
    assert said.count("memory does not suffice for 2 cells at once; half as many are tried.") == 1
    assert said.count("half as many") == 1 and "failed" not in said
    assert "Traceback" not in said
    alone = Home(forks, home, {"XLA_FLAGS": "--xla_force_host_platform_device_count=1"}, quick=False)
    code, said, complained = alone.run("lab.run", "greedy.py", "--out", "lone", *few)
    assert code == 0 and "half as many" not in said + complained
    assert bits(home / "greedy" / "tiny") == bits(home / "lone" / "tiny")
