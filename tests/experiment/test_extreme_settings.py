"""Every number that a person can set, found by looking: one beyond reason is refused in one line, or has no effect."""

import math
import resource
from collections.abc import Iterator
from dataclasses import fields, replace
from pathlib import Path
from typing import Any, get_args, get_origin, get_type_hints

import pytest

from lab.baselines import Logistic
from lab.commands.command_line import Options
from lab.core.errors import InputError
from lab.data.fold.categories import Categories
from lab.data.log.cache import prepare_log
from lab.data.log.cleaning import Cleaning
from lab.data.sources import SyntheticShop
from lab.data.timeline import Timeline, folds
from lab.experiment.cells import grid
from lab.experiment.experiment import Experiment
from lab.experiment.registry import PACKAGES, shipped
from lab.models import RNN
from lab.running.assembly import assemblies, dataset_of
from lab.running.judging import judge_baseline
from lab.running.row_groups import group_by_rows
from lab.running.row_memory import require_feed, require_feeds, require_shard
from lab.running.training_memory import require_rows
from lab.targets import Interest, NextItem
from lab.tracking.tracker import Tracking
from lab.training.settings import Training

SHOP = SyntheticShop(users=40, days=90, categories=4, items=8, interests=2, events_per_user=30)
TRAINING = Training(steps=4, batch=4, row_length=16, overlap=4, evaluate_every=2)
SETTINGS = {"training": Training, "timeline": Timeline, "cleaning": Cleaning, "tracking": Tracking}

EXTREMES: dict[Any, tuple[Any, ...]] = {
    int: (10**9, 10**18, 10**30, -1),
    float: (1e15, 1e300, math.inf, math.nan, -1.0),
}
HARMLESS = {
    "training.batch": "no batch has more rows than there are",
    "training.clip": "it clips nothing",
    "training.learning_rate": "cells diverge, and are said to",
    "training.evaluate_every": "training ends before that",
    "training.valid_rows": "all rows are looked at",
    "training.patience": "no cell stops early",
    "training.cells_at_once": "no more are trained than there are",
    "training.resident_gib": "all rows lie on the device, where these fit",
    "timeline.shard_events": "the log is one shard, where it fits",
    "target.categories.few_items": "every item is a category",
    "source:synthetic shop.seed": "any number will do",
    "baseline:logistic.cutoffs": "all there are are used",
    "baseline:logistic.queries": "all there are are used, where they fit",
    "baseline:logistic.sampled": "all candidates are used, where they fit",
    "baseline:logistic.seed": "any number will do",
}
"""What may be as large as it will, and why."""


def numbers(cls: type) -> Iterator[tuple[str, Any]]:
    """Field and kind of each number, and of each list or mapping of numbers, among the settings of a class."""
    hints = get_type_hints(cls)
    for one in fields(cls):
        kinds = _numeric(hints[one.name])
        if kinds:
            yield one.name, kinds


def _numeric(hint: Any) -> Any:
    if hint in (int, float):
        return hint
    if get_origin(hint) is tuple and float in get_args(hint):
        return tuple
    inner = [one for one in get_args(hint) if one in (int, float)]
    return inner[0] if inner and get_origin(hint) is not tuple else None


def owners() -> Iterator[tuple[str, type]]:
    """Each class whose fields are settings, with what messages call it."""
    yield from SETTINGS.items()
    yield "", Experiment
    yield "", Options
    yield "target.categories", Categories
    for kind in PACKAGES:
        for name, cls in shipped(kind).items():
            yield f"{kind}:{name}", cls


CASES = [
    pytest.param(owner, cls, name, kind, id=f"{owner}.{name}".lstrip("."))
    for owner, cls in owners()
    for name, kind in numbers(cls)
]


def settings_of(owner: str, cls: type) -> tuple[Any, str]:
    """Settings of a class as they are usually, and where an experiment has them."""
    kind, _, _ = owner.partition(":")
    if cls in (Experiment, Options):
        return None, ""
    if kind == "model":
        return cls(width=8), "models"
    if kind == "source":
        return (SHOP, "source") if cls is SyntheticShop else (None, "")
    if cls is NextItem:
        return NextItem(objective="sampled", negatives=4), "target"
    places = {"feature group": "groups", "baseline": "baselines", "target": "target"}
    return {"training": TRAINING}.get(owner, cls()), places.get(kind, owner)


def experiment(place: str, value: Any) -> Experiment:
    """A small experiment that has these settings in their place."""
    changes = {
        "target.categories": lambda: {"target": Interest(categories=value)},
        "groups": lambda: {"groups": (value,), "features": {"a": ("category", value.name)}},
        "models": lambda: {"models": (value,)},
        "baselines": lambda: {"baselines": (value,)},
    }.get(place, lambda: {place: value})()
    base = {
        "name": "small", "source": SHOP, "target": Interest(), "horizons": (7,), "features": {"a": ("category",)},
        "models": (RNN(width=8),), "seeds": 1, "training": TRAINING, "baselines": (),
    }  # fmt: skip
    if isinstance(value, NextItem):
        base |= {"features": {"a": ("item",)}}
    if place == "groups" and value.name == "category":
        changes["features"] = {"a": ("category",)}
    return Experiment(**(base | changes))


