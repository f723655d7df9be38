"""The main command, in real processes: what it leaves behind, and what interrupts it."""

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import pandas as pd
import pytest

from lab.core.errors import InputError
from lab.report.contents import read_contents
from lab.report.write import drawn_figures
from tests.forking import ROOT, Ended, Home, Server, wait_for

TINY = '''"""A tiny experiment."""
from lab import Experiment, Training, register
from lab.baselines import RecentPopularity
from lab.data.sources import {source}
from lab.models import RNN
from lab.targets import Interest

register(Experiment(
    name="tiny",
    source={settings},
    target=Interest(),
    horizons=(7,),
    features={{"ids": ("category", "behaviour"), "more": ("category", "price")}},
    models=(RNN(width=8),),
    seeds=3,
    training=Training(steps=300, batch=4, row_length=32, overlap=8, evaluate_every=50, patience=0),
    baselines=(RecentPopularity(),),
))
'''
SHOP = {"source": "SyntheticShop", "settings": "SyntheticShop(users=60, days=120, categories=8, items=40)"}
CELLS = 8
"""An oracle, a baseline, and three seeds of two feature sets."""


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a tiny experiment and the cache that all its runs share."""
    home = tmp_path_factory.mktemp("home")
    (home / "tiny.py").write_text(TINY.format(**SHOP))
    return home


@pytest.fixture(scope="module")
def commands(home: Path, forks: Server) -> Home:
    return Home(forks, home)


@pytest.fixture(scope="module")
def first(commands: Home) -> Ended:
    """What an uninterrupted run of the tiny experiment says; its results lie in `results`."""
    return commands.run("lab.run", "tiny.py")


def test_a_log_in_shards_is_said_and_judged_by_users_of_the_first(home: Path, commands: Home) -> None:
    few = ("--seeds", "1", "--training.steps", "50", "--out", "shards", "--no-report")
    code, said, complained = commands.run("lab.run", "tiny.py", "--timeline.shard-events", "800", *few)
    assert code == 0, complained
    events, users = (int(n) for n in re.search(r"shard 1 of \d, ([\d,]+) events of (\d+) users", said).groups())  # type: ignore[union-attr]
    assert 400 < events < 2000 and users < 40
    assert re.search(r"training: [\d.]+ s over all cells, of which the devices waited for rows [\d.]+ %", said)
    judged = [set(pd.read_parquet(cell / "users.parquet").user) for cell in cells(home / "shards" / "tiny").values()]
    # The oracle knows users by their names, models by their rows: all judge the same ones, from all over the log.
    assert all(one == judged[0] for one in judged) and len(judged[0]) <= users and max(judged[0]) > users


def cells(folder: Path) -> dict[str, Path]:
    return {path.parent.name: path.parent for path in folder.glob("cells/*/cell.json")}


def cell_files(folder: Path) -> dict[str, bytes]:
    """Everything that may not differ by a bit between two runs."""
    names = ("cells.csv", "summary.csv", "summary.md", "summary.tex")
    return {name: (folder / name).read_bytes() for name in names} | {
        f"{cell}/{path.name}": path.read_bytes()
        for cell, place in cells(folder).items()
        for path in place.iterdir()
        if path.name != "cell.json"
    }


def test_a_run_in_which_every_model_diverged_has_failed(home: Path, commands: Home) -> None:
    wild = ("--training.learning-rate", "1e38", "--out", "diverged", "--no-report")
    code, said, complained = commands.run("lab.run", "tiny.py", *wild)
    assert (code, complained) == (1, "") and said.count("3 of 3 diverged") == 2


def test_a_run_leaves_cells_and_tables(home: Path, first: Ended) -> None:
    code, said, complained = first
    assert (code, complained) == (0, "")
    found = cells(home / "results" / "tiny")
    assert len(found) == CELLS
    trained = [place for cell, place in found.items() if cell.startswith("rnn")]
    assert all(
        {path.name for path in place.iterdir()}
        == {"cell.json", "curve.csv", "users.parquet", "reliability.csv", "checkpoint"}
        for place in trained
    )
    assert set(cell_files(home / "results" / "tiny")) >= {"cells.csv", "summary.csv", "summary.md", "summary.tex"}
    assert "RNN width=8 · more" in said and "oracle" in said
    assert max(map(len, said.splitlines())) <= 80


def test_a_run_leaves_figures_and_a_page(home: Path, first: Ended) -> None:
    folder = home / "results" / "tiny"
    assert "Report: results/tiny/report.html" in first[1]
    assert "A tiny experiment." in (folder / "report.html").read_text("utf-8")
    assert {path.suffix for path in drawn_figures(folder).values()} == {".png"}
    assert {"comparisons", "means", "learning", "novel"} <= set(drawn_figures(folder))


def test_a_report_that_cannot_be_written_costs_no_number(home: Path, commands: Home, first: Ended) -> None:
    folder = home / "in_the_way" / "tiny"
    shutil.copytree(home / "results" / "tiny" / "cells", folder / "cells")
    (folder / "figures").write_text("a file where the folder should be")
    few = ("--only", "features=ids", "--out", "in_the_way")
    code, said, complained = commands.run("lab.run", "tiny.py", *few)
    assert (code, complained) == (1, "")
    assert "The report could not be written (FaultError: in_the_way/tiny/figures" in " ".join(said.split())
    assert re.search(r"To try again: \S*python\S* -m lab\.report in_the_way/tiny\n", said)
    assert not (folder / "report.html").exists()
    (folder / "figures").unlink()
    assert commands.run("lab.run", "tiny.py", *few, "--no-report")[1].count(" -m lab.report in_the_way/tiny") == 1
    assert not (folder / "report.html").exists()
    assert commands.run("lab.run", "tiny.py", *few)[0] == 0
    assert (folder / "report.html").exists()


def test_a_second_run_computes_nothing(home: Path, commands: Home, first: Ended) -> None:
    folder = home / "results" / "tiny"
    before, stamps = (
        cell_files(folder),
        {cell: (place / "cell.json").stat().st_mtime_ns for cell, place in cells(folder).items()},
    )
    code, said, _ = commands.run("lab.run", "tiny.py", "--no-report", hash_seed=2)
    assert code == 0 and f"{CELLS} of {CELLS} cells are there already." in said
    assert cell_files(folder) == before
    assert {cell: (place / "cell.json").stat().st_mtime_ns for cell, place in cells(folder).items()} == stamps


def test_damaged_cells_are_all_named_and_the_rest_is_kept(home: Path, commands: Home, first: Ended) -> None:
    folder = home / "harmed" / "tiny"
    shutil.copytree(home / "results" / "tiny", folder)
    one, other = (place for cell, place in sorted(cells(folder).items()) if not cell.startswith("rnn"))
    (one / "cell.json").write_text("{")
    users = bytearray((other / "users.parquet").read_bytes())
    users[-20] ^= 1
    (other / "users.parquet").write_bytes(users)
    few = ("--out", "harmed", "--no-report")
    for command in (("lab.run", "tiny.py", *few), ("lab.report.__main__", "harmed/tiny")):
        code, _, complained = commands.run(*command)
        assert code == 1 and "2 cells on disk" in complained
        assert all(
            f"{place.relative_to(home)}: {name}\n" in complained
            for place, name in ((one, "cell.json"), (other, "users.parquet"))
        )
    (other / "users.parquet").unlink()
    code, said, _ = commands.run("lab.run", "tiny.py", *few, "--status")
    assert code == 1 and "2 cells on disk" in said and f"{other.relative_to(home)}: users.parquet" in said
    for place in (one, other):
        shutil.rmtree(place)
    code, said, complained = commands.run("lab.run", "tiny.py", *few)
    assert (code, complained) == (0, "") and f"{CELLS - 2} of {CELLS} cells are there already." in said
    assert cell_files(folder) == cell_files(home / "results" / "tiny")


def test_stale_cells_are_shown_on_request_and_nothing_is_computed(home: Path, commands: Home, first: Ended) -> None:
    shutil.copytree(home / "results", home / "older")
    before = cells(home / "older" / "tiny")
    few = ("--training.steps", "250", "--only", "features=ids", "--out", "older", "--no-report")
    code, said, complained = commands.run("lab.run", "tiny.py", *few, "--stale")
    assert (code, complained) == (0, "") and cells(home / "older" / "tiny").keys() == before.keys()
    words = " ".join(said.split())
    assert "RNN width=8 · ids · stale: training.steps, 7 days: 3 stale cells, not what is asked for in" in words
    assert "Figures and a page of them: " in words and "lab.report older/tiny --stale" in words
    with pytest.raises(InputError, match=r"3 of its 8 cells are stale \(training.steps\)"):
        read_contents(home / "older" / "tiny")
    code, said, complained = commands.run("lab.run", "tiny.py", "--out", "older", "--stale")
    assert (code, complained) == (0, "") and said.endswith("No cell is stale; --status says what is missing.\n")


def interrupt(
    commands: Home,
    folder: Path,
    how: signal.Signals,
    trained: int,
    *arguments: str,
    again: Sequence[float] = (),
    **more: int,
) -> str:
    """Run until that many trained cells are on disk, interrupt, and return what it said last."""
    process = commands.start("lab.run", *arguments, **more)
    assert wait_for(lambda: sum(cell.startswith("rnn") for cell in cells(folder)) >= trained, process)
    process.signal(how)
    for pause in again:
        time.sleep(pause)
        process.signal(how)
    code, said, complained = process.ended()
    assert code == 130 and "Traceback" not in complained
    assert "NDCG@10" in said
    return complained


def test_stopped_twice_and_gone_on_with_it_is_the_same_to_the_bit(home: Path, commands: Home, first: Ended) -> None:
    arguments, folder = ("tiny.py", "--out", "other"), home / "other" / "tiny"
    told = interrupt(commands, folder, signal.SIGINT, 1, *arguments, hash_seed=3)
    assert " -m lab.run tiny.py --out other" in told
    assert len(cells(folder)) < CELLS
    table = (folder / "cells.csv").read_text()
    assert "missing" in table and "done" in table
    interrupt(commands, folder, signal.SIGTERM, 3, *arguments)
    assert len(cells(folder)) < CELLS
    assert commands.run("lab.run", *arguments, "--no-report")[0] == 0
    assert cell_files(folder) == cell_files(home / "results" / "tiny")


@pytest.mark.parametrize(("times", "pause"), [(1, 0.2), (4, 0.2), (300, 0.01)])
def test_a_key_pressed_again_changes_nothing(
    home: Path, commands: Home, first: Ended, times: int, pause: float
) -> None:
    out = f"pressed_{times}_times"
    pressed = ("tiny.py", "--out", out)
    told = interrupt(commands, home / out / "tiny", signal.SIGINT, 1, *pressed, again=[pause] * times)
    # By the interpreter that ran, which the shell's `python` need not be.
    again = rf"(python|{re.escape(sys.executable)}) -m lab\.run tiny\.py --out {re.escape(str(out))}"
    assert re.fullmatch(rf"\nStopped\. Finished cells are kept; go on with:\n  {again}\n", told)


def test_two_processes_share_a_grid_and_write_each_cell_once(home: Path, commands: Home, first: Ended) -> None:
    folder, stamps = home / "shared" / "tiny", {}
    pair = [commands.start("lab.run", "tiny.py", "--out", "shared", "--no-report") for _ in range(2)]
    while any(process.alive for process in pair):
        for cell, place in cells(folder).items():
            found = (place / "cell.json").stat()
            stamps.setdefault(cell, set()).add((found.st_ino, found.st_mtime_ns))
        time.sleep(0.005)
    ended = [process.ended() for process in pair]
    assert [code for code, *_ in ended] == [0, 0], ended
    assert {cell: len(found) for cell, found in stamps.items()} == dict.fromkeys(cells(folder), 1)
    assert cell_files(folder) == cell_files(home / "results" / "tiny")
    assert not list((folder / "claims").iterdir())


def test_the_claims_of_a_killed_process_are_taken_over(home: Path, commands: Home, first: Ended) -> None:
    folder = home / "killed" / "tiny"
    process = commands.start("lab.run", "tiny.py", "--out", "killed")
    # Of an owner that died before it had said who it is, nothing is known, and its lease must run out.
    assert wait_for(lambda: any(claim.stat().st_size for claim in folder.glob("claims/rnn*")), process)
    process.signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    assert list(folder.glob("claims/rnn*"))
    assert commands.run("lab.run", "tiny.py", "--out", "killed", "--no-report")[0] == 0
    assert cell_files(folder) == cell_files(home / "results" / "tiny")
    assert not list((folder / "claims").iterdir())


VARIED = (
    TINY.format(**SHOP)
    .replace('name="tiny"', 'name="varied"')
    .replace("seeds=3", "seeds=1")
    .replace(
        "    baselines=", "    variants={'slow': {'training.learning_rate': 1e-4}, 'as ever': {}},\n    baselines="
    )
)


def test_variants_that_share_a_program_leave_each_other_alone(home: Path, commands: Home, first: Ended) -> None:
    (home / "varied.py").write_text(VARIED)
    code, said, complained = commands.run("lab.run", "varied.py", "--no-report")
    assert (code, complained) == (0, "")
    assert said.count("packed rows") == 1 and "RNN width=8 · ids · slow" in said and "oracle (bound)" in said
    table = pd.read_csv(home / "results" / "varied" / "cells.csv")
    assert (
        set(table.variant.dropna()) == {"slow", "as ever"} and table[table.model == "popularity"].variant.isna().all()
    )

    def trained(name: str, variant: str) -> bytes:
        (cell,) = (home / "results" / name / "cells").glob(f"rnn_width=8-ids-{variant}h7-f0-s0-*")
        return (cell / "checkpoint").read_bytes()

    assert trained("varied", "as_ever-") == trained("tiny", "") != trained("varied", "slow-")
    slow = commands.run("lab.run", "varied.py", "--status", "--only", "variant=slow")[1]
    assert re.search(r"RNN width=8 · ids · slow +7 +1 ", slow) and "as ever" not in slow


def test_an_estimate_tells_what_a_run_is_made_of_and_leaves_nothing(home: Path, commands: Home, first: Ended) -> None:
    begun = time.monotonic()
    code, said, complained = commands.run("lab.run", "tiny.py", "--estimate", "--out", "estimated")
    elapsed = time.monotonic() - begun
    assert (code, complained) == (0, "") and not (home / "estimated").exists()
    words = " ".join(said.split())
    timed = r": 300 steps of [\d.]+ ms, 6 looks of [\d.]+ s, judging"
    # So short a run is only guessed: to time its steps would take more than a tenth of it.
    found = re.search(rf"RNN width=8: (\d+) x [\d.]+ s({timed}|, guessed from its size)", words)
    # Six trained cells, as many at once as there are devices.
    assert found is not None and int(found[1]) == -(-6 // int(re.search(r"(\d+) at once", words)[1]))  # type: ignore[index]
    assert "popularity: 1 of" in words and "oracle: 1 of" in words
    told = re.search(r"estimate: about [\d smin]+ on this machine, as busy as it is now; ([\d smin]+) of it", words)
    minutes, seconds = re.fullmatch(r"(?:(\d+) min )?(\d+) s", told[1]).groups()  # type: ignore[union-attr, index]
    if "guessed" not in found[2]:
        assert 60 * int(minutes or 0) + int(seconds) <= elapsed, "it was compiled here, and not for longer than that"


FAILING = (
    TINY.format(**SHOP)
    .replace("RNN(width=8),", "RNN(width=8), Hungry(width=8),")
    .replace("(RecentPopularity(),)", "(RecentPopularity(), Broken())")
    .replace("seeds=3", "seeds=1")
    .replace(
        "\nregister(",
        """
