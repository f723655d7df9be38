"""An axis of variants: named sets of settings that replace parts of an experiment, all asked the same.

variants={"30 days": {"timeline.history_days": 30}, "all": {}}

What a variant may not change is what is asked: which users, at which cutoffs, how far ahead, over which categories.
Differences between variants are then differences of what was changed, query by query.
"""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import fields, replace
from typing import Any, ClassVar, Protocol, TypeVar

from lab.core.errors import InputError
from lab.core.spelling import did_you_mean
from lab.data.timeline import Timeline
from lab.training.settings import MACHINE, Training

Changes = Mapping[str, Any]
"""Dotted settings and what stands in their place."""


class HasVariants(Protocol):
    """What of an experiment its variants look at and replace."""

    __dataclass_fields__: ClassVar[dict[str, Any]]

    @property
    def variants(self) -> Mapping[str, Changes]: ...
    @property
    def timeline(self) -> Timeline: ...
    @property
    def training(self) -> Training: ...
    @property
    def groups(self) -> tuple[Any, ...]: ...
    def group(self, name: str) -> Any: ...
    def group_names(self) -> tuple[str, ...]: ...


E = TypeVar("E", bound=HasVariants)

OF_TIMELINE = ("history_days", "query_every")
"""Settings of the timeline that decide what is learned from and seen, and not what the test asks."""

AXES = ("models", "features", "baselines", "horizons", "seeds")
"""Parts of an experiment that span the grid already."""

LONGEST = 40
"""Letters of a variant's name, which stands in tables."""


def variants_of(experiment: E) -> dict[str, E]:
    """The experiment as each of its variants has it, in their order; one without a name where there are none."""
    if not experiment.variants:
        return {"": experiment}
    return {name: _changed(experiment, name, changes) for name, changes in experiment.variants.items()}


def without_groups(changes: Changes, names: Collection[str]) -> Changes:
    """The changes but for those of some feature groups."""
    return {s: value for s, value in changes.items() if not (s.startswith("groups.") and s.split(".")[1] in names)}


def check_variants(experiment: HasVariants) -> None:
    """Raise InputError for a name, a setting or a value that will not do."""
    _check_names(list(experiment.variants))
    found: dict[str, str] = {}
    for name, one in variants_of(experiment).items() if experiment.variants else ():
        twin = found.setdefault(repr((one.timeline, one.training, one.groups)), name)
        if twin != name:
            raise InputError(f"variants: {twin!r} and {name!r} come to the same settings; leave one out.")


def _check_names(names: list[Any]) -> None:
    for name in names:
        if not isinstance(name, str) or not name.strip() or name != name.strip() or not name.isprintable():
            raise InputError(f"variants: {name!r} is no name; use printable letters, none of them a blank at an end.")
        if len(name) > LONGEST or "·" in name:
            raise InputError(
                f"variants: {name!r} must be at most {LONGEST} letters and have no · in it: tables show it."
            )
    folded = [name.lower() for name in names]
    for name in names:
        if folded.count(name.lower()) > 1:
            raise InputError(f"variants: {name!r} stands there twice, but for capital letters.")


def _changed(experiment: E, name: str, changes: Changes) -> E:
    where = f"variants.{name}"
    for setting in changes:
        _check_setting(experiment, where, setting)
    try:
        timeline = replace(experiment.timeline, **_inside(changes, "timeline"))
        training = replace(experiment.training, **_inside(changes, "training"))
        groups = tuple(_groups(experiment, changes))
        return replace(experiment, variants={}, timeline=timeline, training=training, groups=groups)
    except InputError as error:
        raise InputError(f"{where}: {error}") from None


def _inside(changes: Changes, part: str) -> dict[str, Any]:
    """The settings below a dotted part, by what is left of their names."""
    return {setting.removeprefix(f"{part}."): v for setting, v in changes.items() if setting.startswith(f"{part}.")}


def _groups(experiment: HasVariants, changes: Changes) -> Iterator[Any]:
    """The experiment's own groups and those that the variant changes."""
    named = {group.name for group in experiment.groups} | {s.split(".")[1] for s in changes if s.startswith("groups.")}
    for name in experiment.group_names():
        if name in named:
            yield replace(experiment.group(name), **_inside(changes, f"groups.{name}"))


def _check_setting(experiment: HasVariants, where: str, setting: Any) -> None:
    """Raise InputError, naming the nearest that is one, for what is no setting or may not vary."""
    known = settings_that_may_vary(experiment)
    if setting in known:
        return
    part, _, rest = str(setting).partition(".")
    if part in AXES:
        raise InputError(f"{where}.{setting}: {part} spans the grid already; name its values there.")
    if part == "training" and rest in MACHINE:
        raise InputError(f"{where}.{setting}: decides where numbers are computed and not which; set it for all.")
    if part in vars(experiment) and (part not in ("timeline", "training", "groups") or _is_fixed(part, rest)):
        raise InputError(
            f"{where}.{setting}: changes what is asked, or of which log, and then variants could not be compared query "
            f"by query; make it an experiment of its own. A variant may change training, groups, "
            f"{' and '.join(f'timeline.{one}' for one in OF_TIMELINE)}."
        )
    whole = {one.rpartition(".")[2]: one for one in reversed(known)}  # where the part before the dot is missing
    near = did_you_mean(whole.get(str(setting), str(setting)), known)
    raise InputError(f"{where}: there is no setting {setting!r}{near or '.'}")


def _is_fixed(part: str, rest: str) -> bool:
    return part == "timeline" and rest in [f.name for f in fields(Timeline)]


def settings_that_may_vary(experiment: HasVariants) -> list[str]:
    """Every dotted setting that a variant of this experiment may replace."""
    training = [f"training.{f.name}" for f in fields(Training) if f.name not in MACHINE]
    groups = [f"groups.{name}.{f.name}" for name in experiment.group_names() for f in fields(experiment.group(name))]
    return [*training, *(f"timeline.{name}" for name in OF_TIMELINE), *groups]
