"""Which horizons a log has room for, and whom each would ask."""

from collections.abc import Sequence

import numpy as np

from lab.core.words import plural
from lab.data.fold.returning_users import ReturningUsers, count_returning_users
from lab.data.log.histories import Histories
from lab.data.timeline import Timeline, fitting_horizons, floored_days, microseconds, span_text

CANDIDATES = (1, 3, 7, 14, 30, 60, 90, 180, 365)
"""Horizons (days) that are tried on the span."""

FEW = 30
"""Users who come back below which no comparison can tell more than chance."""


def returns_by_horizon(histories: Histories) -> list[ReturningUsers]:
    """Whom each of the horizons that fit would ask at the end of a log."""
    span = histories.facts["last"] - histories.facts["first"]
    return list(count_returning_users(histories, fitting_horizons(span, CANDIDATES, 1), Timeline()))


def fitting_horizons_text(span: int) -> str:
    """Which horizons fit into a span (microseconds), in words."""
    fits = fitting_horizons(span, CANDIDATES, 1)
    if not fits:
        return f"none of a day or more fits; the longest has {floored_days(span, 3)} days"
    one, two, three = (floored_days(span, 2 + folds) for folds in (1, 2, 3))
    fit = "day fits" if fits == (1,) else "days fit"
    return (
        f"{', '.join(f'{h:g}' for h in fits)} {fit}; the longest that fits has {one} days ({two} with 2 folds, {three} "
        f"with 3)"
    )


def horizons_table(found: Sequence[ReturningUsers], span: int, each: str) -> list[str]:
    """A line for each horizon, below a line that names the columns; `each` are what is asked for."""
    lines = [f"{'days':>4}{'known users':>13}{'come back':>11}{'share':>8}{f'{each} each':>17}{'windows':>9}"]
    for one in found:
        share = f"{100 * one.back / one.known:.3g} %" if one.known else "-"
        labels = f"{one.labels:.1f}" if one.back else "-"
        # Label windows, end to end, that close by the valid cutoff.
        windows = span // microseconds(one.horizon) - 2
        lines.append(f"{one.horizon:>4g}{one.known:>13,}{one.back:>11,}{share:>8}{labels:>17}{windows:>9,}")
    return lines


ABOUT = (
    "users known at a cutoff that many days before the log's end, those of them who do anything in these days, and in "
    "how many {each}; windows of that many days that are left to train on, each asked of a user once at most"
)
"""What stands in the table."""


def advice(histories: Histories, found: Sequence[ReturningUsers]) -> str | None:
    """What to ask of a log to which hardly anybody comes back; None where enough do."""
    if any(one.back >= FEW for one in found):
        return None
    said = f"no horizon has {FEW} users who come back, so that their interest can hardly be asked; "
    week = [one for one in found if one.horizon <= 7 and one.next_items >= FEW]
    if week:
        often = f"{week[-1].next_items:,} times within {span_text(microseconds(week[-1].horizon))}"
        return f"{said}which item a user takes next can be, {often}: target=NextItem() (experiments/next_item.py)"
    least = Timeline().min_events
    users = int((np.diff(histories.offsets) > least).sum())
    if users >= FEW:
        how = "target=NextItem() with timeline=Timeline(protocol='leave_one_out')"
        return f"{said}which item a user takes next can be, once of each of {users:,} users: {how}"
    return f"{said}nor which item comes next, of {plural(users, 'user')} with more than {plural(least, 'event')}"
