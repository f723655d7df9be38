"""What of an experiment's feature sets its log can serve."""

from collections.abc import Mapping
from dataclasses import replace

from lab.core.errors import InputError
from lab.data.log.histories import Histories
from lab.experiment.experiment import Experiment, equal_feature_sets
from lab.experiment.variants import without_groups

Features = dict[str, tuple[str, ...]]


def drop_unavailable_features(experiment: Experiment, histories: Histories) -> tuple[Experiment, list[str]]:
    """The experiment without the feature groups that the log has nothing for, and without sets that are then alike.

    With a line on each. Raises InputError where nothing is left of a set.
    """
    lacking = _lacking(experiment, histories)
    if not lacking:
        return experiment, []
    left = _without(experiment.features, lacking)
    twins = equal_feature_sets(left)
    features = {name: groups for name, groups in left.items() if name not in twins}
    groups = tuple(group for group in experiment.groups if group.name not in lacking)
    variants = {name: without_groups(changes, lacking) for name, changes in experiment.variants.items()}
    lines = [f"features: {group} is left out, {_why(column, histories)}." for group, column in lacking.items()]
    lines += [f"features: {name} is left out, it is then the same as {twin}." for name, twin in twins.items()]
    return replace(experiment, features=features, groups=groups, variants=variants), lines


def _lacking(experiment: Experiment, histories: Histories) -> dict[str, str]:
    """Each group that lacks a column, and the first such column."""
    target = experiment.target
    items = target.factored and target.categories.rule == "item"
    lacking = {}
    for name in experiment.group_names():
        needs = experiment.group(name).needs_for(items=items)
        absent = [column for column in needs if getattr(histories, column) is None]
        if absent:
            lacking[name] = absent[0]
    return lacking


def _without(features: Mapping[str, tuple[str, ...]], lacking: Mapping[str, str]) -> Features:
    left = {name: tuple(group for group in groups if group not in lacking) for name, groups in features.items()}
    for name, groups in left.items():
        if not groups:
            said = ", ".join(features[name])
            raise InputError(f"features.{name}: none of its groups ({said}) has a column in this log.")
    return left


def _why(column: str, histories: Histories) -> str:
    if column == "times" and "calendar" in histories.facts:
        return "timeline.protocol='leave_one_out' counts events and knows no times"
    return "the log has no times" if column == "times" else f"the log has no {column} column"
