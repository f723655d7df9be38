"""The grid an experiment spans, cell by cell, and what each cell is called."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from lab.baselines.base import Baseline
from lab.core.code_used import CodeUsed
from lab.experiment.cell_record import CellRecord, Kind, Status, line_name
from lab.experiment.experiment import Experiment, settings_label
from lab.experiment.fingerprints import canonical, code_fingerprint, identity, libraries_fingerprint
from lab.experiment.variants import variants_of
from lab.models.base import Model
from lab.training.settings import MACHINE

Variants = Mapping[str, Experiment]
"""Name -> the experiment as that variant has it."""


@dataclass(frozen=True)
class Cell:
    """One trained model, fitted baseline or oracle: a point of the grid."""

    experiment: Experiment
    """As the cell's variant has it."""
    data: str
    """Fingerprint of the histories."""
    kind: Kind
    settings: Model | Baseline | None
    """None for the oracle."""
    features: str
    """Name of the feature set, empty where there is none."""
    horizon: float
    """Days."""
    fold: int
    seed: int | None
    variant: str = ""
    """Name of the variant; empty where there is none, or where all variants are the same to it."""

    @property
    def model(self) -> str:
        """What tables call it."""
        return "oracle" if self.settings is None else settings_label(self.settings)

    @property
    def title(self) -> str:
        """What its line of a table is called."""
        return line_name(self.model, self.features, self.variant)

    @cached_property
    def config(self) -> dict[str, Any]:
        """Everything its numbers depend on, with all defaults, as plain values."""
        asked = self.experiment
        # How many folds there are moves none of them; and an oracle knows a user without the past.
        mute = ("folds", "history_days") if self.kind == "oracle" else ("folds",)
        timeline = {k: v for k, v in canonical(asked.timeline).items() if k not in mute}
        config: dict[str, Any] = {
            "kind": self.kind,
            "settings": canonical(self.settings),
            "horizon": self.horizon,
            "horizons": asked.horizons,
            "fold": self.fold,
            "seed": self.seed,
            "target": asked.target,
            "timeline": timeline,
        }
        if self.kind == "model":
            names = asked.features[self.features]
            training = canonical(asked.training)
            config["training"] = {k: v for k, v in training.items() if k not in MACHINE}
            config["groups"] = {name: asked.group(name) for name in names}
        elif self.kind == "baseline" and asked.training.share < 1:
            config["training"] = {"share": asked.training.share, "share_seed": asked.training.share_seed}
        return canonical(config)

    @cached_property
    def fingerprints(self) -> dict[str, str]:
        """Of the data, of the code, and of the libraries it calls."""
        return {"data": self.data, "code": self.code.digest, "packages": libraries_fingerprint()}

    @cached_property
    def code(self) -> CodeUsed:
        """What of the lab's and the user's code its numbers can reach."""
        asked = self.experiment
        parts = [asked.source if self.kind == "oracle" else self.settings, asked.target, asked.timeline]
        if self.kind == "model":
            parts += [asked.training, *map(asked.group, sorted(asked.features[self.features]))]
        return code_fingerprint(self.kind, parts)

    @cached_property
    def id(self) -> str:
        """Readable, and unique by the digest of config and fingerprints at its end."""
        parts = [self.model, self.features, self.variant, f"h{self.horizon:g}", f"f{self.fold}"]
        if self.seed is not None:
            parts.append(f"s{self.seed}")
        readable = "-".join(re.sub(r"[^a-z0-9.=]+", "_", part.lower()) for part in parts if part)
        return f"{readable[:80]}-{identity(self.config, self.fingerprints)}"

    def record(self, status: Status, **values: Any) -> CellRecord:
        """Its record, with what is known of it by now."""
        return CellRecord(
            id=self.id,
            kind=self.kind,
            model=self.model,
            features=self.features,
            variant=self.variant,
            target=self.experiment.target.name,
            horizon=self.horizon,
            fold=self.fold,
            seed=self.seed,
            status=status,
            config=self.config,
            fingerprints=self.fingerprints,
            modules=self.code.modules,
            measures=self.experiment.target.measures(),
            **values,
        )


def grid(experiment: Experiment, data: str, oracle: bool) -> list[Cell]:
    """Every cell of the experiment; the oracle's where the source knows its own truth."""
    variants = variants_of(experiment)
    return [*_untrained(variants, experiment, data, oracle), *_trained(variants, experiment, data)]


def _untrained(variants: Variants, experiment: Experiment, data: str, oracle: bool) -> Iterator[Cell]:
    for fold in range(experiment.timeline.folds):
        for horizon in experiment.horizons:
            if oracle:
                yield from _once(variants, Cell(experiment, data, "oracle", None, "", horizon, fold, None))
            for baseline in experiment.baselines:
                yield from _once(variants, Cell(experiment, data, "baseline", baseline, "", horizon, fold, None))


def _once(variants: Variants, cell: Cell) -> list[Cell]:
    """The cell as each variant has it; one without a name where that is the same to it."""
    each = [replace(cell, experiment=one, variant=name) for name, one in variants.items()]
    same = all(one.config == each[0].config for one in each)
    return [replace(each[0], variant="")] if same else each


def _trained(variants: Variants, experiment: Experiment, data: str) -> Iterator[Cell]:
    for fold in range(experiment.timeline.folds):
        for model in experiment.models:
            for seed in range(experiment.seeds):
                for horizon in experiment.horizons:
                    for features in experiment.features:
                        for name, one in variants.items():
                            yield Cell(one, data, "model", model, features, horizon, fold, seed, name)
