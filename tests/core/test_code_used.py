"""What a fingerprint of code follows, and what it does not: on small files of a user's own."""

import itertools
import os
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from lab.core.code_used import CodeUsed, code_used
from lab.core.errors import InputError

BASE = '''"""What it is."""
import numpy as np
import math as m
from helper_NUMBER import scaled, Fault
from lab.core.errors import InputError

DEPTH = 1
TABLE = {}
UNUSED = 1

def plain(x: int, y: int = 2) -> int:
    """It adds."""
    if x < 0:
        raise ValueError(f"{x} is below 0; use {explain(x)}.")
    if x > 9:
        raise Fault("too large")
    z: int = x + y  # a sum
    return scaled(z * DEPTH)

def explain(x):
    return f"more than {x}"

def apart(x):
    return x

class Mine:
    """A class."""

    width: int = 3
    """How wide."""

    def __call__(self, x):
        """It calls."""
        from helper_NUMBER import shifted
        return plain(shifted(x), self.width) + np.sum([DEPTH2 for DEPTH2 in (1, 2)]) + len(TABLE)

    def refused(self):
        return InputError("not so")
'''
HELPER = """
SCALE = 2.0
class Fault(Exception):
    pass
def scaled(x):
    return x * SCALE
def shifted(x):
    return x + 1
def other(x):
    return x - 1
"""
_numbers = itertools.count()


@pytest.fixture
def used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., CodeUsed]:
    """What `Mine` of a file of the user's can reach, after some changes to its text and to that of its helper."""
    monkeypatch.syspath_prepend(tmp_path)

    def made(changes: dict[str, str] | None = None, helper: dict[str, str] | None = None) -> CodeUsed:
        number = str(next(_numbers))
        for name, text, edits in (("own", BASE, changes), ("helper", HELPER, helper)):
            for old, new in (edits or {}).items():
                assert old in text
                text = text.replace(old, new)
            (tmp_path / f"{name}_{number}.py").write_text(text.replace("NUMBER", number))
        return code_used([(f"own_{number}", "Mine")])

    return made


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"# a sum": "# the sum of both", "\n\ndef plain": "\n\n\n\ndef plain", "z * DEPTH": "(z * (DEPTH))"},
        {'"""What it is."""': '"""Something else."""', '"""It adds."""': "", '"""How wide."""': '"""Width."""'},
        {"(x: int, y: int = 2) -> int": "(x, y=2)", "z: int = x": "z = x"},
        {"is below 0; use": "must be 0 or more, not", "too large": "larger than 9", "not so": "never so"},
        {"more than": "at least", "def apart(x):\n    return x": "def apart(x):\n    return x + 1", "UNUSED = 1": ""},
        {"import math as m": "import json", "helper_NUMBER import scaled, Fault": "helper_NUMBER import Fault, scaled"},
    ],
    ids=["nothing", "layout", "docstrings", "annotations", "words of errors", "what is not used", "imports"],
)
def test_what_cannot_move_a_number_moves_no_fingerprint(used: Callable[..., CodeUsed], changes: dict[str, str]) -> None:
    one, other = used(), used(changes, {"def other(x):\n    return x - 1": ""})
    assert one.digest == other.digest
    assert list(one.modules.values()) == list(other.modules.values())


@pytest.mark.parametrize(
    ("changes", "helper"),
    [
        ({"DEPTH = 1": "DEPTH = 1.0"}, {}),
        ({"x + y": "x - y"}, {}),
        ({"y: int = 2": "y: int = 3"}, {}),
        ({"x < 0": "x <= 0"}, {}),
        ({"width: int = 3": "width: float = 3"}, {}),
        ({"TABLE = {}": "TABLE = {}\nTABLE['a'] = 1"}, {}),
        ({"TABLE = {}": "TABLE = {}\nfor one in 'ab':\n    TABLE[one] = 1"}, {}),
        ({"import numpy as np": "import jax.numpy as np"}, {}),
        ({"import numpy as np": "import numpy as np\nnp.seterr(all='raise')"}, {}),
        ({"def plain": "import functools\n@functools.cache\ndef plain"}, {}),
        ({"import shifted": "import other as shifted"}, {}),
        ({"import scaled, Fault": "import shifted as scaled, Fault"}, {}),
        ({"import scaled, Fault": "import *"}, {}),
        ({}, {"SCALE = 2.0": "SCALE = 2.5"}),
        ({}, {"x + 1": "x + 2"}),
        ({}, {"x * SCALE": "SCALE * x"}),
        ({}, {"SCALE = 2.0": "SCALE = 2.0\nimport os\nos.environ['XLA_FLAGS'] = ''"}),
        ({}, {"SCALE = 2.0": "try:\n    SCALE = 2.0\nexcept NameError:\n    SCALE = 1.0"}),
    ],
)  # fmt: skip
def test_what_can_move_a_number_moves_the_fingerprint(
    used: Callable[..., CodeUsed], changes: dict[str, str], helper: dict[str, str]
) -> None:
    one, other = used(), used(changes, helper)
    assert one.digest != other.digest


