"""Sizes that do not fit memory: refused in one line, with a number that does, before any of it is taken."""

import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lab.core.errors import InputError
from lab.core.memory import Size, available_memory, require_memory
from lab.data.sources import SyntheticShop
from lab.data.sources.shop_settings import bytes_of_shop
from lab.models import LSTM, Transformer
from tests.forking import ROOT, Home, Server

FILE = """
from lab import Experiment, Training, register
from lab.data.sources import SyntheticShop
from lab.models import LSTM
from lab.targets import Interest

register(Experiment(
    name="tiny", source=SyntheticShop(users=60, days=120, categories=8, items=40), target=Interest(), horizons=(7,),
    features={"ids": ("category",)}, models=(LSTM(width=8),), seeds=1,
    training=Training(steps=20, batch=4, row_length=32, overlap=8),
))
"""
ITEMS = FILE.replace("Interest()", 'NextItem(objective="sampled", negatives=4)').replace("Interest", "NextItem")


@pytest.fixture(scope="module")
def commands(tmp_path_factory: pytest.TempPathFactory, forks: Server) -> Home:
    home = tmp_path_factory.mktemp("memory")
    (home / "tiny.py").write_text(FILE)
    (home / "items.py").write_text(ITEMS)
    return Home(forks, home)


HUGE = "1000000000"


@pytest.mark.parametrize(
    ("arguments", "name"),
    [
        (("--training.row-length", HUGE), "training.row_length"),
        (("--models.0.width", HUGE), "LSTM.width"),
        (("--models.0.width", "500000"), "LSTM.width"),
        (("--source.users", HUGE), "source.users"),
        (("--source.days", HUGE), "source.days"),
        (("--source.items", "100000000000"), "source.items"),
        (("--source.categories", "32000", "--source.items", "32000"), "source.categories"),
        (("--source.events-per-user", "1e15"), "source.events_per_user"),
    ],
)
def test_a_size_beyond_memory_is_refused_with_one_that_fits(
    commands: Home, arguments: Sequence[str], name: str
) -> None:
    code, _, complained = commands.run("lab.run", "tiny.py", "--dry-run", *arguments)
    assert code == 2 and complained.count("\n") == 1, complained
    found = re.match(
        rf"error: {re.escape(name)}: [\d,.e+]+ takes about [\d,.e+]+ GB of memory, and .* GB are free", complained
    )
    most = re.search(r"use at most ([\d,.e+-]+)\.$", complained.rstrip())
    assert found and most and float(most[1].replace(",", "")) < 1e9, complained


@pytest.mark.parametrize(
    ("file", "arguments", "said"),
    [
        ("tiny.py", ("--models.0.layers", HUGE), "LSTM.layers: 1,000,000,000 is too many; use 1 to 1,000."),
        ("tiny.py", ("--timeline.query-every", "1e-9"), "timeline.query_every: a tick every 9.9537e-10 days is"),
        ("items.py", ("--target.negatives", HUGE), "target.negatives: 1,000,000,000 are to be drawn of"),
        ("tiny.py", ("--training.batch", HUGE, "--training.resident-gib", "1e300"), ""),
        ("tiny.py", ("--training.cells-at-once", HUGE), ""),
        ("tiny.py", ("--timeline.shard-events", HUGE), ""),
    ],
)
def test_what_is_bounded_otherwise_is_refused_or_has_no_effect(
    commands: Home, file: str, arguments: Sequence[str], said: str
) -> None:
    code, _, complained = commands.run("lab.run", file, "--dry-run", *arguments)
    assert code == (2 if said else 0) and said in complained and complained.count("\n") <= 1, complained


def in_little_memory(lines: str, gib: float) -> str:
    """What a process of so much memory says."""
    # By the process itself: to fork is forbidden to one that has imported jax.
    limit = f"import resource\nresource.setrlimit(resource.RLIMIT_AS, ({int(gib * 2**30)},) * 2)\n"
    command = [sys.executable, "-c", limit + lines]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert "MemoryError" not in done.stderr and "Traceback" not in done.stderr, done.stderr
    return done.stdout


TICKS = """
from lab.data.rows import steps
from lab.data.sources import SyntheticShop
from lab.data.log.cache import prepare_log
from lab.data.timeline import Timeline, folds
from lab.data.fold.view import build_view
from lab.data.fold.categories import Categories
from lab.core.errors import InputError

log = prepare_log(SyntheticShop(users=60, days=120, categories=8, items=40), cache=CACHE)
timeline = Timeline(query_every=EVERY)
(fold,) = folds(timeline, (7,), *log.span)
view, _ = build_view(log, fold, Categories(), 10**9)
steps.STEP_BYTES = 10_000_000  # so that a small shop's ticks are as many as a large one's
try:
    print(len(steps.lay_steps(view, timeline, "train")) > 0)
except InputError as error:
    print(error)
"""


