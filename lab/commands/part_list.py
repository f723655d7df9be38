"""`python -m lab.run --list`: everything that is known by name, with the first line of its docstring.

Docstrings are read from the source text: importing a model imports jax, which takes seconds.
"""

import ast
import importlib
import inspect
import textwrap
from collections.abc import Iterator
from pathlib import Path

from lab.experiment.registry import PACKAGES, registered_parts

WIDTH = 80
LABEL = 22
EXPERIMENTS = Path("experiments")

HEADINGS = {
    "model": "models",
    "feature group": "feature groups",
    "target": "targets",
    "source": "sources",
    "baseline": "baselines",
    "experiment": "experiments",
}

Entry = tuple[str, str]
"""What a thing is called, and its class with the first line of its docstring."""


def list_parts(file: Path | None = None) -> Iterator[str]:
    """The lines of the list, at most 80 columns wide; with what a user's file registers when one is given."""
    own = _registered_by(file) if file else {}
    for kind, heading in HEADINGS.items():
        found = _experiments() if kind == "experiment" else list(_shipped_classes(kind))
        yield f"{heading}, from {PACKAGES[kind][0]}" if kind in PACKAGES else heading
        for name, line in [*found, *own.get(kind, [])]:
            yield from _wrapped_entry(name, line)
        yield ""


def _shipped_classes(kind: str) -> Iterator[Entry]:
    """The classes that a package exports, found through what it says of their homes."""
    package, base = PACKAGES[kind]
    module = importlib.import_module(package)
    folder = Path(str(module.__file__)).parent
    for file in sorted(folder.rglob("*.py")):
        for node in ast.parse(file.read_text()).body:
            exported = isinstance(node, ast.ClassDef) and node.name in module.__all__ and node.name != base
            if isinstance(node, ast.ClassDef) and exported and file.stem != "base" and _is_settings(node):
                name = _name_of(node, kind)
                yield name, _description(name, node.name, ast.get_docstring(node))


def _is_settings(node: ast.ClassDef) -> bool:
    """Whether a class extends another one: a part such as Lookup does not, a source does."""
    return bool(node.bases)


def _name_of(node: ast.ClassDef, kind: str) -> str:
    """A class by its name in a file; a group by the name that feature sets use, a baseline by that in tables."""
    if kind in ("model", "source"):
        return node.name
    for part in node.body:
        target = part.target if isinstance(part, ast.AnnAssign) else None
        if isinstance(target, ast.Name) and target.id == "name" and isinstance(part, ast.AnnAssign) and part.value:
            return str(ast.literal_eval(part.value))
    return node.name


def _experiments() -> list[Entry]:
    """The files under experiments/, unread but for their docstrings."""
    return [
        (str(f), _first_sentence(ast.get_docstring(ast.parse(f.read_text())))) for f in sorted(EXPERIMENTS.glob("*.py"))
    ]


def _registered_by(file: Path) -> dict[str, list[Entry]]:
    """What a file registers, by kind; the file is run, and jax with it."""
    from lab.experiment.loading import load_experiment

    experiment, about = load_experiment(file)
    found: dict[str, list[Entry]] = {"experiment": [(f"{experiment.name} ({file})", _first_sentence(about))]}
    for kind, name, thing in registered_parts():
        if kind != "experiment":
            entry = f"{name} ({file})", _description(name, thing.__name__, inspect.getdoc(thing))
            found.setdefault(kind, []).append(entry)
    return found


def _description(name: str, cls: str, doc: str | None) -> str:
    """What a class is, after the name that a file imports it by, where it is known by another."""
    return _first_sentence(doc) if name == cls else f"{cls}: {_first_sentence(doc)}"


def _first_sentence(doc: str | None) -> str:
    return (doc or "").strip().partition("\n\n")[0].replace("\n", " ")


def _wrapped_entry(name: str, line: str) -> Iterator[str]:
    """A name and what it is, wrapped beside it; a long name has a line of its own."""
    wrapped = textwrap.wrap(line, WIDTH - LABEL - 2, break_on_hyphens=False) or [""]
    if len(name) >= LABEL:
        yield f"  {name}"
        name = ""
    for k, text in enumerate(wrapped):
        yield f"  {name if k == 0 else '':<{LABEL}}{text}".rstrip()
