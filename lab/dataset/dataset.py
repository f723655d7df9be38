"""One fold made ready: rows, tables, queries and labels of its three splits."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from lab.core.errors import InputError
from lab.core.words import plural
from lab.data.fold.queries import FoldView, Labels, Queries
from lab.data.fold.view import truncate_view
from lab.data.log.stray_times import late_times, stray_times
from lab.data.rows.batch import Columns, Rows
from lab.data.rows.entries import no_entries, trace_entries
from lab.data.rows.layout import PackedRows
from lab.data.rows.packing import Segments, cut_from_end, cut_from_start, cut_per_query, pack
from lab.data.rows.recent_histories import recent_histories
from lab.data.rows.steps import Steps
from lab.data.timeline import Timeline, date_text, microseconds, span_text
from lab.dataset.columns import event_columns, step_columns, tables
from lab.features.base import FeatureGroup, State
from lab.targets.base import Target

SPLITS = ("train", "valid", "test")


def evaluation_context(row_length: int) -> int:
    """Steps before it that every evaluated query of next items sees, where its user has that many: 3/4 of a row.

    The rest of a row holds queries: with less of it, more rows would be read for them (`benchmarks.context`).
    """
    return row_length - max(row_length // 4, 1)


@dataclass(frozen=True)
class Split:
    """One split of a fold, as arrays."""

    name: str
    queries: Queries
    """Every query of the split; in training those with a label for some horizon."""
    labels: tuple[Labels, ...]
    """One for each horizon, in the experiment's order."""
    packed: PackedRows
    tables: Columns

    @cached_property
    def rows(self) -> Rows:
        """All of the rows, with their padding."""
        return self.packed.whole()

    @property
    def slot(self) -> np.ndarray:
        """int64[R, Q]: which query each slot of the rows answers, -1 in the padding."""
        return self.packed.slots

    @property
    def padding(self) -> float:
        """Share of the rows' steps that hold nothing."""
        return self.packed.padding

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
    rest: Sequence[PackedRows | None] = ()
    """Training rows of the shards after the first, whose are all the others: each laid out anew when it is asked for,
    None where no one in it is asked and answers."""


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

    Of a view that has a rest, as that of a large log, all this is of the first shard, and the others wait.
    For models that are not causal every query gets a segment of its own, and `overlap` says nothing.
    """
    known = truncate_view(view, view.fold.valid_cutoff)
    states = {group.name: group.fit(known) for group in groups}
    head = {"prior": np.log(known.shares()).astype(np.float32)}
    plan = _Plan(view, timeline, target, groups, states, row_length, overlap, causal)
    splits = {name: plan.split(name, head) for name in SPLITS}
    if target.head.numbers:
        # One table for all three splits, which is why it is filled in here.
        head["numbers"] = np.asarray(target.first_guess(splits["train"].labels), np.float32)
    return Dataset(view, {g.name: g for g in groups}, states, splits, causal, _TrainingRows(replace(plan)))


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

    @cached_property
    def event_columns(self) -> Columns:
        """Columns of the candidate-side groups, aligned with the events: the same for all splits."""
        return event_columns(self.groups, self.view, self.states)

    def split(self, name: str, head: dict[str, np.ndarray]) -> Split:
        """Lay out one split. Raises InputError where it asks nobody, or nobody has a label."""
        steps = self.target.lay_steps(self.view, self.timeline, name)
        if not len(steps.asked):
            raise InputError(_nobody_asked_error(self.view, self.timeline, self.target, name))
        steps, labels = self.target.add_labels(self.view, steps, name)
        if not any(len(answer.ids) for answer in labels):
            raise InputError(_nobody_answers_error(self.view, self.timeline, self.target, labels, name))
        known = tables(self.groups, self.view, steps, self.states) | {"head": head}
        return Split(name, steps.queries, labels, self._packed(steps, labels, name), known)

    def training_rows(self) -> PackedRows | None:
        """The rows of the training split; None where no one is asked and answers."""
        steps = self.target.lay_steps(self.view, self.timeline, "train")
        steps, labels = self.target.add_labels(self.view, steps, "train")
        return self._packed(steps, labels, "train") if len(steps.asked) else None

    def _packed(self, steps: Steps, labels: tuple[Labels, ...], name: str) -> PackedRows:
        looked = self.target.needs_touched(name) or any(group.side == "candidate" for group in self.groups)
        if self.view.history is None:
            return self._pack(self.view, steps, labels, self.event_columns, name, looked)
        view, steps = recent_histories(self.view, steps)
        return self._pack(view, steps, labels, event_columns(self.groups, view, self.states), name, looked)

    def _pack(
        self, view: FoldView, steps: Steps, labels: tuple[Labels, ...], of_events: Columns, name: str, looked: bool
    ) -> PackedRows:
        segments = self._segments(steps, name)
        return PackedRows(
            view=view,
            steps=steps,
            segments=segments,
            packing=pack(segments.length, self.row_length),
            length=self.row_length,
            entries=trace_entries(view, steps, segments) if looked else no_entries(),
            labels=labels,
            step_columns=step_columns(self.groups, view, steps, self.states),
            event_columns=of_events,
        )

    def _segments(self, steps: Steps, name: str) -> Segments:
        """What of the histories each query is answered from: see README, on what a query can see."""
        if not self.causal or self.view.history is not None:
            return cut_per_query(steps, self.row_length)
        if self.target.asks == "ticks":
            return cut_from_end(steps, self.row_length, self.overlap)
        if name == "train":
            return cut_from_start(steps, self.row_length, self.overlap)
        if self.timeline.leaves_one_out:
            return cut_per_query(steps, self.row_length)
        return cut_from_start(steps, self.row_length, evaluation_context(self.row_length), from_first_query=True)


@dataclass(frozen=True)
class _TrainingRows(Sequence[PackedRows | None]):
    """Of one shard after another, none of which is kept."""

    plan: _Plan

    def __len__(self) -> int:
        return len(self.plan.view.rest)

    def __getitem__(self, index: int) -> PackedRows | None:  # type: ignore[override]
        return replace(self.plan, view=self.plan.view.rest[index]).training_rows()


def _nobody_asked_error(view: FoldView, timeline: Timeline, target: Target, split: str) -> str:
    on_clock = view.histories.times is not None
    at = f"at {date_text(view.fold.opens(split))} none has" if on_clock else "none has"
    active = timeline.active_days if on_clock else None
    days = f" and one in the {span_text(microseconds(active))} before" if active else ""
    one_more = target.asks == "events" and split == "train"
    behind = " with one more behind" if one_more else ""
    enough = bool(np.diff(view.histories.offsets).max(initial=0) >= timeline.min_events + one_more)
    # A moment after all events, where the calendar was told to end later than the log does.
    beyond = on_clock and timeline.end is not None and view.fold.opens(split) > view.histories.span[1]
    clocked = on_clock and enough and not beyond
    cures = {
        "lower timeline.min_events": timeline.min_events > 1,
        "raise timeline.active_days": clocked and active is not None,
        "use shorter horizons": clocked,
        "use fewer folds": clocked and timeline.folds > 1,
        "leave timeline.end out, which lies behind the log": beyond,
        "use a log of longer histories": not on_clock or not enough,
    }
    said = ", ".join(cure for cure, helps in cures.items() if helps)
    return (
        f"timeline: no user may be asked for the {split} split: {at} {plural(timeline.min_events, 'event')}"
        f"{behind}{days}{_share(view)}. {said[0].upper()}{said[1:]}.{_late(view, timeline, split)}"
    )


def _nobody_answers_error(
    view: FoldView, timeline: Timeline, target: Target, labels: Sequence[Labels], split: str
) -> str:
    on_clock = view.histories.times is not None
    until = f" (until {date_text(view.fold.closes_by(split))})" if on_clock else ""
    again = any(answer.taken for answer in labels)
    # Of a log to which hardly anybody comes back, what comes next within a visit can still be asked.
    other = "" if target.asks == "events" else ", or ask which item a user takes next (target=NextItem())"
    taken = " but take what they took before, which target.repeats=False leaves out" if again else ""
    if not on_clock:
        what = f"a known {'item' if view.items else 'category'} next; use a log of more users"
        what = "anything next but what they took before, which target.repeats=False leaves out" if again else what
        return f"target: no user of the {split} split{_share(view)} takes {what}."
    return (
        f"target: no user of the {split} split does anything that counts in the windows after its cutoffs{until}"
        f"{_share(view)}{taken}; use longer horizons or a longer log{other}.{_late(view, timeline, split)}"
    )


def _late(view: FoldView, timeline: Timeline, split: str) -> str:
    """A sentence on events far behind all others, where these alone may have put the cutoffs where nobody is."""
    if timeline.leaves_one_out:
        return ""
    # What a large log holds is known of the whole of it, and it may be another shard that has the late events.
    said = (
        stray_times(view.histories.facts)
        if len(view.rest)
        else late_times(np.asarray(view.histories.time), view.fold.opens(split), view.fold.longest)
    )
    return f" {said}." if said else ""


def _share(view: FoldView) -> str:
    return "" if view.sample is None else f" among the {int(view.sample.sum()):,} users of training.share"
