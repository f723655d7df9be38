"""How each baseline of a table was tuned: its settings, chosen on how many valid queries, with which value there."""

from collections.abc import Iterator, Mapping, Sequence

from lab.core.words import plural
from lab.evaluation.measures import ALL, ANSWERED, QUERIES, Measures
from lab.results.conclusions import horizon_text, number
from lab.results.summary import Line, Summary

SPLIT = "valid"


def tuning_notes(summary: Summary) -> tuple[str, ...]:
    """Of one target's lines: a line for each baseline, with all of its horizons."""
    found: dict[str, list[str]] = {}
    for line, _ in summary.lines:
        if line.kind == "baseline" and not line.stale:
            found.setdefault(line.name, []).extend(_tuned(line, summary.judged_by))
    return tuple(f"{name}, tuned on valid: {'; '.join(said)}." for name, said in found.items() if said)


def _tuned(line: Line, measures: Measures) -> Iterator[str]:
    """`7 days: tau_days 3 to 14, smoothing 1 (recall@10 .512 on 1,163 queries)`; nothing where cells keep no value."""
    declared = {one.name for one in measures.metrics}
    cells = [own for cell in line.done if declared & (own := _on_valid(cell.metrics)).keys()]
    if not cells:
        return
    metric = next(name for name in cells[0] if name in declared)
    settings = [name for name in cells[0] if name not in (metric, QUERIES, ANSWERED)]
    chosen = ", ".join(f"{name} {_range([one[name] for one in cells if name in one])}" for name in settings)
    value = number(sum(one[metric] for one in cells) / len(cells))
    label = measures.metric(metric).label
    yield f"{horizon_text(line.horizon)}: {chosen} ({label} {value} on {_queries(cells)})"


def _on_valid(metrics: Sequence[tuple[str, str, str, float]]) -> Mapping[str, float]:
    return {metric: value for split, part, metric, value in metrics if (split, part) == (SPLIT, ALL)}


def _queries(cells: Sequence[Mapping[str, float]]) -> str:
    """`1,163 queries`, `512 of 22,363 queries`, `480 to 512 queries in each of 3 folds`."""
    used, every = ([int(one.get(name, one[QUERIES])) for one in cells] for name in (QUERIES, ANSWERED))
    of = f" of {_span(every)}" if used != every else ""
    folds = f" in each of {plural(len(cells), 'fold')}" if len(cells) > 1 else ""
    return f"{_span(used)}{of} {'query' if every == [1] else 'queries'}{folds}"


def _span(counts: Sequence[int]) -> str:
    low, high = min(counts), max(counts)
    return f"{low:,}" if low == high else f"{low:,} to {high:,}"


def _range(values: Sequence[float]) -> str:
    """`0.1`, `3 to 14`."""
    low, high = min(values), max(values)
    return _short(low) if low == high else f"{_short(low)} to {_short(high)}"


def _short(value: float) -> str:
    """Three digits, or all of the whole ones."""
    return f"{value:.3g}" if abs(value) < 1000 or value == float("inf") else f"{value:,.0f}"
