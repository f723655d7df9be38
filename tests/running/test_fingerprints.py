"""A cell's fingerprint of code covers all that its numbers come from, and nothing else."""

import ast
import json
import os
import shutil
import subprocess
import sys
import threading
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from types import FrameType, ModuleType
from typing import Any

import pytest
from rich.console import Console

import lab
import lab.core.escape
import lab.core.files
import lab.core.memory
import lab.core.number_limits
import lab.core.pace
import lab.core.progress
import lab.core.words
import lab.experiment.cell_record
import lab.experiment.cells
import lab.experiment.experiment
import lab.experiment.registry
import lab.results.cell_files
import lab.results.cells_table
import lab.results.checkpoint_files
import lab.results.claims
import lab.results.results_folder
import lab.results.store
import lab.running.checkpoint_schedule
import lab.running.failures
import lab.running.open_cells
import lab.running.plan
import lab.running.resuming
import lab.running.row_memory
import lab.running.runner
import lab.running.training_memory
import lab.running.work
from lab.core.code_used import CodeUsed, code_used
from lab.core.setting_types import check_types
from lab.core.source_files import lab_modules, tree_of
from lab.core.source_trees import Alias
from lab.data.rows import steps
from lab.data.sources import SyntheticShop
from lab.data.timeline import date_text, days_text, span_text
from lab.experiment.cells import Cell, grid
from lab.experiment.registry import shipped
from lab.models import GRU, LSTM
from lab.results.conclusions import span
from lab.running.computing import Computation
from lab.running.run_settings import RunSettings
from lab.running.runner import Run
from lab.targets import NextItem
from lab.tracking.tracker import Tracking
from lab.training.checkpoints import to_bytes
from lab.training.settings import Training
from tests.small_experiment import small_experiment

ROOT = Path(__file__).resolve().parents[2]
HOME = Path(lab.__path__[0])

EVERYTHING = tuple(shipped("feature group"))


def every_cell() -> list[Cell]:
    """A cell of each shipped model, feature group, target, source and baseline."""
    groups = {name: ("category", name) for name in EVERYTHING if name != "category"}
    models = tuple(cls() for cls in shipped("model").values())
    ticks = small_experiment(models=models, features=groups, seeds=1, horizons=(7,))
    steps = {name: ("behaviour", name) for name in ("item", "time", "price")}
    events = small_experiment(target=NextItem(), models=models, features=steps, seeds=1, horizons=(7,))
    return [*grid(ticks, "data", oracle=True), *grid(events, "data", oracle=False)]


