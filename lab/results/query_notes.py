"""What is to be known of the queries behind a table, a sentence each."""

from collections.abc import Iterator, Sequence

from lab.evaluation.measures import ALL, QUERIES, Remark
from lab.results.conclusions import span
from lab.results.line import Line
from lab.results.slices import hidden_slices
from lab.results.summary import SPLIT, Summary


def query_notes(summary: Summary, left_out: Sequence[str] = ()) -> tuple[str, ...]:
    """Of one target's lines: `left_out` (what of the experiment the log had no column for), slices that are not shown,
    and the counts that the target remarks on."""
    remarks = summary.judged_by.remarks
    return (*left_out, *hidden_slices(summary), *(said for one in remarks for said in _remark(summary, one)))


def counts(line: Line, metric: str) -> dict[int, tuple[int, int]]:
    """By fold, a count that cells keep, and that count and the queries together. Empty where cells keep none."""
    whole = (SPLIT, ALL)
    some = {cell.fold: {m.metric: m.value for m in cell.metrics if (m.split, m.slice) == whole} for cell in line.done}
    return {
        fold: (int(own[metric]), int(own[metric] + own[QUERIES])) for fold, own in sorted(some.items()) if metric in own
    }


def _remark(summary: Summary, remark: Remark) -> Iterator[str]:
    """A sentence for each horizon; every line of one is asked for the same."""
    found: dict[float, dict[int, tuple[int, int]]] = {}
    for line, _ in summary.lines:
        if not line.stale:
            found[line.horizon] = counts(line, remark.metric) | found.get(line.horizon, {})
    for horizon, folds in found.items():
        some = [(count, total) for count, total in folds.values() if count]
        if some:
            text = remark.text.replace("{count} of {total}", "{each}")
            each = " and ".join(f"{count:,} of {total:,}" for count, total in some)
            count, total = (f"{sum(part):,}" for part in zip(*some, strict=True))
            yield text.format(when=f"next {span(horizon)}", each=each, count=count, total=total)
