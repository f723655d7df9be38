"""The page of a report: one file, without a network or another file."""

import re
import shlex
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from lab.data.timeline import date_text
from lab.report.compared import about, compared, heads
from lab.report.contents import Contents
from lab.report.figures import Drawing
from lab.report.question import question
from lab.settings import flags_of_files
from lab.store import days
from lab.summary import SLICES, Estimate
from lab.table_grid import grid, short
from lab.tables import METRIC

TEMPLATE = Path(__file__).parent / "page.html"


def page(contents: Contents, drawings: Sequence[Drawing]) -> str:
    """The page as HTML; every name that comes from the results is escaped."""
    from jinja2 import Environment, StrictUndefined
    from markupsafe import Markup

    template = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    shown = grid(contents.summary, contents.compared, METRIC, SLICES)
    return template.from_string(TEMPLATE.read_text("utf-8")).render(
        name=contents.name,
        question=question(contents),
        answer=shown.answers,
        caption=shown.caption,
        notes=shown.notes,
        slices=SLICES,
        rows=list(_rows(contents)),
        # Drawn by matplotlib from escaped text, and the only markup that is not the template's own.
        figures=[(one, Markup(_inline(one))) for one in drawings],
        compared=compared(contents),
        compared_heads=heads(contents),
        compared_about=about(contents),
        cells=[cell for cell in contents.planned if cell.status != "done"],
        log=list(_log(contents.facts.get("data"))),
        folds=list(_flat(contents.facts.get("split"))),
        versions=list(_flat(contents.facts.get("machine"))),
        settings=list(_flat(contents.facts.get("experiment"))),
        pin=contents.pin,
        reproduce=_reproduce(contents.facts),
    )


def _reproduce(pin: Mapping[str, Any]) -> str:
    """The command that computes the cells again, from the page's own folder, wherever that is."""
    source = pin.get("experiment", {}).get("source")
    flags = flags_of_files(source) if source else []
    return shlex.join(["python", "-m", "lab.reproduce", "pin.json", *flags])


def _rows(contents: Contents) -> Iterator[Mapping[str, Any]]:
    for line, _ in contents.summary.lines:
        stale = "stale, " if line.stale else ""
        ended = stale + ", ".join(f"{count} {status}" for status, count in line.counts.items() if count)
        values = [contents.summary.estimate(line, part, METRIC) for part in SLICES]
        yield {
            "name": line.name,
            "kind": line.kind,
            "target": line.target,
            "horizon": days(line.horizon),
            "values": [_value(one) for one in values],
            "ended": ended,
            "whole": line.complete and not line.stale,
        }


def _value(one: Estimate | None) -> tuple[float, str, str] | None:
    return None if one is None or one.mean != one.mean else (one.mean, short(one.mean), _between(one))


def _between(one: Estimate) -> str:
    """Its intervals as ± half of their width, as the printed table has them."""
    halves = [(one.users, "users"), (one.seeds, "seeds")]
    return " ".join(f"±{short((i.high - i.low) / 2)} {over}" for i, over in halves if i)


def _inline(one: Drawing) -> str:
    """The SVG as an element of the page: without its prolog, with ids of its own, as wide as there is room."""
    text = one.svg.decode()
    text = text[text.index("<svg ") :]
    text = re.sub(r"<metadata>.*?</metadata>", "", text, flags=re.DOTALL)
    text = re.sub(r'(\bid="|href="#|url\(#)', rf"\g<1>{one.name}-", text)
    return re.sub(
        r'<svg ([^>]*?)width="[^"]*pt"', rf'<svg role="img" aria-labelledby="{one.name}-title" \1', text, count=1
    )


def _log(log: Any) -> Iterator[tuple[str, str]]:
    for name, value in _flat(log):
        known = name in ("first", "last") and value.lstrip("-").isdigit()
        yield name, date_text(int(value)) if known else value


def _flat(value: object, name: str = "") -> Iterator[tuple[str, str]]:
    """Nested settings as lines: `training.steps`, `200`."""
    if isinstance(value, Mapping):
        for key, one in value.items():
            yield from _flat(one, f"{name}.{key}" if name else str(key))
    elif isinstance(value, list) and any(isinstance(one, Mapping) for one in value):
        for index, one in enumerate(value):
            yield from _flat(one, f"{name}.{index}")
    elif value is not None:
        yield name, ", ".join(map(str, value)) if isinstance(value, list) else str(value)
