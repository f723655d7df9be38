"""Whether a number that was computed again is the number that was pinned, at three levels."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from jaxtyping import Float

from lab.core.errors import InputError
from lab.core.nested import flatten
from lab.core.words import plural
from lab.evaluation.measures import ALL, Measures
from lab.experiment.cell_record import place_of

Level = Literal["bitwise", "tolerance", "statistical"]

Place = tuple[str, str, str]
"""(split, slice, metric)."""

FITTED_TOLERANCE = 1e-5
"""By how much a metric of a baseline or of the oracle may differ on another machine: they are not trained..."""

OPTIMISED = ("logistic",)
"""...but for those that are found by descent, which is as a training is."""

ALPHA = 0.05
MARGIN = 2.0
"""Standard deviations of the pinned seeds within which two means are held for equal."""
FEWEST_SEEDS = 3


def shown_metric(measures: Measures) -> Place:
    """The number that stands for a cell, and that the statistical level judges."""
    return "test", ALL, measures.leading


@dataclass(frozen=True)
class Verdict:
    """One judgement; `expected` and `got` are of the number that decided it."""

    matched: bool
    expected: str
    got: str
    why: str = ""


def judge_cell(level: Level, pinned: Mapping[str, Any], got: Mapping[str, Any], measures: Measures) -> Verdict:
    """Judge one cell, as a pin holds it, at level bitwise or tolerance, all of its metrics at once.

    At every level it has to be the same cell: of the same settings.
    """
    if moved := moved_settings(pinned["config"], got["config"]):
        return Verdict(False, pinned["id"][-12:], got["id"][-12:], moved[0])
    if pinned["status"] != got["status"]:
        return Verdict(False, pinned["status"], got["status"], got.get("reason", ""))
    one, other = _numbers(pinned), _numbers(got)
    if one.keys() != other.keys():
        strange = sorted(one.keys() ^ other.keys())[0]
        return Verdict(False, _text(one.get(strange)), _text(other.get(strange)), f"{' '.join(strange)}: one has it")
    if level == "bitwise":
        return _bitwise(pinned, got, one, other, shown_metric(measures))
    return _within(pinned["kind"], pinned["model"], one, other, measures)


def moved_settings(pinned: Mapping[str, Any], here: Mapping[str, Any]) -> list[str]:
    """In which settings two cells differ, and how: `training.learning_rate: 0.002 in the pin, 0.0021 here`."""
    was, now = flatten(pinned), flatten(here)
    names = [name for name in {**was, **now} if was.get(name, _ABSENT) != now.get(name, _ABSENT)]
    return [f"{name}: {was.get(name, 'none')} in the pin, {now.get(name, 'none')} here" for name in names]


_ABSENT = object()


def tolerance_of(measures: Measures, kind: str, metric: str, name: str = "") -> float:
    """How far a metric may be from the pinned one at level tolerance; `name`: of the model or baseline.

    A trained cell's tolerance is what its target declares: rounding moves a training's end by less than another seed
    does, and this is about what another seed does.
    """
    trained = measures.metric(metric).tolerance
    return trained if kind == "model" or name in OPTIMISED else min(trained, FITTED_TOLERANCE)


def _bitwise(pinned: Mapping[str, Any], got: Mapping[str, Any], one: dict, other: dict, place_shown: Place) -> Verdict:
    for place in one:
        if _text(one[place]) != _text(other[place]):
            return Verdict(False, _text(one[place]), _text(other[place]), " ".join(place))
    for name in ("users.parquet", "checkpoint"):
        mine, new = (str(cell["digests"].get(name)) for cell in (pinned, got))
        if mine != new:
            return Verdict(False, mine[:8], new[:8], f"bytes of {name}")
    return _all_well(one, other, place_shown)


def _within(kind: str, name: str, one: dict[Place, float], other: dict[Place, float], measures: Measures) -> Verdict:
    """The metric furthest out, in units of its tolerance, decides."""

    def excess(place: Place) -> float:
        a, b = one[place], other[place]
        if (math.isnan(a) and math.isnan(b)) or a == b:
            return 0.0
        allowed = tolerance_of(measures, kind, place[2], name)
        if not math.isfinite(a - b):
            return math.inf
        return abs(a - b) / allowed if allowed else math.inf

    worst = max(one, key=excess, default=None)
    if worst is None or excess(worst) <= 1:
        return _all_well(one, other, shown_metric(measures))
    return Verdict(False, _text(one[worst]), _text(other[worst]), " ".join(worst))


def check_seeds(cells: Sequence[Mapping[str, Any]], measures: Measures) -> None:
    """Raise InputError where the statistical level cannot judge these pinned cells: too few seeds of a trained line."""
    lines = _by_seed(cells, measures)
    short = [f"{name} has {len(values)}" for name, values in lines.items() if len(values) < FEWEST_SEEDS]
    if short or not lines:
        raise InputError(
            f"level: statistical needs {FEWEST_SEEDS} seeds or more of every trained line that is computed again; "
            f"{short[0] if short else 'no trained cell is'}. Leave --cells out, where the pin has more, or use --level "
            "tolerance."
        )


def judge_lines(
    pinned: Sequence[Mapping[str, Any]], got: Sequence[Mapping[str, Any]], measures: Measures
) -> list[tuple[str, Verdict]]:
    """Judge each trained line of cells, as a pin holds them, at level statistical."""
    here, others = _by_seed(got, measures), {place_of(cell): cell for cell in got}
    verdicts = {name: _judge_line(was, here.get(name, [])) for name, was in _by_seed(pinned, measures).items()}
    for cell in pinned:
        other = others.get(place_of(cell))
        if other and _line(cell) in verdicts and (moved := moved_settings(cell["config"], other["config"])):
            verdicts[_line(cell)] = Verdict(False, cell["id"][-12:], other["id"][-12:], moved[0])
    return list(verdicts.items())


def _judge_line(was: Sequence[float], now: Sequence[float]) -> Verdict:
    too_few = Verdict(False, plural(len(was), "seed"), plural(len(now), "seed"), "too few seeds came out here")
    return judge_seeds(was, now) or too_few


def _by_seed(cells: Sequence[Mapping[str, Any]], measures: Measures) -> dict[str, list[float]]:
    """The number shown of each cell of a trained line, by the line's name."""
    lines: dict[str, list[float]] = {}
    for cell in cells:
        if cell["kind"] == "model":
            line = lines.setdefault(_line(cell), [])
            line += [value for place, value in _numbers(cell).items() if place == shown_metric(measures)]
    return lines


