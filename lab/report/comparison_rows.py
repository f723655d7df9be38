"""The comparisons as rows of a page: rounded as the console rounds, each entry with the number it sorts by."""

from collections.abc import Sequence

from lab.report.contents import Contents
from lab.results.comparisons import Comparison
from lab.results.conclusions import horizon_text, number, probability
from lab.results.slices import ALL

Entry = tuple[str, str | float]
"""What is shown, and what it sorts by."""

MOST = 1000
"""Rows a page shows, those over all queries first; comparisons.csv has all."""

HEADS = (
    *("horizon", "slice", "a", "b", "a minus b", "over users", "p", "Holm's p", "over seeds", "p over seeds"),
    *("a above b", "users"),
)


def comparison_rows(contents: Contents) -> list[list[Entry]]:
    """A row of entries, in the order of HEADS, for each of the first MOST comparisons; the target first if several."""
    several = _several(contents)
    shown = contents.compared
    if len(shown) > MOST:
        shown = sorted(shown, key=lambda one: one.slice != ALL)[:MOST]
    return [[(one.target, one.target)] * several + _row(one) for one in shown]


def heads(contents: Contents) -> Sequence[str]:
    return ("target", *HEADS) if _several(contents) else HEADS


def _several(contents: Contents) -> bool:
    """Whether rows must say of which target they are."""
    return len({one.target for one in contents.compared}) > 1


def about(contents: Contents) -> str:
    """What the table holds, and what it leaves to comparisons.csv."""
    found = contents.compared
    if not found:
        return ""
    left = (
        f" {MOST:,} of {len(found):,}, those over all queries first; comparisons.csv has all."
        if len(found) > MOST
        else ""
    )
    least = [one.smallest_seeds_p for one in found if one.smallest_seeds_p is not None]
    seeds = f" No p over seeds can be below {probability(max(least))}." if least else ""
    return (
        f"{found[0].metric.upper()} of a minus that of b, paired query by query, with 95 % intervals. p is over users, "
        f"Holm's p the same for all comparisons together; a above b is the chance that a run of a beats one of b."
        f"{seeds}{left}"
    )


def _row(one: Comparison) -> list[Entry]:
    return [
        (horizon_text(one.horizon), one.horizon),
        *((text, text) for text in (one.slice, one.a, one.b)),
        (number(one.difference), one.difference),
        _interval_entry(one.users_low, one.users_high),
        *((probability(p), p) for p in (one.users_p, one.holm_p)),
        _interval_entry(one.seeds_low, one.seeds_high),
        ("", "") if one.seeds_p is None else (probability(one.seeds_p), one.seeds_p),
        (number(one.improvement), one.improvement),
        (f"{one.users:,}", one.users),
    ]


def _interval_entry(low: float | None, high: float | None) -> Entry:
    return ("", "") if low is None or high is None else (f"{number(low)} to {number(high)}", low)
