"""What is left out of a log, rule by rule, and how much each rule left out.

Rules that look at a row, or only at what came before it, hold everywhere. Rules that need statistics
(outliers, bots, too few events) are fitted on the events up to `known_until` alone, the valid cutoff of
the oldest fold, and then applied to all rows; a user or an item with no event by then is kept, since
judging it would take the future. With the protocol leave_one_out, which has no such cutoff, they are fitted
on all events, and so on the tests too.
"""

from dataclasses import dataclass

import numpy as np

from lab.core.errors import InputError
from lab.core.fingerprint_marks import not_fingerprinted
from lab.core.number_limits import MOST, Limits, at_most
from lab.core.setting_types import check_types
from lab.data.log.log import MISSING_TIME, Log
from lab.data.log.removals import BLANKED, Removal
from lab.data.schema import CANCELLATION
from lab.data.timeline import DAY, date_text, instant


@dataclass(frozen=True, kw_only=True)
class Cleaning:
    """The rules; each can be switched off, and each is listed with what it removed."""

    missing: bool = True
    """Leave out rows without a user, an item or a time. Off: they are quarantined."""
    time_range: bool = True
    """Leave out rows outside since..until."""
    since: str | None = None
    """First instant to use, an ISO date or date-time (UTC). Default: the source's own, where it states one."""
    until: str | None = None
    """Last instant to use. Default: the source's own, where it states one."""
    negative: bool = True
    """Leave out rows with a price below 0, or a quantity below 0 that is no cancellation."""
    duplicates: bool | None = None
    """Leave out all but the first of rows that agree in every column of the log. Default: but for rows whose time is a
    whole day, since the same thing may be bought twice on a day."""
    cancellations: bool = True
    """Leave out cancellations with no open purchase of the same user and item before them."""
    outliers: float | None = 6.0
    """Blank prices and quantities whose log is over this many robust deviations off the median (None: keep)."""
    bots: float | None = 1000.0
    """Leave out users with over this many events on one UTC day (None: keep)."""
    item_min_events: int = 1
    """Leave out items with events up to the oldest valid cutoff, but fewer than this. What is first seen later stays,
    since only the future knows it; with timeline.protocol='leave_one_out', which has no cutoff, events in all count."""
    user_min_events: int = 1
    """The same of users. Off as it is: eligibility at a query is timeline.min_events."""
    quarantine_share: float = 0.05
    """Stop when more than this share of the rows breaks the schema."""

    @staticmethod
    @not_fingerprinted
    def number_limits() -> Limits:
        """What each number can be."""
        return dict.fromkeys(("outliers", "bots", "item_min_events", "user_min_events"), at_most(MOST))

    def __post_init__(self) -> None:
        check_types(self, "cleaning")
        if not 0 <= self.quarantine_share <= 1:
            raise InputError(f"cleaning.quarantine_share: {self.quarantine_share:g} is not a share; use 0 to 1.")
        for name in ("outliers", "bots"):
            if getattr(self, name) is not None and not 0 < getattr(self, name) < float("inf"):
                raise InputError(
                    f"cleaning.{name}: {getattr(self, name):g} is no positive number; use one, or None to keep all."
                )
        for name in ("item_min_events", "user_min_events"):
            if getattr(self, name) < 1:
                raise InputError(f"cleaning.{name}: {getattr(self, name)} is not a number of events; use 1 or more.")

    @property
    def has_fitted_rules(self) -> bool:
        """Whether any rule depends on `known_until`."""
        return bool(self.outliers or self.bots or self.item_min_events > 1 or self.user_min_events > 1)


@dataclass(frozen=True)
class Range:
    """The stated range of times, in microseconds; None for no limit."""

    since: int | None
    until: int | None