def _line(cell: Mapping[str, Any]) -> str:
    names = filter(None, (cell["model"], cell["features"], cell.get("variant", "")))
    return f"{'-'.join(names)}-h{cell['horizon']:g}-f{cell['fold']}"


def judge_seeds(pinned: Sequence[float], got: Sequence[float]) -> Verdict | None:
    """Whether the means differ by less than MARGIN standard deviations of the pinned seeds, at a level of ALPHA.

    None where there are too few seeds (FEWEST_SEEDS) to say anything. At the margin the difference, over what it owes
    to chance by the pinned deviation, is noncentral t: p is the chance of one as near to 0 (Wellek 2010, the two-sample
    t-test of equivalence). It is exact where both have one deviation; two one-sided tests take the estimated margin
    for the true one, err more often there, and call more equal runs different.
    """
    if min(len(pinned), len(got)) < FEWEST_SEEDS:
        return None
    a, b = np.asarray(pinned, float), np.asarray(got, float)
    means = f"{a.mean():.4f}", f"{b.mean():.4f}"
    if a.std() == 0:
        return Verdict(bool((b == a[0]).all()), *means, "no spread in the pin")
    p = equivalence_p(a, b)
    return Verdict(p < ALPHA, *means, f"p {p:.2g}")


def equivalence_p(a: Float[np.ndarray, "S"], b: Float[np.ndarray, "R"]) -> float:
    """The chance of means so close by the deviation of a, were they MARGIN deviations apart."""
    from scipy.stats import nct

    weight = np.sqrt(len(a) * len(b) / (len(a) + len(b)))
    t = weight * abs(b.mean() - a.mean()) / a.std(ddof=1)
    low, high = nct.cdf([-t, t], len(a) - 1, MARGIN * weight)
    return float(high - low)


def _numbers(cell: Mapping[str, Any]) -> dict[Place, float]:
    return {(s, k, m): math.nan if v is None else float(v) for s, k, m, v in cell["metrics"]}


def _all_well(one: dict[Place, float], other: dict[Place, float], place: Place) -> Verdict:
    return Verdict(True, _text(one.get(place)), _text(other.get(place)))


def _text(value: float | None) -> str:
    return "none" if value is None else repr(float(value))
