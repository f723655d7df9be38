"""When things are known: cutoffs, label windows and the calendar of ticks.

Every instant is an int64 count of microseconds since 1970-01-01 UTC; every span a user writes is in
days. A log that ends at `end` and is asked about horizons up to H days has

    test cutoff  T = end - H        its window (T, T + h] lies inside the log for every horizon h
    valid cutoff V = T - H          its windows close at or before T
    training     cutoffs c with c + h <= V

and fold f moves all three back by f * H. Cutoffs are the same for every user.

With the protocol `leave_one_out` instants count a user's events from the last one, which is at 0, a day each
(`lab.data.log.event_order`), and the one horizon is one event long: the same three rules give the usual split.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import ROUND_FLOOR, Context, Decimal
from typing import Literal

import numpy as np

from lab.core.errors import InputError
from lab.core.fingerprint_marks import not_fingerprinted
from lab.core.number_limits import MOST, MOST_DAYS, Limits, at_most
from lab.core.setting_types import check_types

DAY = 86_400_000_000
"""Microseconds in a day."""


LAST_EVENT = 0.0
"""What stands for a horizon in days where each user's last event is what is asked."""

MOST_FOLDS = 1_000
"""More than any log has room for, and few enough to list."""

MOST_TICKS = 100_000
"""Instants of a calendar beyond which nothing could be laid out; a decade by the hour has fewer."""

SHARD_EVENTS = 2_000_000
"""Events that are laid out at once, unless the user says otherwise."""


def microseconds(days: float) -> int:
    """A span in days as whole microseconds."""
    return round(days * DAY)


def is_span(days: float) -> bool:
    """Whether a number of days is a span of time: a microsecond at least, and at most MOST_DAYS."""
    return 0 < days <= MOST_DAYS and microseconds(days) > 0


def instant(text: str) -> int:
    """An ISO date or date-time (UTC when it names no zone) as microseconds since 1970."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise InputError(
            f"timeline.end: {text!r} is not a date; write one like 2022-08-31 or 2022-08-31T12:00:00."
        ) from None
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return (moment - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)


def days_text(span: int) -> str:
    """A span in microseconds as days, without needless decimals: `7`, `0.5`."""
    return f"{span / DAY:g}"


def floored_days(span: int, parts: int = 1, digits: int = 3) -> str:
    """A part of a span in days, rounded down: what is said to fit does fit."""
    rounding = Context(prec=digits, rounding=ROUND_FLOOR)
    return f"{float(rounding.divide(Decimal(span), Decimal(parts * DAY))):,g}"


def log_days(span: int) -> str:
    """How long a log is, in days, wherever it is said: rounded down, so that a horizon it lacks room for shows."""
    return floored_days(span, digits=4)


def date_text(moment: int) -> str:
    """An instant as a date, with the time of day where it is not midnight."""
    text = str(np.datetime64(moment, "us").astype("datetime64[s]"))
    return text.removesuffix("T00:00:00")


@dataclass(frozen=True, kw_only=True)
class Timeline:
    """Which instants are asked about, and which users are asked."""

    end: str | None = None
    """Last instant to use, an ISO date or date-time (UTC); later events are left out. Default: the log's last event."""
    query_every: float | None = None
    """Days between the ticks at which a history is asked. Default: the shortest horizon."""
    min_events: int = 3
    """A user is asked at a cutoff only with at least this many events up to it."""
    active_days: float | None = 365
    """A user is asked at a cutoff only with an event in this many days before it (None: no such limit)."""
    history_days: float | None = None
    """Days of a user's own past that a query sees, in what models are given and what baselines count. Whether it is
    asked, and what is novel, follows from the whole past, so that every limit is asked the same. Each query then has a
    history of its own to be read. Default: all."""
    folds: int = 1
    """Rolling folds; each moves every cutoff back by the longest horizon."""
    protocol: Literal["calendar", "leave_one_out"] = "calendar"
    """Where histories are cut: at the same instants for all users; or before each user's last event (test) and the one
    before it (valid), as many papers do, which lets a model learn from what happens after most of its tests."""
    shard_events: int = SHARD_EVENTS
    """Events up to the valid cutoff that are laid out in memory at once. The users of a larger log are parted by
    chance into shards of about this size: training goes over all of them in turn; the first is what baselines and
    feature groups are fitted on, and its users are those by whom every model is judged."""

    @staticmethod
    @not_fingerprinted
    def number_limits() -> Limits:
        """What each number can be."""
        return {"min_events": at_most(MOST), "shard_events": at_most(10**15)}

    def __post_init__(self) -> None:
        check_types(self, "timeline")
        if not 1 <= self.folds <= MOST_FOLDS:
            raise InputError(f"timeline.folds: {self.folds} is not a number of folds; use 1 to {MOST_FOLDS:,}.")
        if self.min_events < 1:
            raise InputError(
                f"timeline.min_events: {self.min_events} would ask users nothing is known of; use 1 or more."
            )
        if self.shard_events < 1:
            raise InputError(f"timeline.shard_events: {self.shard_events} is not a number of events; use 1 or more.")
        if self.leaves_one_out:
            if self.folds > 1:
                raise InputError(
                    f"timeline.folds: {self.folds} folds roll over a calendar, and timeline.protocol='leave_one_out' "
                    f"cuts each history at its own last event; leave it out."
                )
            for name in ("query_every", "active_days", "history_days"):
                days = getattr(self, name)
                if days not in (None, getattr(Timeline, name)):
                    raise InputError(
                        f"timeline.{name}: {days:g} is a number of days, and timeline.protocol='leave_one_out' knows "
                        f"none; leave it out."
                    )
        for name in ("query_every", "active_days", "history_days"):
            days = getattr(self, name)
            if days is not None and not is_span(days):
                raise InputError(f"timeline.{name}: {days:g} is not a positive number of days, at most {MOST_DAYS:,}.")
        if self.end is not None:
            instant(self.end)

    @property
    def leaves_one_out(self) -> bool:
        return self.protocol == "leave_one_out"


