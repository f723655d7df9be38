"""What is to be known of the queries behind a table, a sentence each."""

from collections.abc import Iterator, Sequence

from lab.results.conclusions import span
from lab.results.slices import untold
from lab.results.summary import SPLIT, Line, Summary

COLD = "cold"
"""The metric that counts a cell's events of items unknown at the valid cutoff."""


def remarks(summary: Summary, left_out: Sequence[str] = ()) -> tuple[str, ...]:
    """`left_out` (what of the experiment the log had no column for), slices that are not shown, and cold items."""
    return (*left_out, *untold(summary), *_cold(summary))


def cold(line: Line) -> dict[int, tuple[int, int]]:
    """By fold, how many events were asked for whose item was unknown at the valid cutoff, and how many in all.

    Empty where the target counts none.
    """
    some = {cell.fold: {m.metric: m.value for m in cell.metrics if (m.split, m.slice) == _WHOLE} for cell in line.done}
    return {
        fold: (int(own[COLD]), int(own[COLD] + own["queries"])) for fold, own in sorted(some.items()) if COLD in own
    }


_WHOLE = (SPLIT, "all")


def _cold(summary: Summary) -> Iterator[str]:
    """A sentence for each target and horizon; every line of one is asked for the same."""
    found: dict[tuple[str, float], dict[int, tuple[int, int]]] = {}
    for line, _ in summary.lines:
        if not line.stale:
            found[line.target, line.horizon] = cold(line) | found.get((line.target, line.horizon), {})
    several = len({target for target, _ in found}) > 1
    for (target, horizon), folds in found.items():
        counts = " and ".join(f"{none:,} of {every:,}" for none, every in folds.values() if none)
        if counts:
            when = f"{target}, next {span(horizon)}" if several else f"next {span(horizon)}"
            yield f"Cold, {when}: {counts} labels are what was unknown at the valid cutoff; no query counts them."
