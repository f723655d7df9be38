"""A fold's look at the histories, and the same look with the future taken away."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from lab.core.errors import InputError
from lab.core.words import plural
from lab.data.fold.categories import Categories, Grouping, fit_grouping
from lab.data.fold.limits import Limits
from lab.data.fold.queries import FoldView
from lab.data.fold.shards import cut_into_shards, take_users
from lab.data.fold.tally import count_known_events
from lab.data.log.histories import Histories
from lab.data.log.removals import removals, removals_text
from lab.data.timeline import SHARD_EVENTS, Fold, date_text

RARE = 0.01
"""Share of the events below which those up to the valid cutoff are taken for stray ones."""


def build_view(
    histories: Histories,
    fold: Fold,
    categories: Categories,
    shard_events: int = SHARD_EVENTS,
    limits: Limits = Limits(),  # noqa: B008  # frozen
) -> tuple[FoldView, str]:
    """The fold's view, with candidates fitted on the events up to its valid cutoff, and their rule in words.

    Of a log of more than `shard_events` events by then it is the view of a first shard, and `rest` has the others'.
    Candidates are those of all users under any limits, so that what is asked stays the same.
    """
    known = count_known_events(histories, fold.valid_cutoff)
    if not known.events:
        raise InputError(_nothing_known(histories))
    shards = cut_into_shards(histories, known.events, fold.valid_cutoff, shard_events)
    first = take_users(histories, shards[0])
    grouping = fit_grouping(categories, histories, known, first, fold.valid_cutoff)
    if len(grouping.names) < 2:
        raise InputError(_too_few(grouping, known.events, histories, fold))
    views = _Views(histories, fold, grouping, shards, limits, limits.sample_users(histories, fold.valid_cutoff))
    return replace(views.of(first), rest=views), grouping.rule


def _nothing_known(histories: Histories) -> str:
    said, cure = "timeline: no event lies at or before the valid cutoff", "use shorter horizons or fewer folds"
    gone = removals_text(removals(histories.facts))
    return f"{said} once cleaning left out {gone}; loosen that, or {cure}." if gone else f"{said}; {cure}."


@dataclass(frozen=True)
class _Views(Sequence[FoldView]):
    """The views of the shards after the first, one after another, none of which is kept."""

    histories: Histories
    fold: Fold
    grouping: Grouping
    shards: list[np.ndarray]
    limits: Limits
    drawn: np.ndarray | None
    """bool[U] of the whole log: the users to learn from."""

    def __len__(self) -> int:
        return len(self.shards) - 1

    def __getitem__(self, index: int) -> FoldView:  # type: ignore[override]
        return self.of(take_users(self.histories, self.shards[1:][index]))

    def of(self, some: Histories) -> FoldView:
        """The view of some users."""
        sample = self.drawn if self.drawn is None or some.rows is None else self.drawn[some.rows]
        candidate = self.grouping.of(some)
        names, items = self.grouping.names, self.grouping.items
        return FoldView(some, self.fold, candidate, names, (), self.limits.history, sample, items)


def _too_few(grouping: Grouping, known: int, histories: Histories, fold: Fold) -> str:
    names, what = grouping.names, ("item", "items") if grouping.items else ("category", "categories")
    named = f" ({', '.join(map(str, names))})" if len(names) else ""
    cure = "is source.item the right column?"
    if not grouping.items:
        cure = "name another column, or use target.categories.rule='item'."
    return (
        f"{what[0]}: the log has only {plural(len(names), *what)} up to the valid cutoff{named}; a ranking needs at "
        f"least 2 to tell apart{_when(known, histories, fold)} {cure}"
    )


def _when(known: int, histories: Histories, fold: Fold) -> str:
    """How little of a log that has times lies before the valid cutoff, up to what else may be wrong."""
    if histories.times is None:
        return ";"
    early = (
        ", so few that stray early times, or too long horizons, are the likely cause: leave the former out with "
        "cleaning.since, or shorten the latter. Else:"
        if known < RARE * histories.events
        else ";"
    )
    return (
        f". The cutoff is {date_text(fold.valid_cutoff)}, and {known:,} of the {histories.events:,} events lie before "
        f"it{early}"
    )


def truncate_view(view: FoldView, moment: int) -> FoldView:
    """The view with every event after `moment`, and of users not learned from, gone: what anything may be fitted on.

    Users and codes keep their numbers; only the flat columns are shorter.
    """
    histories = view.histories
    kept = (np.asarray(histories.clock) <= moment) & view.sampled
    offsets = np.append(0, np.cumsum(kept, dtype=np.int64))[histories.offsets]
    shorter = histories.of_users(np.arange(histories.users, dtype=np.int32), offsets, lambda column: column[kept])
    return replace(view, histories=shorter, candidate=view.candidate[kept], rest=())