@dataclass(frozen=True)
class Fold:
    """One placing of the cutoffs on the calendar (all in microseconds)."""

    index: int
    first: int
    """First event of the log."""
    valid_cutoff: int
    test_cutoff: int
    horizons: tuple[int, ...]
    query_every: int

    @property
    def longest(self) -> int:
        return max(self.horizons)

    def spans(self, scales: tuple[float, ...]) -> tuple[float, ...]:
        """Spans in days, as multiples of the shortest horizon."""
        return tuple(scale * min(self.horizons) / DAY for scale in scales)

    def ticks(self, split: str) -> np.ndarray:
        """The calendar of a split, int64[K], ascending: every `query_every` back from its cutoff.

        `train` stops where the shortest horizon's window still closes by the valid cutoff; `valid` and
        `test` end with the cutoff that is asked. All are laid by one rule, so that a model meets at
        evaluation what it met in training. Raises InputError where they are more than can be laid.
        """
        anchor = self.opens(split)
        count = (anchor - self.first) // self.query_every + 1
        if count > MOST_TICKS:
            raise InputError(
                f"timeline.query_every: a tick every {days_text(self.query_every)} days is {count:,} of them over this "
                f"log, more than the {MOST_TICKS:,} that can be laid; use a longer one, or longer horizons, or leave "
                f"out stray times with --cleaning.since and --cleaning.until."
            )
        ticks = anchor - np.arange(max(count, 1), dtype=np.int64)[::-1] * self.query_every
        return ticks[ticks + min(self.horizons) <= anchor] if split == "train" else ticks

    def opens(self, split: str) -> int:
        """The cutoff behind which the label windows of valid or test begin, and by which those of train have closed."""
        return self.test_cutoff if split == "test" else self.valid_cutoff

    def closes_by(self, split: str) -> int:
        """The instant by which a label window of the split has closed."""
        return {"train": self.valid_cutoff, "valid": self.test_cutoff, "test": self.test_cutoff + self.longest}[split]


def folds(timeline: Timeline, horizons: tuple[float, ...], first: int, last: int) -> tuple[Fold, ...]:
    """Place the cutoffs of every fold on a log that spans [first, last] (microseconds).

    Raises InputError naming the horizons that would fit when the log is too short.
    """
    end = last if timeline.end is None or timeline.leaves_one_out else instant(timeline.end)
    spans = (DAY,) if timeline.leaves_one_out else tuple(microseconds(days) for days in horizons)
    longest = max(spans)
    every = microseconds(timeline.query_every) if timeline.query_every else min(spans)
    # The oldest fold needs its test window, its valid window and at least one training window.
    need = (2 + timeline.folds) * longest
    if end - first < need:
        few = f"timeline.protocol: leave_one_out needs {need // DAY + 1} events of a user that count; none has them."
        raise InputError(few if timeline.leaves_one_out else _too_short(end - first, horizons, timeline))
    return tuple(
        Fold(f, first, end - (f + 2) * longest, end - (f + 1) * longest, spans, every) for f in range(timeline.folds)
    )


def fitting_horizons(span: int, horizons: tuple[float, ...], fold_count: int) -> tuple[float, ...]:
    """The horizons (days) for which a log of `span` microseconds has room."""
    return tuple(h for h in horizons if (2 + fold_count) * microseconds(h) <= span)


def _too_short(span: int, horizons: tuple[float, ...], timeline: Timeline) -> str:
    fits = fitting_horizons(span, horizons, timeline.folds)
    most = floored_days(span, 2 + timeline.folds)
    said = f"of those asked, {', '.join(f'{h:g}' for h in fits)} would fit" if fits else "none of those asked fits"
    longest = max(horizons)
    asked = (
        f"{longest:g} day{'' if longest == 1 else 's'} with {timeline.folds} fold{'' if timeline.folds == 1 else 's'}"
    )
    return (
        f"horizons: the log spans {log_days(span)} days, and a horizon of {asked} needs "
        f"{(2 + timeline.folds) * longest:g} (a training, a valid and a test window each); {said}. "
        f"The longest that fits is {most} days."
    )


def span_text(span: int) -> str:
    """A span in microseconds: `1 day`, `0.5 days`."""
    days = days_text(span)
    return f"{days} day{'' if days == '1' else 's'}"