def plan(asked: Experiment, cache: Path, place: str) -> None:
    """What a dry run does of it, and for a baseline also its fit."""
    log = prepare_log(asked.source, asked.cleaning, asked.timeline, asked.horizons, cache)
    if place == "source":
        return
    log = asked.target.arrange(log, asked.timeline)
    fold = folds(asked.timeline, asked.horizons, *log.span)[0]
    for causal, cells in group_by_rows(grid(asked, log.fingerprint, oracle=False), fold):
        require_rows(asked.models, asked.training)
        require_shard(asked.timeline, log.events)
        data, _ = dataset_of(log, fold, cells, causal)
        for baseline in asked.baselines:
            baseline.require_memory(len(data.splits["train"].queries), data.view.candidates)
            judge_baseline(data, asked.target, baseline, 0).result()
        if place != "baselines":
            require_feeds(assemblies(asked, data, cells), data)


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder for prepared logs; what takes very much memory meanwhile fails instead of taking it."""
    limits = resource.getrlimit(resource.RLIMIT_AS)
    held = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (held + (6 << 30), limits[1]))
    yield tmp_path_factory.mktemp("cache")
    resource.setrlimit(resource.RLIMIT_AS, limits)


@pytest.mark.parametrize(("owner", "cls", "name", "kind"), CASES)
def test_a_number_beyond_reason_is_refused_in_one_line_or_has_no_effect(
    cache: Path, broadcasting: None, owner: str, cls: type, name: str, kind: Any
) -> None:
    usual, place = settings_of(owner, cls)
    for extreme in EXTREMES[float if kind is tuple else kind]:
        value = _as_declared(usual, name, kind, extreme)
        try:
            if cls is Options:
                Options(**{name: value})
            elif cls is Tracking:
                Tracking(**{name: value})
            elif cls is Experiment:
                plan(replace(experiment("seeds", 1), **{name: value}), cache, name)
            else:
                plan(experiment(place, replace(usual, **{name: value})), cache, place)
        except InputError as error:
            said = str(error)
            assert (name in said or owner in said) and "\n" not in said and len(said) < 400, said
        else:
            assert f"{owner}.{name}" in HARMLESS, f"{owner}.{name}={value} was taken"


def test_pairs_that_do_not_fit_memory_are_refused_with_a_number_that_does() -> None:
    with pytest.raises(InputError, match=r"baselines\.logistic\.queries: 1,000,000,000 takes .*; use at most [\d,]+\."):
        Logistic(queries=10**9).require_memory(10**9, candidates=60)
    Logistic(queries=10**9).require_memory(2_500, candidates=60)  # of as many as there are


def test_rows_that_do_not_fit_memory_are_refused_with_a_setting_that_does(cache: Path, broadcasting: None) -> None:
    asked = experiment("training", TRAINING)
    log = prepare_log(asked.source, asked.cleaning, asked.timeline, asked.horizons, cache)
    (fold,) = folds(asked.timeline, asked.horizons, *log.span)
    cells = grid(asked, log.fingerprint, oracle=False)
    data, _ = dataset_of(log, fold, cells)
    (one,) = assemblies(asked, data, cells)
    rows = data.splits["train"].packed
    whole, copies = rows.count * rows.row_bytes, 1 + one.program.layout.lanes
    require_feed(one.program, rows, sharded=False, room=copies * whole)
    with pytest.raises(InputError, match=r"^training\.resident_gib: 4 takes about .* use at most (\S+)\.$") as said:
        require_feed(one.program, rows, sharded=False, room=copies * whole - 1)
    fits = float(str(said.value).rpartition("at most ")[2].rstrip("."))
    assert 0.99 * whole < fits * 2**30 < whole  # as much less as makes them come from the host
    step = one.program.layout.cells_at_once * one.program.batch * rows.row_bytes * 4
    require_feed(one.program, rows, sharded=True, room=2 * step)
    with pytest.raises(InputError, match=r"^training\.evaluate_every: 2 takes about .*; use at most 1\.$"):
        require_feed(one.program, rows, sharded=True, room=1.5 * step)


def test_a_shard_that_does_not_fit_memory_is_refused_with_one_that_does() -> None:
    large = Timeline(shard_events=10**12)
    require_shard(large, events=1_000_000, room=1e9)  # a log of fewer is one shard, whatever the setting
    with pytest.raises(InputError, match=r"^timeline\.shard_events: .* takes about .*; use at most 1,600,000\.$"):
        require_shard(large, events=10**11, room=1e9)


def _as_declared(usual: Any, name: str, kind: Any, extreme: float) -> Any:
    if isinstance(getattr(usual, name, None), dict):
        return {"view": extreme}
    return (extreme,) if kind is tuple else extreme