def test_ticks_beyond_memory_are_refused_with_a_spacing_that_fits(tmp_path: Path) -> None:
    program = TICKS.replace("CACHE", f"__import__('pathlib').Path({str(tmp_path)!r})")
    said = in_little_memory(program.replace("EVERY", "0.5"), 16)
    found = re.match(
        r"timeline\.query_every: a tick every 0\.5 days makes [\d,]+, which take .*; use (\S+) or more\.", said
    )
    assert found, said
    assert in_little_memory(program.replace("EVERY", str(float(found[1]) * 1.3)), 16) == "True\n"


@given(st.floats(1, 1e9), st.floats(1e3, 1e12), st.floats(1, 1e6))
def test_what_is_said_to_fit_fits_and_little_more_does_not(value: float, room: float, each: float) -> None:
    value = float(int(value))
    try:
        require_memory([Size("a", value, 1), Size("b", 2, 2)], lambda a, b: a * b * each, room)
    except InputError as error:
        most = re.search(r"use at most ([\d,]+)\.$", str(error))
        fits = float(most[1].replace(",", "")) if most else 0.0
        assert value * 2 * each > room and fits * 2 * each <= room < (fits * 1.2 + 2) * 2 * each
    else:
        assert value * 2 * each <= room


def test_of_several_sizes_the_one_farthest_from_its_default_is_to_blame() -> None:
    with pytest.raises(InputError, match=r"^wide: 900 takes about .*; use at most"):
        require_memory([Size("long", 1000, 500), Size("wide", 900, 10)], lambda a, b: a * b, 10_000)
    with pytest.raises(InputError, match=r"^wide: 900 .*; make others smaller too: long \(1,000\)\."):
        require_memory([Size("long", 1000, 500), Size("wide", 900, 10)], lambda a, b: a * 20 + b, 10_000)


def test_a_shop_takes_about_what_is_said() -> None:
    """As measured on the resident memory of a process of its own."""
    program = (
        "import polars, numpy\nfrom benchmarks.shared.memory import resident\n"
        "from lab.data.sources import SyntheticShop\n"
        "before = resident('VmHWM')\nSyntheticShop(users=8000, days=360, interests=6).scan().frame.collect()\n"
        "print(resident('VmHWM') - before)"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    assert 0.3 < 1e9 * float(done.stdout) / bytes_of_shop(8000, 360, 60, 3000, 80, 6) < 1.2


def files(root: Path, **contents: str) -> Path:
    for name, content in contents.items():
        path = root / name.replace("__", "/").replace("DOT", ".")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
    return root


MACHINE = {"proc__meminfo": "MemTotal: 9000 kB\nMemAvailable:    8000 kB\n"}


def test_free_memory_is_that_of_the_machine_and_of_the_groups_above(tmp_path: Path) -> None:
    assert available_memory(files(tmp_path / "a", **MACHINE)) == 8000 * 1024
    second = {
        "proc__self__cgroup": "0::/box/job\n",
        "sys__fs__cgroup__box__memoryDOTmax": "5000000\n", "sys__fs__cgroup__box__memoryDOTcurrent": "1000000\n",
        "sys__fs__cgroup__box__memoryDOTstat": "anon 7\ninactive_file 200000\n",
        "sys__fs__cgroup__box__job__memoryDOTmax": "max\n", "sys__fs__cgroup__box__job__memoryDOTcurrent": "5\n",
    }  # fmt: skip
    assert available_memory(files(tmp_path / "b", **MACHINE, **second)) == 4_200_000
    first = {
        "proc__self__cgroup": "12:cpu,cpuacct:/box\n3:memory:/box\n",
        "sys__fs__cgroup__memory__memoryDOTlimit_in_bytes": "3000000\n",
        "sys__fs__cgroup__memory__memoryDOTusage_in_bytes": "2900000\n",
    }
    assert available_memory(files(tmp_path / "c", **MACHINE, **first)) == 100_000
    assert available_memory(tmp_path / "nothing") > 1e6


def test_layers_and_shops_of_usual_size_are_not_refused() -> None:
    assert LSTM(layers=12).layers == 12 and Transformer(layers=48).layers == 48
    SyntheticShop(users=100_000, days=720).require_memory()
