"""What was asked and what came of it, a sentence each; none says more than the numbers do."""

from collections.abc import Iterator, Mapping

from lab.report.contents import Contents
from lab.store import days
from lab.summary import Line
from lab.table_grid import short
from lab.tables import METRIC

SURE = 0.05
"""Holm's p at or below which a difference is called one."""


def question(contents: Contents) -> str:
    """What the experiment asks, by the pin where it says so, else by the lines it has."""
    about = contents.facts.get("about") or {}
    if about.get("text", "").strip():
        return about["text"].strip()
    names = list(dict.fromkeys(line.name for line in contents.lines if line.kind == "model"))
    asked = ", ".join(dict.fromkeys(f"{days(line.horizon)}" for line in contents.lines))
    targets = " and ".join(dict.fromkeys(line.target for line in contents.lines))
    return f"Which ranks {targets} best over the next {asked} days: {', '.join(names) or 'which baseline'}?"


def answer(contents: Contents) -> list[str]:
    """For each target and horizon, which line leads, and whether it can be told from the next."""
    groups: dict[tuple[str, float], list[Line]] = {}
    for line in contents.lines:
        if line.complete and line.kind != "oracle":
            groups.setdefault((line.target, line.horizon), []).append(line)
    said = [one for (_, horizon), lines in groups.items() for one in _leader(contents, horizon, lines)]
    return said or ["No line has all of its cells; nothing can be concluded yet."]


def _leader(contents: Contents, horizon: float, lines: list[Line]) -> Iterator[str]:
    means = [contents.summary.estimate(line, "all", METRIC) for line in lines]
    found = sorted(((one.mean, i) for i, one in enumerate(means) if one and one.mean == one.mean), reverse=True)
    if not found:
        return
    first = lines[found[0][1]]
    start = f"Next {days(horizon)} days: {first.name} has the highest {METRIC.upper()}, {short(found[0][0])}"
    if len(found) == 1:
        yield f"{start}; there is nothing to compare it with."
        return
    second = lines[found[1][1]]
    yield f"{start}, before {second.name} with {short(found[1][0])}; {_verdict(contents, first, second)}"


def _verdict(contents: Contents, first: Line, second: Line) -> str:
    row = next((row for row in contents.comparisons if _is_of(row, first, second)), None)
    if row is None or not row.get("holm_p"):
        return "the two were not compared pair by pair."
    p = float(row["holm_p"])
    words = "the difference is more than chance would give" if p <= SURE else "the two cannot be told apart"
    return f"{words} (Holm's p {p:.3f})."


def _is_of(row: Mapping[str, str], first: Line, second: Line) -> bool:
    pair = {row.get("a"), row.get("b")} == {first.name, second.name}
    here = row.get("target") == first.target and float(row.get("horizon") or "nan") == first.horizon
    return pair and here and (row.get("slice"), row.get("metric")) == ("all", METRIC)
