"""Which cells each change of the lab's source makes stale: run in a copy of the tree, whose files it edits.

python -m tests.edited_tree
"""

import ast
import json
import re
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import lab
import lab.report
from lab.baselines import Markov
from lab.core.code_used import forget
from lab.data.sources import SyntheticShop
from lab.data.timeline import folds
from lab.experiment.cells import Cell, grid
from lab.experiment.registry import PACKAGES
from lab.experiment.settings import settings_of
from lab.features import Habit
from lab.models import GRU, LSTM, Transformer
from lab.models.recurrence import recur
from lab.targets import Interest, NextItem
from lab.targets.next_item.metrics import query_metrics
from lab.training.fit import train
from lab.training.settings import Training
from tests.small_experiment import small_experiment

ROOT = Path(lab.__path__[0])

SETS = {"ids": ("category", "behaviour"), "habit": ("category", "habit")}
EXPERIMENTS = (
    small_experiment(models=(LSTM(), GRU(), Transformer()), features=SETS, seeds=1, horizons=(7,)),
    small_experiment(models=(GRU(),), features={"ids": ("item", "time")}, seeds=1, horizons=(7,), target=NextItem()),
)


def cells() -> list[Cell]:
    return [cell for one in EXPERIMENTS for cell in grid(one, "data", oracle=one is EXPERIMENTS[0])]


def name_of(cell: Cell) -> str:
    return f"{cell.experiment.target.name} {cell.kind} {cell.model.split()[0]} {cell.features}".strip()


Found = dict[str, tuple[str, dict[str, str]]]


def fingerprints() -> Found:
    """Of each cell its code's digest, and those of its modules; all files read anew."""
    forget()
    return {name_of(cell): (cell.code.digest, cell.code.modules) for cell in cells()}


@contextmanager
def edited() -> Iterator[None]:
    """Whatever is done to the lab's files is undone at the end."""
    before = {path: path.read_bytes() for path in ROOT.rglob("*.py")}
    try:
        yield
    finally:
        for path in set(ROOT.rglob("*.py")) - set(before):
            path.unlink()
        for path, content in before.items():
            path.parent.mkdir(exist_ok=True)
            path.write_bytes(content)


def each_file(change: Callable[[ast.Module], ast.AST], folder: Path = ROOT) -> None:
    """Rewrite every file of the lab from its tree: layout and comments are lost."""
    for path in folder.rglob("*.py"):
        tree = change(ast.parse(path.read_text()))
        path.write_text(ast.unparse(ast.fix_missing_locations(tree)))


class Docstrings(ast.NodeTransformer):
    """Every text that stands alone is replaced by another."""

    def visit_Expr(self, node: ast.Expr) -> ast.AST:
        if isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
            node.value = ast.Constant("Said otherwise.")
        return node


class Words(ast.NodeTransformer):
    """What errors say is said otherwise."""

    def visit_Raise(self, node: ast.Raise) -> ast.AST:
        for inner in ast.walk(node):
            if isinstance(inner, ast.Constant) and isinstance(inner.value, str):
                inner.value = f"{inner.value} (reworded)"
        return node

    def visit_Call(self, node: ast.Call) -> ast.AST:
        name = ast.unparse(node.func)
        return self.visit_Raise(node) if name in ("InputError", "FaultError") else self.generic_visit(node)  # type: ignore[arg-type]


class Statement(ast.NodeTransformer):
    """A statement more in each function."""

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:
        node.body.insert(0, ast.parse("changed = 1").body[0])
        return node


def change(thing: Any) -> str:
    """Put a statement more into a function, a class or a method; returns its module."""
    path = Path(sys.modules[thing.__module__].__file__ or "")
    tree = ast.parse(path.read_text())
    found: Any = tree
    for name in thing.__qualname__.split("."):
        found = next(node for node in found.body if getattr(node, "name", None) == name)
    place = 1 if ast.get_docstring(found) else 0
    found.body.insert(place, ast.parse("changed = 1").body[0])
    path.write_text(ast.unparse(ast.fix_missing_locations(tree)))
    return thing.__module__


def add(kind: str) -> None:
    """A file with a class of a kind, which its package exports."""
    package, base = PACKAGES[kind]
    folder = ROOT.joinpath(*package.split(".")[1:])
    (folder / "added.py").write_text(f"from {package}.base import {base}\n\nclass Added({base}):\n    name = 'added'\n")
    init = folder / "__init__.py"
    text = init.read_text()
    for old, new in (
        ("if TYPE_CHECKING:\n", f"if TYPE_CHECKING:\n    from {package}.added import Added\n"),
        ("__all__ = [", '__all__ = ["Added", '),
    ):
        assert old in text
        text = text.replace(old, new)
    text, times = re.subn(r"lazy_exports\(\s*__name__,\s*\{", 'lazy_exports(__name__, {"Added": "added", ', text)
    assert times == 1
    init.write_text(text)


def rename(old: str, new: str) -> None:
    """A module or package under another name, wherever it is imported."""
    source, target = (ROOT.joinpath(*name.split(".")[1:]) for name in (old, new))
    if source.is_dir():
        source.rename(target)
    else:
        source.with_suffix(".py").rename(target.with_suffix(".py"))
    for path in ROOT.rglob("*.py"):
        text = re.sub(rf"\b{re.escape(old)}\b", new, path.read_text())
        short = [name.partition(".")[2] for name in (old, new)]
        path.write_text(text.replace(f'"{short[0]}.', f'"{short[1]}.'))


def move_training() -> None:
    old = Training.__module__
    package = old.rpartition(".")[0]
    rename(package, f"{package}_loop")
    Training.__module__ = old.replace(package, f"{package}_loop")


def compare(before: Found, do: Callable[[], Any]) -> dict[str, Any]:
    """The cells that a change makes stale, the modules that it is said to be in, and what the change gave."""
    with edited():
        gave = do()
        after = fingerprints()
    stale = [name for name, (digest, _) in before.items() if after[name][0] != digest]
    modules = {
        module for name in stale for module, digest in after[name][1].items() if digest not in before[name][1].values()
    }
    return {"stale": stale, "modules": sorted(modules), "gave": gave}


CHANGES: dict[str, Callable[[], Any]] = {
    "comments, layout and docstrings": lambda: each_file(Docstrings().visit),
    "words of errors": lambda: each_file(Words().visit),
    "report": lambda: each_file(Statement().visit, Path(lab.report.__path__[0])),
    "another of each kind": lambda: [add(kind) for kind in PACKAGES] and None,
    "a module renamed": lambda: rename(recur.__module__, f"{recur.__module__}_scan"),
    "settings in words": lambda: change(settings_of),
    "limits of numbers": lambda: [change(cls.number_limits) for cls in (Habit, Markov, Interest, SyntheticShop)],
    **{
        f"change {thing.__name__}": lambda thing=thing: change(thing)  # type: ignore[attr-defined]
        for thing in (recur, Habit, Markov, Interest, query_metrics, train, folds, SyntheticShop)
    },
    "a package moved": move_training,
}  # fmt: skip


def main() -> None:
    before = fingerprints()
    found = {name: compare(before, do) for name, do in CHANGES.items()}
    json.dump({"cells": list(before), "changes": found}, sys.stdout)


if __name__ == "__main__":
    main()
