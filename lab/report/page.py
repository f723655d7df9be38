"""The page of a report: one file, without a network or another file."""

import re
import shlex
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from lab.experiment.settings import flags_of_files
from lab.report.comparison_rows import about, comparison_rows, heads
from lab.report.contents import Contents
from lab.report.facts import fold_facts, log_facts, machine_facts, run_facts, setting_facts
from lab.report.figures import Drawing
from lab.report.from_tables import ABSENT
from lab.report.metric_rows import metric_rows
from lab.report.question import question_text
from lab.report.text_alternative import text_alternative
from lab.report.timings import line_timings
from lab.results.conclusions import horizon_text
from lab.results.summary import Estimate
from lab.results.table_layout import layout_tables, short

CSV = ("summary.csv", "comparisons.csv", "cells.csv")
"""What of the numbers lies beside the page."""

TEMPLATE = Path(__file__).parent / "page.html"


def page(contents: Contents, drawings: Sequence[Drawing]) -> str:
    """The page as HTML; every name that comes from the results is escaped."""
    from jinja2 import Environment, StrictUndefined
    from markupsafe import Markup

    template = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    (shown,) = layout_tables(contents.summary, contents.compared, contents.left_out)
    return template.from_string(TEMPLATE.read_text("utf-8")).render(
        name=contents.name,
        question=question_text(contents),
        answer=shown.conclusions,
        caption=shown.caption,
        notes=shown.notes,
        remarks=shown.remarks if contents.has_cells else (*shown.remarks, ABSENT),
        tuning=shown.tuning,
        slices=shown.columns,
        several=len({line.target for line, _ in contents.summary.lines}) > 1,
        rows=list(_rows(contents)),
        measured=metric_rows(contents),
        horizon_text=horizon_text,
        # Drawn by matplotlib from escaped text, and the only markup that is not the template's own.
        figures=[(one, Markup(_inline(one, text_alternative(contents, one)))) for one in drawings],
        compared=comparison_rows(contents),
        compared_heads=heads(contents),
        compared_about=about(contents),
        cells=[cell for cell in contents.planned if cell.status != "done"],
        data=[*log_facts(contents), *fold_facts(contents)],
        versions=[*run_facts(contents), *machine_facts(contents)],
        took=line_timings(contents),
        csv=[name for name in CSV if (contents.store.root / name).is_file()],
        settings=list(setting_facts(contents)),
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
        values = [contents.summary.estimate(line, part, contents.lead.name) for part in contents.slices]
        yield {
            "name": line.name,
            "kind": line.kind,
            "target": line.target,
            "horizon": line.horizon,
            "values": [_value(one) for one in values],
            "ended": ended,
            "whole": line.complete and not line.stale,
        }


def _value(one: Estimate | None) -> tuple[float, str, list[tuple[str, str]]] | None:
    return None if one is None or one.mean != one.mean else (one.mean, short(one.mean), _interval_texts(one))


def _interval_texts(one: Estimate) -> list[tuple[str, str]]:
    """Its intervals as ± half of their width, as the printed table has them."""
    halves = [(one.users, "users"), (one.seeds, "seeds")]
    return [(f"±{short((i.high - i.low) / 2)}", over) for i, over in halves if i]


def _inline(one: Drawing, words: str) -> str:
    """The SVG as an element of the page: without its prolog, with ids of its own, as wide as there is room.

    `words` are for those who cannot see it.
    """
    from markupsafe import escape

    text = one.svg.decode()
    text = text[text.index("<svg ") :]
    text = re.sub(r"<metadata>.*?</metadata>", "", text, flags=re.DOTALL)
    text = re.sub(r'(\bid="|href="#|url\(#)', rf"\g<1>{one.name}-", text)
    start = re.sub(r'<svg ([^>]*?)width="[^"]*pt"', r"<svg \1", text, count=1)
    return start.replace("<svg ", f'<svg role="img" aria-label="{escape(words)}" ', 1)