from dataclasses import dataclass
from lab.baselines.base import Baseline
from lab.core.errors import InputError

@dataclass(frozen=True, kw_only=True)
class Broken(Baseline):
    name = "broken"

    def fit(self, view, train, valid, horizon):
        raise InputError("baselines.broken: it never fits.")

import jax
import jax.numpy as jnp
from flax import linen as nn
from lab.models import Model

class Wide(nn.Module):
    # Sorts 640 GB, of which no size of its settings tells.
    @nn.compact
    def __call__(self, steps, starts, time, dropout):
        if len(steps) == 1:  # as when the encoder is tried before training
            return steps
        line = jnp.arange(400_000, dtype=jnp.float32) * jax.lax.stop_gradient(steps.mean())
        return steps + jnp.sort(line[:, None] * line, axis=0)[0, 0]

@dataclass(frozen=True, kw_only=True)
class Hungry(Model):
    # Takes more memory than its sizes tell.
    def encoder(self, dtype):
        return Wide()

register(""",
    )
)


def test_what_fails_is_shown_and_the_rest_goes_on(home: Path, commands: Home) -> None:
    (home / "failing.py").write_text(FAILING)
    code, said, complained = commands.run("lab.run", "failing.py", "--out", "failed", "--no-report")
    assert (code, complained) == (1, "")
    words = " ".join(said.split())
    assert "broken, 7 days: 1 of 1 failed: baselines.broken: it never fits." in words
    assert "The memory did not suffice (" in words and "use a smaller training.batch" in words
    if len(os.sched_getaffinity(0)) > 1:  # there is a device for every core, and a cell on each
        assert re.search(r"memory does not suffice for \d+ cells at once; half as many are tried", words)
    table = (home / "failed" / "tiny" / "cells.csv").read_text()
    assert table.count("failed") == 3 and "rnn_width=8-ids" in table


def test_help_needs_no_jax() -> None:
    lean = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "lab.run", "--help"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    assert "python -m lab.run FILE" in lean.stdout
    assert not {"jax", "polars", "pandas"} & {line.split("|")[-1].strip() for line in lean.stderr.splitlines()}


def test_a_plan_is_of_what_is_left(home: Path, commands: Home, first: Ended) -> None:
    """Nothing of a grid that is finished, and of one with a cell taken away, that cell."""
    code, said, complained = commands.run("lab.run", "tiny.py", "--dry-run", "--estimate")
    assert (code, complained) == (0, "")
    assert "8 of 8 cells are there already." in said and "cells in all: 0" in said and "compiled programs" not in said
    shutil.copytree(home / "results", home / "fewer")
    shutil.rmtree(next((home / "fewer" / "tiny" / "cells").glob("rnn*")))
    said = commands.run("lab.run", "tiny.py", "--dry-run", "--out", "fewer")[1]
    assert "7 of 8 cells are there already." in said and "cells in all: 1" in said
    assert "RNN width=8: 1 cell, " in said


def test_nothing_is_read_where_nothing_reads(home: Path, commands: Home, first: Ended) -> None:
    command, piped = [sys.executable, "-m", "lab.run", "tiny.py", "--dry-run"], subprocess.PIPE
    environment = os.environ | commands.environment | {"PYTHONPATH": str(ROOT)}
    with subprocess.Popen(command, cwd=home, env=environment, stdout=piped, stderr=piped, text=True) as process:
        assert process.stdout is not None and process.stderr is not None
        process.stdout.close()
        complained = process.stderr.read()
    assert complained == "" and process.returncode in (1, 141)


def test_a_file_in_the_way_of_the_results_is_one_sentence(home: Path, commands: Home) -> None:
    (home / "taken").write_text("")
    for more in ((), ("--dry-run",)):
        code, _, complained = commands.run("lab.run", "tiny.py", "--out", "taken", *more)
        assert (code, complained) == (2, "error: --out: taken is a file; name a folder for the results.\n")
    assert (home / "taken").read_text() == ""


@pytest.mark.skipif(not Path("/sys").is_dir(), reason="a folder that is forbidden to the superuser too")
def test_a_plan_tells_that_its_run_could_not_write(commands: Home) -> None:
    code, _, complained = commands.run("lab.run", "tiny.py", "--out", "/sys/lab", "--dry-run")
    assert (code, complained) == (2, "error: --out: /sys/lab/tiny may not be written to; name another folder.\n")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("none.py",), "there is no such file"),
        (("tiny.py", "--horizons", "400"), "The longest that fits is"),
        pytest.param(
            ("tiny.py", "--training.split", "batch", "--training.batch", "7"),
            "training.batch: 7 rows",
            marks=pytest.mark.skipif(len(os.sched_getaffinity(0)) < 2, reason="any batch divides over one device"),
        ),
    ],
)
def test_a_mistake_is_one_sentence_and_leaves_nothing(
    home: Path, commands: Home, arguments: tuple[str, ...], said: str
) -> None:
    code, _, complained = commands.run("lab.run", *arguments, "--out", "mistaken")
    assert code == 2 and said in complained
    assert not (home / "mistaken").exists() or not list((home / "mistaken").rglob("*.*"))


def test_groups_without_a_column_are_left_out_and_said_so(home: Path, commands: Home) -> None:
    lines = [f"u{i % 20},i{i % 7},c{i % 5},{1_700_000_000 + i * 40_000}" for i in range(400)]
    (home / "log.csv").write_text("\n".join(["user,item,category,time", *lines]) + "\n")
    settings = {"source": "Table", "settings": 'Table(path="log.csv")'}
    (home / "plain.py").write_text(TINY.format(**settings))
    code, said, complained = commands.run("lab.run", "plain.py", "--dry-run")
    assert (code, complained) == (0, "")
    assert "price is left out, the log has no price column." in said
    assert "cells in all: 7" in said and "is after the log's last event" not in said
    late = commands.run("lab.run", "plain.py", "--dry-run", "--timeline.end", "2024-05-19")
    assert late[0] == 0 and "timeline.end: 2024-05-19 is after the log's last event" in late[1]


def test_figures_that_are_a_link_are_not_written_through(home: Path, commands: Home, first: Ended) -> None:
    place, other = home / "linked" / "tiny", home / "elsewhere"
    shutil.copytree(home / "results" / "tiny", place, ignore=shutil.ignore_patterns("figures", "report.html"))
    other.mkdir()
    (other / "variants.svg").write_text("mine")
    (place / "figures").symlink_to(other)
    code, _, complained = commands.run("lab.run", "tiny.py", "--out", "linked")
    assert code == 2 and "figures: is a link to " in complained and "Put a folder in its place" in complained
    assert [path.name for path in other.iterdir()] == ["variants.svg"]


DROPPED = """
import os, signal, sys, time
from lab.run import ask_again

class Closing:
    def __del__(self):  # what is raised here goes nowhere
        os.kill(os.getpid(), signal.SIGINT)
        time.sleep(0.2)

sys.unraisablehook = ask_again
try:
    closing = Closing()
    del closing
    time.sleep(20)
except KeyboardInterrupt:
    print("stopped")
"""


def test_a_stop_that_python_drops_is_not_lost() -> None:
    said = subprocess.run(
        [sys.executable, "-c", DROPPED],
        capture_output=True, text=True, env=os.environ | {"PYTHONPATH": str(ROOT)}, timeout=60,
    )  # fmt: skip
    assert (said.stdout, said.stderr) == ("stopped\n", "")
