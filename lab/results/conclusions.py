"""What a table says, in sentences: who leads, by how much, and what cannot be told apart; no more than is compared."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import groupby

from lab.data.timeline import LAST_EVENT
from lab.evaluation.measures import ALL, MetricSpec
from lab.results.cells_table import days
from lab.results.comparisons import Comparison
from lab.results.line import Line
from lab.results.summary import Summary
from lab.statistics.permutation import smallest_p

SURE = 0.05
"""Holm's p at or below which a difference is called one."""
FEWEST_SEEDS = next(n for n in range(1, 100) if smallest_p(n) <= SURE)
"""Seeds below which no difference between seeds can be called one."""
BEST = {"higher": "highest", "lower": "lowest", "nearest": "best", "neither": "highest"}
LEVEL = 0.0005
"""Difference below which three decimals show none."""


Found = Mapping[tuple[str, float, str, str, str], Comparison]
"""Comparisons by target, horizon, slice and the names of both lines."""


def by_pair(found: Iterable[Comparison]) -> Found:
    """Comparisons, to be looked up."""
    return {(one.target, one.horizon, one.slice, one.a, one.b): one for one in found}


def conclusions(summary: Summary, found: Found) -> list[str]:
    """Of one target's lines: a sentence for each horizon, and one for what the seeds cannot say."""
    whole = [line for line, _ in summary.lines if line.complete and line.kind != "oracle" and not line.stale]
    said = []
    for horizon, lines in groupby(whole, key=lambda line: line.horizon):
        said += [f"Next {span(horizon)}: {one}" for one in _conclusion(summary, list(lines), found)]
    if not said:
        return ["No row has all of its cells; nothing can be concluded yet."]
    return [*said, *_left_out(summary), *_seeds(found.values())]


def span(horizon: float) -> str:
    """`1 day`, `7 days`; `event` where each user's last one was asked for: what follows the word `next`."""
    if horizon == LAST_EVENT:
        return "event"
    return f"{days(horizon)} day{'' if horizon == 1 else 's'}"


def horizon_text(horizon: float) -> str:
    """A horizon by itself: `7 days`, `last event`."""
    return f"last {span(horizon)}" if horizon == LAST_EVENT else span(horizon)


def is_tied(line: Line, best: Sequence[Line], slice_name: str, found: Found) -> bool:
    """Whether a line that is not the best of its column cannot be told from it."""
    pair = (_comparison_of(line, one, slice_name, found) for one in best if one is not line)
    return line not in best and any(one is not None and one.holm_p > SURE for one in pair)


def _conclusion(summary: Summary, lines: list[Line], found: Found) -> Iterator[str]:
    spec = summary.judged_by.lead
    estimates = {id(line): summary.estimate(line, ALL, spec.name) for line in lines}
    means = {key: one.mean for key, one in estimates.items() if one and one.mean == one.mean}
    ranked = sorted((line for line in lines if id(line) in means), key=lambda line: -spec.merit(means[id(line)]))
    if not ranked:
        return
    first, *others = ranked
    if not others:
        yield f"{first.name} has {number(means[id(first)])}; there is nothing to compare it with."
        return
    rival = next((line for line in others if line.kind != first.kind), others[0])
    alike = [line.name for line in others if line is not rival and is_tied(line, [first], ALL, found)]
    yield _verdict(first, rival, alike, _comparison_of(first, rival, ALL, found), spec)


def _verdict(first: Line, rival: Line, alike: list[str], one: Comparison | None, spec: MetricSpec) -> str:
    best, comma = (rival.name, "") if rival.kind == first.kind else (f"the best {rival.kind}, {rival.name}", ",")
    others = _list_text(alike)
    if one is None:
        return f"{first.name} has the {BEST[spec.better]} {spec.label}; it was not compared with {best}."
    one = one.lead(spec)
    measured = f"{_between_users(one)}Holm's p {probability(one.holm_p)}"
    words = f"{best}{comma} by {number(one.difference)} {spec.label} ({measured})"
    if one.holm_p > SURE:
        nor = f", nor from {others}" if others else ""
        if abs(one.difference) < LEVEL:
            return f"{first.name} is level with {best}, and cannot be told from it{nor}."
        return f"{first.name} is ahead of {words}, but cannot be told from it{nor}."
    but = f"; it cannot be told from {others}" if others else ""
    return f"{first.name} leads {words}{but}."


def _between_users(one: Comparison) -> str:
    if one.users_low is None or one.users_high is None:
        return ""
    return f"95 % interval over users {number(one.users_low)} to {number(one.users_high)}, "


def _list_text(names: list[str]) -> str:
    """`a`, `a or b`, `a, b or 3 more`."""
    shown = names if len(names) < 4 else [*names[:2], f"{len(names) - 2} more"]
    return " or ".join(filter(None, (", ".join(shown[:-1]), *shown[-1:])))


def _left_out(summary: Summary) -> Iterator[str]:
    """That some lines are not compared, since what is there of them may not be what the rest would give."""
    lines = (line for line, _ in summary.lines if not line.complete)
    names = list(dict.fromkeys(f"{line.name} ({horizon_text(line.horizon)})" for line in lines))
    if names:
        yield f"Left out here, since not all of its cells are done: {', '.join(names)}."


def _seeds(found: Iterable[Comparison]) -> Iterator[str]:
    seeds = min((one.seeds for one in found if one.seeds), default=FEWEST_SEEDS)
    if seeds == 1:
        yield "With 1 seed, whether a lead would outlast another training cannot be concluded."
    elif seeds < FEWEST_SEEDS:
        yield (
            f"With {seeds} seeds, no p over seeds can be below {probability(smallest_p(seeds))}: whether a lead would "
            f"outlast other seeds cannot be concluded with fewer than {FEWEST_SEEDS}."
        )


def _comparison_of(line: Line, other: Line, slice_name: str, found: Found) -> Comparison | None:
    """How much more a line has than another; None where they were not compared."""
    place = line.target, line.horizon, slice_name
    if (one := found.get((*place, line.name, other.name))) is not None:
        return one
    turned = found.get((*place, other.name, line.name))
    return turned.reversed if turned else None


def number(value: float) -> str:
    """`.016`, `-.004`, `1.20`."""
    value = round(value, 3) + 0.0  # -0.0004 is no -.000
    return f"{value:.3f}".replace("0.", ".", 1) if abs(value) < 1 else decimals(value)


def decimals(value: float) -> str:
    """A number of 1 and more with three digits or all of its whole ones: `1.20`, `138.2`, `12,345`."""
    return f"{value:.2f}" if abs(value) < 100 else f"{value:.1f}" if abs(value) < 1000 else f"{value:,.0f}"


def probability(p: float) -> str:
    """`.062`, `< .001`."""
    return "< .001" if p < 0.001 else number(p)
