"""One fold made ready: rows, tables, queries and labels of its three splits."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from lab.data.batch import Columns, Rows
from lab.data.entries import trace_entries
from lab.data.layout import EntryLayout, Layout, QueryLayout
from lab.data.packing import Segments, cut, cut_per_query, pack
from lab.data.queries import FoldView, Labels, Queries
from lab.data.seen import seen_by
from lab.data.steps import Steps, lay_steps
from lab.data.timeline import Timeline, date_text
from lab.data.view import known_at
from lab.errors import InputError
from lab.features.base import FeatureGroup, State
from lab.targets.base import Target

__all__ = ["SPLITS", "Dataset", "Split", "build_dataset", "seen_by"]

SPLITS = ("train", "valid", "test")


@dataclass(frozen=True)
class Split:
    """One split of a fold, as arrays."""

    name: str
    queries: Queries
    """Every query of the split; in training those with a label for some horizon."""
    labels: tuple[Labels, ...]
    """One for each horizon, in the experiment's order."""
    rows: Rows
    tables: Columns
    slot: np.ndarray
    """int64[R, Q]: which query each slot of the rows answers, -1 in the padding."""
    padding: float
    """Share of the rows' steps that hold nothing."""
    steps: int
    """Steps the rows hold, repeated context included."""

    def gather(self, values: np.ndarray) -> np.ndarray:
        """Values of slots [R, Q, ...] brought to the order of `queries`."""
        flat = self.slot.reshape(-1)
        out = np.empty((len(self.queries), *values.shape[2:]), values.dtype)
        out[flat[flat >= 0]] = values.reshape(-1, *values.shape[2:])[flat >= 0]
        return out


@dataclass(frozen=True)
class Dataset:
    """A fold, its fitted feature groups and its splits."""

    view: FoldView
    groups: Mapping[str, FeatureGroup]
    states: Mapping[str, State]
    splits: Mapping[str, Split]
    causal: bool
    """Whether a segment answers all the queries along it, or one alone."""


def build_dataset(
    view: FoldView,
    timeline: Timeline,
    target: Target,
    groups: Sequence[FeatureGroup],
    row_length: int,
    overlap: int,
    causal: bool = True,
) -> Dataset:
    """Fit the groups on what the valid cutoff knows, then lay out all three splits.

    For models that are not causal every query gets a segment of its own, and `overlap` says nothing.
    """
    known = known_at(view, view.fold.valid_cutoff)
    states = {group.name: group.fit(known) for group in groups}
    prior = np.log(known.shares()).astype(np.float32)
    plan = _Plan(view, timeline, target, groups, states, row_length, overlap, causal)
    splits = {name: plan.split(name, prior) for name in SPLITS}
    return Dataset(view, {g.name: g for g in groups}, states, splits, causal)


@dataclass(frozen=True)
class _Plan:
    """How the splits of a fold are laid out."""

    view: FoldView
    timeline: Timeline
    target: Target
    groups: Sequence[FeatureGroup]
    states: Mapping[str, State]
    row_length: int
    overlap: int
    causal: bool

    @property
    def step_side(self) -> list[FeatureGroup]:
        return [group for group in self.groups if group.side == "step"]

    @property
    def candidate_side(self) -> list[FeatureGroup]:
        return [group for group in self.groups if group.side == "candidate"]

    @cached_property
    def event_columns(self) -> Columns:
        """Columns of the candidate-side groups, aligned with the events: the same for all splits."""
        return {g.name: g.transform_events(self.view, self.states[g.name]) for g in self.candidate_side}

    def split(self, name: str, prior: np.ndarray) -> Split:
        """Lay out one split. Raises InputError where it asks nobody, or nobody has a label."""
        steps, labels = self._asked(name)
        segments = self._segments(steps)
        packing = pack(segments.length, self.row_length)
        layout = Layout(steps, segments, packing, self.row_length)
        queries = QueryLayout.of(layout)
        rows = self._rows(layout, queries, labels)
        tables: Columns = {g.name: g.tables(self.view, steps, self.states[g.name]) for g in self.candidate_side}
        tables["head"] = {"prior": prior}
        padding = packing.padding(segments.length, self.row_length)
        return Split(name, steps.queries, labels, rows, tables, queries.slots, padding, int(segments.length.sum()))

    def _segments(self, steps: Steps) -> Segments:
        if self.causal:
            return cut(steps, self.row_length, self.overlap)
        return cut_per_query(steps, self.row_length)

    def _asked(self, name: str) -> tuple[Steps, tuple[Labels, ...]]:
        """The steps of a split, and the answers to its queries."""
        steps = lay_steps(self.view, self.timeline, name)
        if not len(steps.asked):
            raise InputError(_nobody(self.view, self.timeline, name))
        steps, labels = _label(self.view, self.target, steps, name)
        if not any(len(answer.ids) for answer in labels):
            raise InputError(_silent(self.view, name))
        return steps, labels

    def _rows(self, layout: Layout, queries: QueryLayout, labels: tuple[Labels, ...]) -> Rows:
        steps = layout.all_steps
        entries = EntryLayout.of(layout, trace_entries(self.view, steps, layout.segments))
        step_columns = {g.name: g.transform(self.view, steps, self.states[g.name]) for g in self.step_side}
        return Rows(
            start=layout.starts(),
            tick=layout.ticks(),
            time=layout.days(),
            columns=_each(layout.steps, step_columns),
            query=queries.arrays(),
            entry=entries.arrays(self.view),
            entry_columns=_each(entries.column, self.event_columns),
            label=queries.labels(labels),
        )


def _each(lay: Callable[[np.ndarray], np.ndarray], columns: Columns) -> Columns:
    return {group: {name: lay(column) for name, column in own.items()} for group, own in columns.items()}


def _label(view: FoldView, target: Target, steps: Steps, split: str) -> tuple[Steps, tuple[Labels, ...]]:
    """Labels for each horizon; training asks only where a window has closed and is not silent.

    Valid and test keep every query, so that what happens after the cutoff cannot even move one.
    """
    queries, horizons = steps.queries, view.fold.horizons
    if split != "train":
        return steps, tuple(target.labels(view, queries, h) for h in horizons)
    closed = [queries.cutoff + h <= view.fold.closes_by("train") for h in horizons]
    labels = [_spread(target.labels(view, queries[ok], h), ok) for h, ok in zip(horizons, closed, strict=True)]
    some = np.flatnonzero(np.any([np.diff(answer.offsets) > 0 for answer in labels], axis=0))
    return replace(steps, asked=steps.asked[some]), tuple(answer.take(some) for answer in labels)


def _spread(labels: Labels, where: np.ndarray) -> Labels:
    """The labels of the queries that are `where`, and none for the others."""
    size = np.zeros(len(where), np.int64)
    size[where] = np.diff(labels.offsets)
    return replace(labels, offsets=np.append(0, np.cumsum(size)))


def _nobody(view: FoldView, timeline: Timeline, split: str) -> str:
    cutoff = view.fold.test_cutoff if split == "test" else view.fold.valid_cutoff
    days = "" if timeline.active_days is None else f" and one in the {timeline.active_days:g} days before"
    return (
        f"timeline: no user may be asked for the {split} split: at {date_text(cutoff)} none has "
        f"{timeline.min_events} events{days}. Lower timeline.min_events, raise timeline.active_days, "
        f"use shorter horizons or fewer folds."
    )


def _silent(view: FoldView, split: str) -> str:
    return (
        f"target: no user of the {split} split does anything that counts in the windows after its cutoffs "
        f"(until {date_text(view.fold.closes_by(split))}); use longer horizons or a longer log."
    )
