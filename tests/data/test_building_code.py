"""Histories are built anew where code that made them changed, and not where words did."""

import json
import os
import shutil
import subprocess
import sys
import threading
from pathlib import Path
from types import FrameType
from typing import Any

import polars as pl

import lab
from lab.core.code_used import code_used
from lab.data.log.build import build
from lab.data.log.cache import building_starts
from lab.data.log.cleaning import Cleaning
from lab.data.sources import Lookup, SyntheticShop, Table
from lab.data.sources.shop_settings import bytes_of_shop
from lab.data.timeline import Timeline

ROOT = Path(__file__).parents[2]
HOME = Path(lab.__path__[0])

EDITS = """
import json, sys
from pathlib import Path
from lab.core.code_used import forget
from lab.data.log.cache import building_code_digest
from lab.data.sources import SyntheticShop, Table
import lab

home = Path(lab.__path__[0])
sources = {"table": Table(path="log.csv"), "shop": SyntheticShop()}

def codes():
    forget()
    return {name: building_code_digest(source) for name, source in sources.items()}

before, found = codes(), {}
for name, (file, old, new) in json.loads(sys.argv[1]).items():
    path = home / file
    text = path.read_text()
    assert old in text, (name, old)
    path.write_text(text.replace(old, new))
    after = codes()
    found[name] = [one for one in before if before[one] != after[one]]
    path.write_text(text)
print(json.dumps(found))
"""

CHANGES = {
    "words of an error": ("data/log/build.py", "holds no rows.", "has not one row."),
    "words of a reader's error": ("data/sources/delimited.py", "cannot be read:", "could not be read:"),
    "a docstring": ("data/log/cleaning.py", "Leave out rows outside since..until.", "Leave out others."),
    "a comment": ("data/log/encoding.py", "# The last assignment wins", "# What is assigned last wins"),
    "another source": ("data/sources/otto.py", 'time_format="ms"', 'time_format="s"'),
    "the reading of a cache": ("data/log/cache.py", "is damaged; building", "was damaged; building"),
    "a cleaning rule": ("data/log/cleaning.py", 'log["time"] >= span.since', 'log["time"] > span.since'),
    "a rule's default": ("data/log/cleaning.py", "bots: float | None = 1000.0", "bots: float | None = 999.0"),
    "how ids are read": ("data/sources/ids.py", r'r"\.0+$", ""', r'r"\.0+$", "."'),
    "how a second table is joined": ("data/sources/lookup.py", 'keep="first"', 'keep="last"'),
    "how the shop is drawn": ("data/sources/synthetic.py", "VERSION = ", "VERSION = 1 + "),
}
STALE = {
    **{name: [] for name in CHANGES},
    "a cleaning rule": ["table", "shop"],
    "a rule's default": ["table", "shop"],
    "how ids are read": ["table", "shop"],
    "how a second table is joined": ["table", "shop"],
    "how the shop is drawn": ["shop"],
}
"""The sources whose histories each change makes anew."""


def test_words_rebuild_nothing_and_rules_do(tmp_path: Path) -> None:
    shutil.copytree(HOME, tmp_path / "lab", ignore=shutil.ignore_patterns("__pycache__"))
    command = [sys.executable, "-c", EDITS, json.dumps(CHANGES)]
    environment = os.environ | {"PYTHONPATH": str(tmp_path)}
    ran = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
    assert json.loads(ran.stdout) == STALE


def logs(folder: Path) -> dict[str, Any]:
    """A source of each format, with what there is of oddities, so that all readers run."""
    rows = [f"u{k % 5},{k % 7}.0,2020-01-{k % 28 + 1:02},{k}.5,a{k % 3}" for k in range(60)]
    head = "user,item,time,price,category\n"
    (folder / "plain.csv").write_text(head + "\n".join(rows) + "\n\n")
    (folder / "quoted.csv").write_text(head + "\n".join(",".join(f'"{x}"' for x in row.split(",")) for row in rows))
    (folder / "loose.csv").write_text(head + "\n".join(rows) + '\n"u1",i27"x,2020-01-02,"1",b\n')
    pl.read_csv(folder / "plain.csv").write_parquet(folder / "log.parquet")
    frame = pl.read_csv(folder / "plain.csv", infer_schema=False)
    frame.write_ndjson(folder / "log.jsonl")
    (folder / "log.json").write_text(json.dumps(frame.to_dicts()))
    items = Lookup(path=str(folder / "plain.csv"), on="item", key="item", columns={"category": pl.col("price")})
    return {
        **{path.name: Table(path=str(path)) for path in sorted(folder.iterdir())},
        "lookup": Table(path=str(folder / "plain.csv"), lookups=(items,)),
        "frame": Table(frame=frame),
        "shop": SyntheticShop(users=30, days=40),
    }


class Ran:
    """The lab's functions and classes that ran while histories were built."""

    def __init__(self) -> None:
        self.found: set[tuple[str, str]] = set()

    def __call__(self, frame: FrameType, event: str, argument: Any) -> None:
        code, around = frame.f_code, frame.f_back
        if event != "call" or not code.co_filename.startswith(str(HOME)):
            return
        if "<module>" in (code.co_name, around and around.f_code.co_name):
            return  # a module that is imported only now
        module = ".".join(Path(code.co_filename).relative_to(HOME.parent).with_suffix("").parts)
        self.found.add((module.removesuffix(".__init__"), code.co_qualname.partition(".")[0]))


APART = ("lab.core.lazy", "lab.core.memory", bytes_of_shop.__module__ + "." + bytes_of_shop.__name__)
"""What only imports, or looks whether something fits memory: modules, and a function."""


def test_all_that_runs_while_histories_are_built_is_in_their_key(tmp_path: Path) -> None:
    cleaning, timeline = Cleaning(item_min_events=2), Timeline()
    for name, source in logs(tmp_path).items():
        ran = Ran()
        threading.setprofile(ran)
        sys.setprofile(ran)
        try:
            build(source, cleaning, timeline, (1,))
        finally:
            sys.setprofile(None)
            threading.setprofile(None)  # type: ignore[arg-type]
        used = code_used(building_starts(source))
        known = {(module, getattr(one, "name", "")) for module, one in used.statements()}
        assert len(ran.found) > 20
        lacking = {one for one in ran.found - known if not {one[0], ".".join(one)} & set(APART)}
        assert lacking == set(), name
