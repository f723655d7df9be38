"""Which slices of the queries have something of their own to say: tables, figures and comparisons show no others."""

from collections.abc import Iterator

from lab.evaluation.measures import ALL
from lab.results.summary import Estimate, Summary


def shown_slices(summary: Summary) -> tuple[str, ...]:
    """Of one target's lines: `all`, and those of the others that have queries and are not `all` over again."""
    found, every = _estimates(summary), summary.judged_by.slice_names
    if not any(_has(own, ALL) for own in found):
        return every
    return tuple(name for name in every if name == ALL or not (_is_empty(found, name) or _is_all(found, name)))


def hidden_slices(summary: Summary) -> Iterator[str]:
    """Why a slice is not shown, in a sentence."""
    found, shown = _estimates(summary), shown_slices(summary)
    gone = [one for one in summary.judged_by.slices if one.name not in shown]
    whole = [one for one in gone if _is_all(found, one.name)]
    for one in whole or gone:
        if whole:
            since = f", since {one.reason_whole}" if one.reason_whole else ""
            yield f"All queries are {one.name}{since}; no slice is shown apart."
        else:
            yield f"No query is {one.name}, so that slice is not shown."


def _estimates(summary: Summary) -> list[tuple[Estimate, ...]]:
    """Those of each line that has any; of stale ones, which may be of another log, only where there are no others."""
    some = [(line, own) for line, own in summary.lines if own]
    return [own for line, own in some if not line.stale] or [own for _, own in some]


def _has(own: tuple[Estimate, ...], name: str) -> dict[str, tuple[float, int]]:
    """The mean of each metric in a slice, and over how many queries."""
    return {one.metric: (one.mean, one.queries) for one in own if one.slice == name and one.mean == one.mean}


def _is_empty(found: list[tuple[Estimate, ...]], name: str) -> bool:
    return not any(_has(own, name) for own in found)


def _is_all(found: list[tuple[Estimate, ...]], name: str) -> bool:
    return not _is_empty(found, name) and all(_has(own, name).items() <= _has(own, ALL).items() for own in found)
