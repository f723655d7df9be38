"""The main metric by how much of a user was known: quartiles of the queries by the events up to their cutoffs."""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from jaxtyping import Float, Int

from lab.report.contents import Contents
from lab.report.curves import curve, shifted_places
from lab.report.panels import legend, panel_each, place_of
from lab.results.line import Line
from lab.results.query_tables import query_tables
from lab.statistics.intervals import Interval, over_users

PARTS = 4


@dataclass(frozen=True)
class LineQueries:
    """A line's metric at each query over all categories."""

    user: Int[np.ndarray, "Q"]
    history: Int[np.ndarray, "Q"]
    """Events known."""
    values: Float[np.ndarray, "Q"]
    """The mean over the cells that answered the query."""

    def within(self, low: int, high: int) -> Interval | None:
        """The mean over queries with at least `low` and less than `high` known events, and its interval over users."""
        here = (low <= self.history) & (self.history < high)
        return over_users(self.values[here], self.user[here]) if here.any() else None


def line_queries(contents: Contents, line: Line) -> LineQueries | None:
    """What a line's cells keep of their queries; None where they keep no history, as those of older versions."""
    tables = query_tables(contents.store, line)
    folds: dict[int, list[Mapping[str, np.ndarray]]] = {}
    for cell in line.done:
        if "history" in tables.get(cell.id, {}):
            folds.setdefault(cell.fold, []).append(tables[cell.id])
    if not folds:
        return None
    parts = []
    for same in folds.values():
        here = same[0]["slice"] == "all"
        values = np.mean([table[contents.lead.name][here] for table in same], axis=0)
        parts.append((same[0]["user"][here], same[0]["history"][here], values))
    return LineQueries(*(np.concatenate(columns) for columns in zip(*parts, strict=True)))


def quartiles(history: Int[np.ndarray, "Q"]) -> list[int]:
    """Edges of PARTS parts with about as many queries each, or of fewer where many histories are of one length."""
    inner = np.quantile(history, np.arange(1, PARTS) / PARTS, method="inverted_cdf").astype(int) + 1
    edges = [int(history.min()), *inner.tolist(), int(history.max()) + 1]
    return sorted(set(edges))


def by_history(contents: Contents) -> Any:
    """A panel for each horizon, a line for each of the table's; None where no cell keeps histories, or where the metric
    is not one of queries."""
    if contents.lead.per == "cell":
        return None
    found = [(line, one) for line in contents.lines if (one := line_queries(contents, line)) is not None]
    if not found:
        return None
    figure, places = panel_each([place_of(line) for line, _ in found], 3.6, sharey=True)
    names = list(dict.fromkeys(line.name for line in contents.lines))
    for place, panel in places.items():
        mine = [(line, one) for line, one in found if place_of(line) == place]
        edges = quartiles(mine[0][1].history)
        for line, one in mine:
            bins = [one.within(low, high) for low, high in pairwise(edges)]
            known = [(part, each) for part, each in enumerate(bins) if each is not None]
            index = names.index(line.name)
            where = shifted_places(range(len(bins)), index, len(names))[[part for part, _ in known]]
            curve(panel, where, [each for _, each in known], index, line.name)
        _label(panel, mine[0][1], edges)
    next(iter(places.values())).set_ylabel(contents.lead.label)
    legend(figure, places.values())
    return figure


def _label(panel: Any, one: LineQueries, edges: list[int]) -> None:
    """Each part by its counts of events, and how many queries it has."""
    said = []
    for low, high in pairwise(edges):
        queries = int(((low <= one.history) & (one.history < high)).sum())
        span = f"{low:,}" if high == low + 1 else f"{low:,}–{high - 1:,}"
        said.append(f"{span}\n({queries:,})")
    panel.set_xticks(range(len(said)), said, fontsize=8)
    panel.set(xlabel="events known (queries)", xlim=(-0.3, len(said) - 0.7))
