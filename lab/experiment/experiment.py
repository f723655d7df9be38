"""What is asked: one declaration that spans a grid of cells."""

from collections.abc import Mapping
from dataclasses import MISSING, Field, dataclass, field, fields
from typing import Any, ClassVar

from lab.baselines.base import Baseline
from lab.core.errors import InputError
from lab.core.setting_types import check_distinct, check_types
from lab.data.log.cleaning import Cleaning
from lab.data.sources.base import Source
from lab.data.timeline import LAST_EVENT, MOST_DAYS, Timeline, is_span
from lab.experiment.registry import find
from lab.experiment.variants import Changes, check_variants
from lab.features.base import FeatureGroup
from lab.models.base import Model
from lab.targets.base import Target
from lab.training.settings import Training

MOST_SEEDS = 10_000
"""Far beyond what tells two rows apart; a grid of more would not even be listed in a minute."""


LONGEST_NAME = 200
"""Bytes of an experiment's name; file systems hold 255, of which temporary files take some."""


@dataclass(frozen=True, kw_only=True)
class Experiment:
    """A question, as the grid model x feature set x variant x horizon x fold x seed, with the baselines beside it."""

    registered_as: ClassVar[str] = "experiment"
    """The kind that `register` knows it by."""

    name: str
    """Name of the experiment and of its folder of results."""
    source: Source
    """Where the log comes from."""
    target: Target
    """What is predicted."""
    horizons: tuple[float, ...] = ()
    """How many days ahead; none where timeline.protocol is leave_one_out."""
    features: Mapping[str, tuple[str, ...]]
    """Feature sets: a name, and the feature groups in it."""
    models: tuple[Model, ...]
    """The models that are trained."""
    seeds: int = 5
    """How many times each is trained, from seeds 0, 1, 2, ..."""
    timeline: Timeline = field(default_factory=Timeline)
    """Cutoffs, ticks and folds."""
    cleaning: Cleaning = field(default_factory=Cleaning)
    """What is removed from the log."""
    training: Training = field(default_factory=Training)
    """The training loop."""
    groups: tuple[FeatureGroup, ...] = ()
    """Feature groups with settings of their own; the others have their defaults."""
    baselines: tuple[Baseline, ...] = None  # type: ignore[assignment]  # resolved below
    """What every model is compared with. Default: one of each that suits the target."""
    variants: Mapping[str, Changes] = field(default_factory=dict)
    """Variants: a name, and the settings that it replaces, such as {"half": {"training.share": 0.5}, "all": {}}."""

    def __post_init__(self) -> None:
        check_types(self)
        if self.baselines is None:
            object.__setattr__(self, "baselines", self.target.baselines())
        self._check_protocol()
        self._check_sizes()
        self._check_features()
        check_distinct(map(settings_label, self.models), "models")
        check_distinct(map(settings_label, self.baselines), "baselines")
        check_variants(self)

    def _check_protocol(self) -> None:
        """What goes with asking histories after each event, or at the last one."""
        timeline, by_event = self.timeline, self.target.asks == "events"
        if timeline.leaves_one_out:
            if not by_event:
                raise InputError(
                    f"timeline.protocol: leave_one_out asks for one event, and target {self.target.name} for days "
                    f"ahead; use the target next_item."
                )
            if tuple(self.horizons) not in ((), (LAST_EVENT,)):
                raise InputError(
                    f"horizons: {' '.join(f'{h:g}' for h in self.horizons)} days are given, but "
                    f"timeline.protocol='leave_one_out' knows no days; leave them out."
                )
            object.__setattr__(self, "horizons", (LAST_EVENT,))
        for name in ("query_every", "history_days") if by_event else ():
            if getattr(timeline, name) is not None:
                raise InputError(
                    f"timeline.{name}: is given, but target {self.target.name} asks after each event; leave it out."
                )
        for baseline in self.baselines:
            if why := baseline.why_unsuited(self.target):
                raise InputError(f"baselines: {baseline.name} {why}; leave it out.")
        if self.training.label_smoothing and not self.target.uses_smoothing:
            cure = ", or use target.objective='softmax'" if self.target.factored else ""
            raise InputError(
                f"training.label_smoothing: {self.training.label_smoothing:g} spreads a label over all candidates, "
                f"which this loss does not look at; leave it at 0{cure}."
            )

    def _check_sizes(self) -> None:
        if not self.name or not all(c.isalnum() or c in "_-" for c in self.name):
            raise InputError(f"name: {self.name!r} must be letters, digits, _ and -; it names a folder.")
        if len(self.name.encode()) > LONGEST_NAME:
            raise InputError(f"name: {self.name[:40]}... is too long for a folder; use at most {LONGEST_NAME} letters.")
        if not self.horizons:
            raise InputError("horizons: none is named; name one or more positive numbers of days.")
        if not self.timeline.leaves_one_out and not all(map(is_span, self.horizons)):
            said = " ".join(f"{h:g}" for h in self.horizons)
            raise InputError(f"horizons: {said} must be numbers of days, each above 0 and at most {MOST_DAYS:,}.")
        check_distinct([f"{h:g}" for h in self.horizons], "horizons")
        if self.seeds < 1:
            raise InputError(f"seeds: {self.seeds} trains nothing; use 1 or more.")
        if self.seeds > MOST_SEEDS:
            raise InputError(f"seeds: {self.seeds} is too many; use 1 to {MOST_SEEDS:,} (5 to 20 are usual).")
        if not self.models:
            raise InputError("models: none is named; name at least one, such as LSTM().")

    def _check_features(self) -> None:
        if not self.features:
            raise InputError('features: no feature set is named; name one, such as {"ids": ("category",)}.')
        for name, groups in self.features.items():
            if not groups:
                raise InputError(f"features.{name}: no feature group is named.")
            for group in groups:
                kind = find("feature group", group, f"features.{name}")
                if kind.side == "candidate" and self.target.head.scores != "logits":
                    why = "has too many of" if self.target.factored else "has none of"
                    raise InputError(
                        f"features.{name}: {group} scores every candidate, which target {self.target.name} {why}; use "
                        f"groups that speak of steps, such as item, behaviour, time or price."
                    )
            check_distinct(groups, f"features.{name}")
        for name, twin in equal_feature_sets(self.features).items():
            raise InputError(f"features: {twin!r} and {name!r} hold the same groups; leave one out.")
        check_distinct([group.name for group in self.groups], "groups")
        for group in self.groups:
            if all(group.name not in names for names in self.features.values()):
                raise InputError(f"groups: settings for {group.name!r}, which no feature set uses.")

    def group(self, name: str) -> FeatureGroup:
        """A feature group by name, with the experiment's settings for it."""
        own = {group.name: group for group in self.groups}
        return own[name] if name in own else find("feature group", name, "features")()

    def group_names(self) -> tuple[str, ...]:
        """Every group that some feature set uses, sorted: the places of a cell's vector `on`."""
        return tuple(sorted({group for groups in self.features.values() for group in groups}))


def equal_feature_sets(features: Mapping[str, tuple[str, ...]]) -> dict[str, str]:
    """Each feature set that holds the groups of an earlier one, in whatever order, and the first such one."""
    first: dict[frozenset[str], str] = {}
    twins = {name: first.setdefault(frozenset(groups), name) for name, groups in features.items()}
    return {name: twin for name, twin in twins.items() if twin != name}


def settings_label(settings: Model | Baseline) -> str:
    """What tables call a model or baseline: its class, and the settings that are not the defaults."""
    own = changed_settings(settings).items()
    said = [f"{name}={value:g}" if isinstance(value, float) else f"{name}={value}" for name, value in own]
    name = getattr(settings, "name", None)
    return " ".join([name if isinstance(name, str) else type(settings).__name__, *said])


def changed_settings(settings: Any) -> dict[str, Any]:
    """The settings of an object that are not the defaults, by name."""
    values = {f: getattr(settings, f.name) for f in fields(settings)}
    return {f.name: value for f, value in values.items() if value != _default(f)}


def _default(of: Field[Any]) -> Any:
    return of.default if of.default_factory is MISSING else of.default_factory()