def row_rules(log: Log, cleaning: Cleaning, span: Range) -> tuple[Log, list[Removal]]:
    """The rules that look at one row alone, on a log in any order."""
    done: list[Removal] = []
    if cleaning.missing:
        present = (log["user"] >= 0) & (log["item"] >= 0) & (log["time"] != MISSING_TIME)
        log = _apply(log, present, "missing", "rows without a user, an item or a time", done)
    if cleaning.time_range and (span.since is not None or span.until is not None):
        inside = np.ones(len(log), bool)
        inside &= log["time"] >= span.since if span.since is not None else True
        inside &= log["time"] <= span.until if span.until is not None else True
        log = _apply(log, inside, "time_range", f"rows {_outside(span)}", done)
    if cleaning.negative and ("price" in log or "quantity" in log):
        log = _apply(log, ~_negative(log), "negative", "rows with a price or quantity below 0", done)
    return log, done


def history_rules(log: Log, cleaning: Cleaning) -> tuple[Log, list[Removal]]:
    """The rules that look at what came before, on a log sorted into histories and without duplicates."""
    done: list[Removal] = []
    if cleaning.cancellations and CANCELLATION in [behaviour.name for behaviour in log.behaviours]:
        log = _apply(
            log,
            ~unmatched_cancellations(log),
            "cancellations",
            "cancellations without an open purchase before them",
            done,
        )
    return log, done


def fitted_rules(log: Log, cleaning: Cleaning, known_until: int) -> tuple[Log, list[Removal]]:
    """The rules that need statistics: fitted on events up to `known_until`, applied to all."""
    done: list[Removal] = []
    if cleaning.outliers is not None:
        for name in ("price", "quantity"):
            if name in log:
                log = _blank_outliers(log, name, cleaning.outliers, known_until, done)
    if cleaning.bots is not None:
        busiest = _busiest_day(log, known_until)
        kept = (busiest <= cleaning.bots)[log["user"]]
        log = _apply(log, kept, "bots", f"events of users with over {cleaning.bots:g} events on one day", done)
    for name, least in (("item", cleaning.item_min_events), ("user", cleaning.user_min_events)):
        if least > 1:
            known = np.bincount(log[name][log["time"] <= known_until], minlength=len(log.names[name]))
            kept = ((known == 0) | (known >= least))[log[name]]
            log = _apply(log, kept, f"{name}_min_events", f"events of {name}s with fewer than {least} events", done)
    return log, done


def _outside(span: Range) -> str:
    words = ("before", span.since), ("after", span.until)
    return " or ".join(f"{word} {date_text(limit)}" for word, limit in words if limit is not None)


def _apply(log: Log, kept: np.ndarray, rule: str, what: str, done: list[Removal]) -> Log:
    done.append(Removal(rule, int(len(kept) - kept.sum()), what))
    return log.keep(kept)


def _negative(log: Log) -> np.ndarray:
    """NaN is not below 0."""
    bad = np.zeros(len(log), bool)
    if "price" in log:
        bad |= log["price"] < 0
    if "quantity" in log:
        signs = np.array([behaviour.sign for behaviour in log.behaviours], np.int8)
        bad |= (log["quantity"] < 0) & (signs[log["behaviour"]] > 0)
    return bad


def unmatched_cancellations(log: Log) -> np.ndarray:
    """True for cancellations that find no open purchase of their user and item.

    With s = purchases - cancellations so far, a cancellation is unmatched exactly where it takes s below
    its lowest value yet (and below 0): every earlier purchase is then taken back already.
    """
    code = [behaviour.name for behaviour in log.behaviours].index(CANCELLATION)
    cancels = log["behaviour"] == code
    bought = _purchases(log)
    touched = np.zeros(len(log.names["item"]), bool)
    touched[log["item"][cancels]] = True
    rows = np.flatnonzero((cancels | bought) & touched[log["item"]])
    pair = log["user"][rows].astype(np.int64) * len(touched) + log["item"][rows]
    order = np.argsort(pair, kind="stable")
    rows, pair = rows[order], pair[order]
    step = np.where(cancels[rows], -1, 1)
    starts = np.flatnonzero(np.concatenate([[True], pair[1:] != pair[:-1]])) if len(pair) else np.zeros(0, np.int64)
    lowest = _running_minimum(step, starts)
    before = np.concatenate([[0], lowest[:-1]])[: len(lowest)]
    before[starts] = 0
    found = np.zeros(len(log), bool)
    found[rows] = lowest < before
    return found


