"""`python -m lab.data`: what a log holds, what was wrong with it, and what can be asked of it."""

import sys
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, make_dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import tyro

from lab.commands import log_horizons
from lab.commands.arguments import read_arguments
from lab.commands.log_figure import EIGHTHS, check_figure, levels_for, save_figure, timeline_figure
from lab.commands.source_list import LABEL, WIDTH, source_list, source_names
from lab.core.entry_point import help_exit_code, run_command
from lab.core.errors import InputError
from lab.core.escape import printable, terminal
from lab.core.spelling import did_you_mean
from lab.core.words import plural
from lab.data.log.cache import prepare_log
from lab.data.log.cleaning import Cleaning
from lab.data.log.duplicates import repeat_remarks
from lab.data.log.histories import Histories
from lab.data.log.missed_keys import missed_remarks
from lab.data.log.odd_ids import id_remarks
from lab.data.log.remarks import cut_times, no_rows
from lab.data.log.removals import removals
from lab.data.log.stray_times import odd_times, stray_times
from lab.data.timeline import DAY, Timeline, date_text, log_days

UNITS = {DAY: "1 day", DAY // 24: "1 hour", DAY // 1440: "1 minute", 1_000_000: "1 second", 1_000: "1 ms", 1: "1 µs"}

NAMES = source_names()

USAGE = """usage: python -m lab.data FILE [--user COLUMN] [--item COLUMN] [--time COLUMN]
           [settings]
       python -m lab.data NAME [settings]
       python -m lab.data --list

FILE is a file, a folder or a glob pattern; NAME is one of the logs that --list
shows. All settings: python -m lab.data table --help"""


@dataclass(frozen=True, kw_only=True)
class Options:
    """How to describe a log."""

    cleaning: Cleaning = field(default_factory=Cleaning)
    """What is left out. Rules that need statistics are fitted on the whole log here, in a run on its training part."""
    cache: Path | None = None
    """Folder for derived data. Default: $LAB_CACHE, or the user's cache folder."""
    figure: Path | None = None
    """Also draw it into this file (.png, .pdf, .svg)."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Describe the log that the arguments name; the exit code."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    if (code := help_exit_code(USAGE, given)) is not None:
        return code
    return run_command(lambda: _run(given))


def _run(given: list[str]) -> int:
    if given == ["--list"]:
        return run_command(_list)
    if given[0].startswith("-"):
        print(f"error: {printable(given[0])}: name the log first, then its settings.\n{USAGE}", file=sys.stderr)
        return 2
    given[0] = _source_name(given[0])
    if (wrong := _suggest_source(given[0])) is not None:
        raise InputError(wrong)
    # `FILE ...` is short for `table --path FILE ...`; flags of `lab.run` work here too.
    if given[0] not in NAMES:
        given = ["table", "--path", *given]
    return _describe(
        [f"--{flag.removeprefix('--source.')}" if flag.startswith("--source.") else flag for flag in given]
    )


def _list() -> int:
    print("\n".join(source_list()))
    return 0


def _describe(given: list[str]) -> int:
    name, *settings = given
    # Settings of the other sources are no command's of this one, nor what was meant.
    source = tyro.conf.OmitArgPrefixes[NAMES[name]]
    described = make_dataclass("Describe", [("source", source)], bases=(Options,), frozen=True, kw_only=True)
    about = "Describe a log: what it holds, what was wrong with it, and what can be asked of it."
    asked = read_arguments(described, f"python -m lab.data {name}", settings, description=about)
    if asked.figure is not None:
        check_figure(asked.figure)
    histories = prepare_log(asked.source, asked.cleaning, Timeline(), (), asked.cache)
    print(terminal("\n".join(description(histories, levels_for(sys.stdout)))))
    if asked.figure is not None:
        save_figure(histories, asked.figure)
    return 0


def _source_name(given: str) -> str:
    """A source's name as it stands in NAMES, however it is spelt; what is no name as it is."""

    def plain(name: str) -> str:
        return name.replace("_", "").replace("-", "").lower()

    short = {plain(name): name for name in NAMES} | {"synthetic": "synthetic-shop"}
    return short.get(plain(given), given)


def _suggest_source(given: str) -> str | None:
    """What to say of a word that is no file and nearly a source's name."""
    close = did_you_mean(given, NAMES)
    if given in NAMES or not close or set("./*?[") & set(given) or Path(given).exists():
        return None
    return f"{given!r} is neither a file nor a log known by name{close} (--list shows them)."


def description(histories: Histories, levels: str = EIGHTHS) -> Iterator[str]:
    """The description, line by line, at most 80 columns wide but for paths, which are kept whole.

    `levels` are what the figure's bars are made of, from nothing to a whole character.
    """
    facts = histories.facts
    yield from _entry(
        "log", " ".join([facts["source"], *facts["files"][:3], *(["..."] if len(facts["files"]) > 3 else [])])
    )
    for name in ("licence", "citation", "until"):
        yield from _entry(name, facts.get(name))
    yield from _entry("read as", _read_as(facts))
    timed = facts.get("timed", True)
    if timed:
        yield from _entry("span", _span(facts))
        yield from _entry("odd times", odd_times(facts, datetime.now(UTC)))
        for line in cut_times(facts):
            yield from _entry("odd times", line)
        yield from _entry("stray times", stray_times(facts))
    read = f"{facts['rows']:,} read, {plural(facts['events'], 'event')} kept"
    yield from _entry("rows", "; ".join([read, *no_rows(facts)]))
    groups = "" if facts["categories"] is None else f", {plural(facts['categories'], 'category', 'categories')}"
    yield from _entry(
        "of", f"{plural(facts['users'], 'user')}, {plural(facts['items'], 'item')}{groups or ', no categories'}"
    )
    yield from _entry("behaviours", ", ".join(f"{name} {n:,}" for name, n in facts["behaviours"].items() if n))
    if timed:
        ties = f"{_percent(facts['tied'])} of the events share their time with another of the same user"
        yield from _entry("ties", ties)
    yield from _entry("missing values", _missing(facts))
    for line in id_remarks(facts):
        yield from _entry("odd ids", line)
    for line in missed_remarks(facts):
        yield from _entry("no match", line)
    yield from _list_lines("quarantined", _quarantined(facts))
    yield from _list_lines("left out", _left_out(facts))
    for k, line in enumerate(repeat_remarks(facts)):
        yield from _entry("" if k else "kept", line)
    yield from _entry("events a user", _lengths(histories))
    if not timed:
        yield from _entry("horizons", "none, since there are no times")
        how = "target=NextItem() with timeline=Timeline(protocol='leave_one_out')"
        yield from _entry("next items", f"which item each user takes last can be asked: {how}")
        return
    yield from _horizons(histories)
    yield ""
    for k, line in enumerate(timeline_figure(histories, WIDTH - LABEL, levels=levels)):
        yield f"{'events' if k == 0 else '':<{LABEL}}{line}"


def _horizons(histories: Histories) -> Iterator[str]:
    span = histories.facts["last"] - histories.facts["first"]
    yield from _entry("horizons", log_horizons.fitting_horizons_text(span))
    found, each = log_horizons.returns_by_horizon(histories), "items" if histories.category is None else "categories"
    if found:
        yield from (f"{'':<{LABEL}}{line}" for line in log_horizons.horizons_table(found, span, each))
        yield from _entry("", log_horizons.ABOUT.format(each=each))
    yield from _entry("next items", log_horizons.advice(histories, found))


def _entry(label: str, text: str | None) -> Iterator[str]:
    if text:
        wrapped = textwrap.wrap(printable(text), WIDTH - LABEL, break_on_hyphens=False, break_long_words=False)
        yield from (f"{label if k == 0 else '':<{LABEL}}{line}" for k, line in enumerate(wrapped))


def _list_lines(label: str, texts: list[str]) -> Iterator[str]:
    for k, text in enumerate(texts or ["nothing"]):
        yield from _entry(label if k == 0 else "", text)


def _read_as(facts: Mapping[str, Any]) -> str | None:
    if "time_format" not in facts:
        return None
    separator = f", separator {facts['separator']!r}" if "separator" in facts else ""
    header = "" if facts.get("header", True) else ", no header"
    unit = {"s": "seconds", "ms": "milliseconds", "us": "microseconds", "ns": "nanoseconds", "d": "days"}
    kind = facts["time_format"]
    how = {name: f" {remark}" for name, remark in facts.get("numbers", {}).items()}
    named = {name: f"{name} = {column!r}{how.get(name, '')}" for name, column in facts["columns"].items()}
    if not facts.get("timed", True):
        columns = ", ".join(said for name, said in named.items() if name != "time")
        return f"rows in the order of events, without times{separator}{header}; {columns}"
    others = {"iso": "ISO dates", "date-time": "instants", "ticks": ".NET ticks"}
    times = f"{unit[kind]} since 1970" if kind in unit else others.get(kind, kind)
    return f"times as {times} ({facts['time_zone']}){separator}{header}; {', '.join(named.values())}"


def _span(facts: Mapping[str, Any]) -> str:
    days = log_days(facts["last"] - facts["first"])
    days = "1 day" if days == "1" else f"{days} days"
    resolution = UNITS[facts["resolution"]]
    return f"{date_text(facts['first'])} to {date_text(facts['last'])} UTC ({days}), times to {resolution}"


def _missing(facts: Mapping[str, Any]) -> str:
    found = {name: n for name, n in facts["missing"].items() if n}
    return ", ".join(f"{name} {n:,} ({_percent(n / facts['rows'])})" for name, n in found.items()) or "none"


def _column(name: str) -> str:
    return f"column {name!r}" if name else "a field"


def _quarantined(facts: Mapping[str, Any]) -> list[str]:
    found = facts["quarantine"]
    if not found["rows"]:
        return []
    reasons = [f"{r['rows']:,}: {_column(r['column'])} {r['reason']}" for r in found["reasons"]]
    return [
        f"{plural(found['rows'], 'row')} ({_percent(found['rows'] / facts['rows'])}), listed in",
        found["file"],
        *reasons,
    ]


def _left_out(facts: Mapping[str, Any]) -> list[str]:
    """What each rule removed; those that found nothing on one line."""
    removed = removals(facts)
    found = [str(one) for one in removed if one.rows]
    idle = [one.rule for one in removed if not one.rows]
    return [*found, f"nothing by {', '.join(idle)}"] if idle else found


def _lengths(histories: Histories) -> str:
    sizes = np.diff(histories.offsets)
    shares = {0.1: "10 %", 0.25: "25 %", 0.5: "half", 0.75: "75 %", 0.9: "90 %"}
    most = np.quantile(sizes, list(shares), method="lower")
    said = ", ".join(f"{who} {'have at most ' if k == 0 else ''}{most[k]:,}" for k, who in enumerate(shares.values()))
    return f"{sizes.min():,} to {sizes.max():,}, {sizes.mean():,.1f} in the mean; {said}"


def _percent(share: float) -> str:
    return f"{100 * share:.3g} %"