def test_of_what_is_swapped_between_files_the_fingerprint_is_another(
    tmp_path: Path, used: Callable[..., CodeUsed]
) -> None:
    """All the same definitions, wired otherwise."""
    for name, sign in (("plus", "+"), ("minus", "-")):
        (tmp_path / f"{name}.py").write_text(f"def step(x):\n    return x {sign} 1\n")
    found = []
    for first, second in (("plus", "minus"), ("minus", "plus")):
        name = f"swapped_{first}"
        uses = f"from {first} import step\nimport {second}\ndef both(x):\n    return step(step(x)) * {second}.step(x)\n"
        (tmp_path / f"{name}.py").write_text(
            uses.replace(f"{second}.step", "it.step").replace(f"import {second}", f"import {second} as it")
        )
        found.append(code_used([(name, "both")]))
    assert found[0].digest != found[1].digest
    assert sorted(found[0].modules.values()) == sorted(found[1].modules.values())


def test_a_file_that_is_renamed_or_moved_into_a_package_keeps_its_fingerprint(
    tmp_path: Path, used: Callable[..., CodeUsed]
) -> None:
    (tmp_path / "flat_a.py").write_text("from flat_b import f\ndef g(x):\n    return f(x)\n")
    (tmp_path / "flat_b.py").write_text("def f(x):\n    from flat_c import h\n    return h(x)\n")
    (tmp_path / "flat_c.py").write_text("def h(x):\n    return x\n")
    package = tmp_path / "deep" / "er"
    package.mkdir(parents=True)
    (tmp_path / "deep" / "__init__.py").write_text("")
    (package / "__init__.py").write_text("from .b2 import f as f\n")
    (package / "a2.py").write_text("from . import f\ndef g(x):\n    return f(x)\n")
    (package / "b2.py").write_text("def f(x):\n    from .c2 import h\n    return h(x)\n")
    (package / "c2.py").write_text("def h(x):\n    return x\n")
    sys.modules.pop("deep", None)
    import deep.er.a2  # type: ignore[import-not-found]  # noqa: F401

    one, other = code_used([("flat_a", "g")]), code_used([("deep.er.a2", "g")])
    assert one.digest == other.digest
    assert list(one.modules) == ["flat_a", "flat_b", "flat_c"]
    assert list(other.modules) == ["deep.er.a2", "deep.er.b2", "deep.er.c2"]


def test_a_name_that_a_function_binds_is_not_the_modules(tmp_path: Path, used: Callable[..., CodeUsed]) -> None:
    text = """
def step(x):
    return x
def argument(step):
    return step(1)
def bound(x):
    for step in x:
        pass
    return step
def inner(x):
    return [step for step in x]
def around(x):
    return [step for step in x] + [step(x)]
def walrus(x):
    return [(step := y) for y in x], step
def imported(x):
    from math import step
    return step
def closed(step):
    def inside(x):
        return step(x)
    return inside
def default(x=step):
    return x
def rebound(x):
    global step
    step = x
class Body:
    step = step
"""
    (tmp_path / "scopes.py").write_text(text)
    sizes = {
        name: len(code_used([("scopes", name)]).places)
        for name in [
            "argument",
            "bound",
            "inner",
            "around",
            "walrus",
            "imported",
            "closed",
            "default",
            "rebound",
            "Body",
        ]
    }
    assert {name for name, size in sizes.items() if size > 1} == {"around", "default", "rebound", "Body"}


def test_a_module_handed_on_as_a_value_counts_whole(tmp_path: Path, used: Callable[..., CodeUsed]) -> None:
    (tmp_path / "many.py").write_text("def a(x):\n    return x\ndef b(x):\n    return x * 2\n")
    (tmp_path / "asks.py").write_text(
        "import many\ndef one(x):\n    return many.a(x)\ndef any(n):\n    return getattr(many, n)\n"
    )
    assert len(code_used([("asks", "one")]).places) == 2
    assert len(code_used([("asks", "any")]).places) == 3


def test_what_is_in_no_file_is_refused_in_words() -> None:
    with pytest.raises(InputError, match=r"nowhere\.Mine: is not defined at the top of a Python file"):
        code_used([("nowhere", "Mine")])


def test_a_file_changed_since_is_read_anew(tmp_path: Path, used: Callable[..., CodeUsed]) -> None:
    file = tmp_path / "changing.py"
    file.write_text("def f(x):\n    return x\n")
    first = code_used([("changing", "f")]).digest
    file.write_text("def f(x):\n    return x + 1\n")
    os.utime(file, (1, 1))
    second = code_used([("changing", "f")]).digest
    file.write_text("def f(x):\n    return x\n")
    os.utime(file, (2, 2))
    assert first != second and code_used([("changing", "f")]).digest == first