@pytest.fixture(scope="module")
def changes(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What became stale by which change of a copy of the tree."""
    copy = tmp_path_factory.mktemp("tree")
    for name in ("lab", "tests"):
        shutil.copytree(ROOT / name, copy / name, ignore=shutil.ignore_patterns("__pycache__"))
    environment = os.environ | {"PYTHONPATH": str(copy)}
    command = [sys.executable, "-m", "tests.edited_tree"]
    ran = subprocess.run(command, cwd=copy, env=environment, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
    return json.loads(ran.stdout)


def test_what_moves_no_number_makes_nothing_stale(changes: dict[str, Any]) -> None:
    names = ["comments, layout and docstrings", "words of errors", "report", "another of each kind"]
    names += ["a module renamed", "a package moved", "settings in words", "limits of numbers"]
    assert {name: changes["changes"][name]["stale"] for name in names} == {name: [] for name in names}


@pytest.mark.parametrize(
    ("changed", "uses"),
    [
        ("recur", lambda cell: "LSTM" in cell or "GRU" in cell),
        ("Habit", lambda cell: cell.endswith(" habit")),
        ("Markov", lambda cell: cell.endswith(" markov")),
        ("Interest", lambda cell: cell.startswith("interest ")),
        ("query_metrics", lambda cell: cell.startswith("next_item ")),
        ("train", lambda cell: " model " in cell),
        ("folds", lambda cell: True),
        ("SyntheticShop", lambda cell: " oracle " in cell),
    ],
)
def test_a_change_makes_exactly_the_cells_stale_that_use_it(
    changes: dict[str, Any], changed: str, uses: Callable[[str], bool]
) -> None:
    found = changes["changes"][f"change {changed}"]
    assert found["stale"] == [cell for cell in changes["cells"] if uses(cell)] != []
    assert found["modules"] == [found["gave"]]


def test_the_code_of_a_class_is_found_without_importing_it() -> None:
    program = """
import sys
from lab.core.code_used import code_used, computing_code
for name in ("models.transformer:Transformer", "targets.interest:Interest", "features.habit:Habit"):
    module, _, cls = name.partition(":")
    print(code_used([(f"lab.{module}", cls), *computing_code("model")]).digest)
print([name for name in sys.modules if name.partition(".")[0] in ("jax", "flax", "polars", "scipy", "numpy")])
"""
    ran = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    assert ran.stdout.splitlines()[-1] == "[]" and len(set(ran.stdout.splitlines())) == 4


APART: tuple[Any, ...] = (
    *(lab.core.escape, lab.core.files, lab.core.memory, lab.core.number_limits, lab.core.pace, lab.core.progress),
    lab.core.words,
    *(lab.experiment.cell_record, lab.experiment.cells, lab.experiment.experiment, lab.experiment.registry),
    *(lab.results.checkpoint_files, lab.results.claims, lab.results.store),
    *(
        lab.running.checkpoint_schedule,
        lab.running.plan,
        lab.running.row_memory,
        lab.running.training_memory,
        lab.running.work,
    ),
    *(lab.results.cell_files, lab.results.cells_table, lab.running.failures, lab.running.open_cells),
    *(steps._require_memory, span),
    *(
        check_types,
        Computation,
        Run,
        lab.running.resuming.ChunkCheckpoints,
        to_bytes,
    ),
)
"""What runs beside the computation of a cell without being part of it: it says which cell is asked for, claims it,
tells how far it is, looks whether it fits memory, and keeps what came out."""


def _is_apart(module: str, name: str) -> bool:
    return any(
        module == one.__name__ if isinstance(one, ModuleType) else (module, name) == (one.__module__, one.__qualname__)
        for one in APART
    )


class Executed:
    """The lab's functions and classes that ran, by what they were run for."""

    def __init__(self) -> None:
        self.found: dict[str, set[tuple[str, str]]] = defaultdict(set)
        self.purpose = ""

    def __call__(self, frame: FrameType, event: str, argument: Any) -> None:
        code, around = frame.f_code, frame.f_back
        if "<module>" in (code.co_name, around and around.f_code.co_name):
            return  # a module that is imported only now
        if event == "call" and self.purpose and code.co_filename and code.co_filename.startswith(str(HOME)):
            module = ".".join(Path(code.co_filename).relative_to(HOME.parent).with_suffix("").parts)
            self.found[self.purpose].add((module.removesuffix(".__init__"), code.co_qualname.partition(".")[0]))

    def of(self, method: Callable[..., Any], purpose: Callable[..., str]) -> Callable[..., Any]:
        def watched(*given: Any) -> Any:
            before, self.purpose = self.purpose, purpose(*given)
            try:
                return method(*given)
            finally:
                self.purpose = before

        return watched

    @contextmanager
    def watching(self) -> Iterator[None]:
        threading.setprofile(self)
        sys.setprofile(self)
        try:
            yield
        finally:
            sys.setprofile(None)
            threading.setprofile(None)  # type: ignore[arg-type]


def covered(code: CodeUsed) -> set[tuple[str, str]]:
    """The names that a fingerprint's definitions bind."""
    named = ((module, [n for n in ast.walk(one) if isinstance(n, ast.Name)], one) for module, one in code.statements())
    return {
        (module, name)
        for module, names, one in named
        for name in ([one.name] if isinstance(one, ast.FunctionDef | ast.ClassDef) else [n.id for n in names])
    }


@pytest.mark.parametrize(
    "experiment",
    [
        small_experiment(
            source=SyntheticShop(users=60, days=90),
            horizons=(7,),
            models=(LSTM(width=4),),
            features={"all": tuple(name for name in EVERYTHING)},
            seeds=1,
            training=Training(steps=4, batch=4, row_length=32, overlap=8, evaluate_every=2, share=0.9),
        ),
        small_experiment(
            source=SyntheticShop(users=60, days=90),
            target=NextItem(objective="sampled", negatives=4),
            horizons=(7,),
            models=(GRU(width=4),),
            features={"all": ("item", "behaviour", "time", "price")},
            seeds=1,
            training=Training(steps=4, batch=4, row_length=32, overlap=8, evaluate_every=2),
        ),
    ],
    ids=["interest", "next item"],
)
def test_all_that_runs_for_a_cell_is_in_its_fingerprint(
    experiment: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, quick_compile: None, broadcasting: None
) -> None:
    executed = Executed()
    untrained, trained = Computation._judge_untrained, Computation._train
    monkeypatch.setattr(Run, "dataset", executed.of(Run.dataset, lambda *_: "data"))
    monkeypatch.setattr(Computation, "_judge_untrained", executed.of(untrained, lambda _, cell: cell.id))
    monkeypatch.setattr(
        Computation, "_train", executed.of(trained, lambda _, assembly, going, report: going.cells[0].id)
    )
    place = RunSettings(tmp_path / "out", tmp_path / "cache", Tracking(mode="off"), Console(quiet=True), report=False)
    run = Run(experiment, place)
    with executed.watching(), run.tracker() as tracker:
        run.compute_cells(run.cells, tracker)
    # One data set serves all cells of a fold, and so is of each group that some cell asks for.
    everyone = set().union(*(covered(cell.code) for cell in run.cells))
    for cell in run.cells:
        known = covered(cell.code)
        assert run.store.read(cell.id).status == "done"
        assert len(executed.found[cell.id]) > 5
        lacking = {name for name in executed.found[cell.id] - known if not _is_apart(*name)}
        assert lacking == set(), (
            f"{cell.id}: ran and is not in its fingerprint; mark it with @computes_cells, or name it"
        )
    assert {name for name in executed.found["data"] - everyone if not _is_apart(*name)} - DATA_WORDS == set()


DATA_WORDS = {(f.__module__, f.__name__) for f in (date_text, days_text, span_text)}
"""What only tells of a data set."""

UNSEEN = {"import_module", "__import__", "exec", "eval", "compile", "globals", "locals", "environ", "getenv", "open",
          "read_text", "read_bytes", "__file__", "spec_from_file_location", "find_spec", "load", "fromfile",
          "read_parquet", "read_csv"}  # fmt: skip
"""Names by which code can depend on what no fingerprint sees: other code by name, the environment, files."""


def test_no_code_of_a_cell_reads_what_its_fingerprint_cannot_see() -> None:
    found = set()
    for code in {cell.code.digest: cell.code for cell in every_cell()}.values():
        for module, statement in code.statements():
            names = {n.id for n in ast.walk(statement) if isinstance(n, ast.Name)}
            names |= {n.attr for n in ast.walk(statement) if isinstance(n, ast.Attribute)}
            found |= {(module, getattr(statement, "name", ""), name) for name in names & UNSEEN}
    assert found == {
        ("lab.data.log.histories", "Histories", "read_parquet"),  # raw ids, for the oracle alone
    }


def test_no_module_of_the_lab_does_anything_when_it_is_imported() -> None:
    """Beside defining things: what it did would be in no fingerprint of those who do not use it."""
    doing = {name for name in lab_modules() if (tree := tree_of(name)) and tree.effects}
    assert {name for name in doing if not name.endswith("__main__")} == set()


def test_packages_that_import_lazily_say_the_same_to_type_checkers() -> None:
    """By what they say there the walk finds what they export."""
    lazy = [name for name in lab_modules() if (tree := tree_of(name)) and "__getattr__" in tree.binds]
    assert len(lazy) > 4
    for name in lazy:
        module, tree = import_module(name), tree_of(name)
        assert tree is not None
        for export in module.__all__:
            thing = getattr(module, export)
            if thing.__module__ != name:
                home = next(one.module for one in tree.binds[export] if isinstance(one, Alias))
                assert getattr(import_module(home), export) is thing
                assert code_used([(home, export)]).digest


def test_the_grid_of_a_large_experiment_is_named_at_once() -> None:
    begun = os.times()
    cells = [*every_cell(), *grid(small_experiment(seeds=100), "data", oracle=False)]
    assert len({cell.id for cell in cells}) == len(cells) > 400
    took = os.times()
    assert took.user + took.system - begun.user - begun.system < 5
