"""All metrics over all queries, as rows of a page, and what each of them is."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from lab.evaluation.measures import ALL, Measures
from lab.report.contents import Contents
from lab.results.line import Line
from lab.results.summary import Estimate
from lab.results.table_layout import short


@dataclass(frozen=True)
class MetricRow:
    heads: tuple[str, ...]
    """A metric each, or several that are the same for every line: `hr@10, recall@10`."""
    rows: Sequence[tuple[Line, tuple[tuple[str, float] | None, ...]]]
    """Each line's means, as they are shown and as they sort; None where it has none."""
    definitions: Mapping[str, str]
    """What a metric is, in the words of the pin."""


def metric_rows(contents: Contents) -> MetricRow:
    """Every metric of the lines that have any, in the order in which cells report them."""
    found = [(line, _means(own, contents.measures)) for line, own in contents.summary.lines if own]
    names = list(dict.fromkeys(name for _, means in found for name in means))
    columns: dict[tuple[str, ...], str] = {}
    for name in names:
        # As texts, so that what is no number equals itself.
        values = tuple(repr(means.get(name)) for _, means in found)
        columns[values] = f"{columns[values]}, {name}" if values in columns else name
    heads = tuple(columns.values())
    firsts = [head.split(", ")[0] for head in heads]
    rows = [(line, tuple(_entry(means.get(name)) for name in firsts)) for line, means in found]
    return MetricRow(heads, rows, dict(_definitions(contents.measures)))


def _means(own: Iterable[Estimate], measures: Measures) -> dict[str, float]:
    """Over all queries, counts apart: they are the same for every line."""
    counts = {one.name for one in measures.metrics if one.better == "neither"}
    return {one.metric: one.mean for one in own if one.slice == ALL and one.metric not in counts}


def _entry(mean: float | None) -> tuple[str, float] | None:
    return None if mean is None or mean != mean else (short(mean), mean)


def _definitions(measures: Measures) -> Iterator[tuple[str, str]]:
    """Each definition once, behind the metrics that it is of."""
    by_words: dict[str, list[str]] = {}
    for one in measures.metrics:
        unit = f", in {one.unit}" if one.unit else ""
        how = {"lower": "; lower is better", "nearest": f"; best is {one.best:g}"}.get(one.better, "")
        by_words.setdefault(f"{one.definition}{unit}{how}", []).append(one.name)
    yield from ((", ".join(names), words) for words, names in by_words.items())
    if measures.population:
        yield "asked", measures.population