def _running_minimum(step: np.ndarray, starts: np.ndarray) -> np.ndarray:
    """The lowest running sum so far, at most 0, within each run of steps that begins at one of `starts`.

    Each run is shifted below all of the one before it, so that one accumulate serves them all.
    """
    total = np.cumsum(step)
    run = np.repeat(np.arange(len(starts)), np.diff(np.append(starts, len(step))))
    local = total - np.concatenate([[0], total])[starts][run]
    shift = run * (2 * len(step) + 2)
    return np.minimum.accumulate(np.minimum(local, 0) - shift) + shift


def _purchases(log: Log) -> np.ndarray:
    """The events that a cancellation can take back: the strongest behaviour that counts +1."""
    strongest = max(k for k, behaviour in enumerate(log.behaviours) if behaviour.sign > 0)
    return log["behaviour"] == strongest


def _blank_outliers(log: Log, name: str, width: float, known_until: int, done: list[Removal]) -> Log:
    values = log[name]
    positive = values > 0
    centre, scale = robust_scale(values[positive & (log["time"] <= known_until)])
    logs = np.log(values, where=positive, out=np.full(len(values), centre, np.float32))
    with np.errstate(over="ignore"):  # of a width that nothing is outside of
        far = positive & (np.abs(logs - centre) > width * scale)
        low, high = np.exp(centre - width * scale), np.exp(centre + width * scale)
    what = f"values outside {_short(low)} to {_short(high)}, {BLANKED}"
    done.append(Removal(f"outliers of {name}", int(far.sum()), what))
    return log.with_column(name, np.where(far, np.float32("nan"), values)) if far.any() else log


def _short(value: float) -> str:
    """Three digits, or the whole number where it has more."""
    return f"{value:,.0f}" if 1000 <= value < 1e9 else f"{value:.3g}"


def robust_scale(values: np.ndarray) -> tuple[float, float]:
    """Median and scale of the logs of positive values: 1.4826 MAD, but at least log 2.

    The floor is for columns that are nearly constant, like a quantity that is mostly 1: nothing within a
    factor of two is ever one deviation away.
    """
    if not len(values):
        return 0.0, float("inf")
    logs = np.log(values.astype(np.float64))
    centre = float(np.median(logs))
    return centre, max(1.4826 * float(np.median(np.abs(logs - centre))), float(np.log(2)))


def _busiest_day(log: Log, known_until: int) -> np.ndarray:
    """int64[users]: events of each user's busiest UTC day up to `known_until`."""
    known = log["time"] <= known_until
    user, day = log["user"][known], log["time"][known] // DAY
    busiest = np.zeros(len(log.names["user"]), np.int64)
    if len(user):
        starts = np.flatnonzero(np.concatenate([[True], (user[1:] != user[:-1]) | (day[1:] != day[:-1])]))
        np.maximum.at(busiest, user[starts], np.diff(np.append(starts, len(user))))
    return busiest


def stated_range(cleaning: Cleaning, since: int | None, until: int | None) -> Range:
    """The user's range, and the source's where the user states none."""
    return Range(
        since if cleaning.since is None else _instant("since", cleaning.since),
        until if cleaning.until is None else _instant("until", cleaning.until),
    )


def _instant(setting: str, text: str) -> int:
    try:
        return instant(text)
    except InputError:
        raise InputError(f"cleaning.{setting}: {text!r} is not a date; write one like 2022-08-31.") from None
