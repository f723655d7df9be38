"""What a run tells about its log, its folds and the work ahead, within 80 columns."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

from lab.core.escape import terminal
from lab.core.progress import duration
from lab.core.words import plural
from lab.data.fold.leave_one_out import leave_one_out
from lab.data.fold.queries import FoldView
from lab.data.log.histories import Histories
from lab.data.log.remarks import remarks
from lab.data.log.removals import removals
from lab.data.log.stray_times import odd_times, stray_times
from lab.data.rows.layout import PackedRows
from lab.data.timeline import Timeline, date_text, instant, log_days, span_text
from lab.dataset.dataset import SPLITS, Dataset, Split
from lab.experiment.cell_record import CellRecord
from lab.experiment.cells import Cell
from lab.running.assembly import Assembly
from lab.running.estimate import Part
from lab.training.devices import Layout
from lab.training.fit import dispatch_sizes


def print_line(console: Console, line: str) -> None:
    """Print a line as it is, wrapped between words."""
    console.print(terminal(line), markup=False, highlight=False)


def print_log(console: Console, histories: Histories, ordered: bool) -> None:
    """Size and span of the log, and what was left out of it; `ordered` where the order of a user's events is asked."""
    facts = histories.facts
    print_line(
        console,
        f"{facts['source']}: {plural(histories.events, 'event')}, {plural(histories.users, 'user')}, "
        f"{plural(len(histories.item_names), 'item')}",
    )
    for line in (*_times(facts, ordered), *remarks(facts)):
        print_line(console, f"  {line}")
    quarantined = facts["quarantine"]["rows"]
    if quarantined:
        print_line(console, f"  quarantined: {plural(quarantined, 'row')}")
    for rule in removals(facts):
        if rule.rows:
            print_line(console, f"  cleaning: {rule}")


def _times(facts: Mapping[str, Any], ordered: bool = False) -> Iterable[str]:
    """What is to be known of the times of a log."""
    if facts.get("timed", True):
        first, last = date_text(facts["first"]), date_text(facts["last"])
        yield f"{first} to {last}, {log_days(facts['last'] - facts['first'])} days"
        if facts["kept"] != [facts["first"], facts["last"]]:
            left = " to ".join(date_text(moment) for moment in facts["kept"])
            yield f"of which cleaning by counts left {left}; cutoffs go by the whole"
        order = (
            "; which of these comes next is said by the order of the rows alone" if ordered and facts["tied"] else ""
        )
        yield f"{facts['tied']:.1%} of the events share their time with another of the same user{order}"
        yield from filter(None, (odd_times(facts, datetime.now(UTC)), stray_times(facts)))
    if "calendar" in facts:
        yield from leave_one_out(facts["calendar"])


def late_end(timeline: Timeline, last: int) -> Iterable[str]:
    """A line where `timeline.end` lies after the last event (microseconds): no mistake, but seldom meant."""
    if timeline.end is not None and instant(timeline.end) > last and not timeline.leaves_one_out:
        yield (
            f"timeline.end: {timeline.end} is after the log's last event ({date_text(last)}); cutoffs count back from "
            f"it, and no label lies after the last event."
        )


def print_fold(console: Console, data: Dataset, rule: str, variants: Sequence[str] = ()) -> None:
    """Cutoffs, windows, users, queries, labels and padding of a fold's splits, for the variants named."""
    fold = data.view.fold
    named = f" ({', '.join(variants)})" if variants else ""
    what = "candidates" if data.view.items else "categories"
    print_line(console, f"fold {fold.index}{named}: {what} {rule}; {_asking(data)}")
    for line in (*_limits(data.view), *_wide(data.splits["train"].packed)):
        print_line(console, f"  {line}")
    if data.rest:
        users, events, shards = data.view.histories.users, data.view.histories.events, 1 + len(data.rest)
        print_line(
            console,
            f"  below: shard 1 of {shards}, {events:,} events of {plural(users, 'user')} drawn by chance; baselines "
            f"are fitted and all models judged on it, training goes on over the others (timeline.shard_events)",
        )
    if not data.causal:
        print_line(console, "  for models that are not causal: a history for each query, ending there")
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column("", no_wrap=True)
    for name in SPLITS:
        table.add_column(name, justify="right", no_wrap=True)
    for row in zip(*(_facts(data, data.splits[name]) for name in SPLITS), strict=True):
        table.add_row(f"  {row[0][0]}", *(value for _, value in row))
    console.print(table)


def _asking(data: Dataset) -> str:
    """What asks, and how often."""
    if not _events_ask(data.splits["test"]):
        return f"a tick every {span_text(data.view.fold.query_every)}"
    if data.view.histories.times is None:
        return "in train each event asks for the next one, in valid and test one a user"
    return "each event asks for the next one"


def _events_ask(split: Split) -> bool:
    """Whether events ask, each for the next one, and no calendar does."""
    return not len(split.packed.steps.calendar)


def _limits(view: FoldView) -> Iterable[str]:
    """What is left out on purpose, and where it still counts."""
    if view.history is not None:
        yield (
            f"a query sees the {span_text(view.history)} of its user before it (timeline.history_days), and so do "
            f"baselines; who is asked, and what is novel, follows from all of the past"
        )
    if view.sample is not None:
        yield (
            f"all that is learned, fitted or chosen is so by {plural(int(view.sample.sum()), 'user')} "
            f"(training.share), of baselines too; the test asks everyone"
        )


def _wide(packed: PackedRows) -> Iterable[str]:
    """A line where one row holds all there is to train on and is mostly empty: harmless, but slow."""
    if packed.count == 1 and packed.padding > 0.5:
        steps = round((1 - packed.padding) * packed.length)
        yield (
            f"training.row_length: a row of {plural(packed.length, 'step')} holds all {steps:,} of train, and the "
            f"rest of it is padding; a shorter one trains faster"
        )


def _facts(data: Dataset, split: Split) -> Iterable[tuple[str, str]]:
    """What a split is, line by line."""
    timed, what = data.view.histories.times is not None, "items" if data.view.items else "categories"
    # Where events ask, the last one before the cutoff does too, and one may be the label of several.
    moment, one = ("asked at", "labels") if _events_ask(split) else ("cutoff", "events")
    if timed:
        cutoffs = data.view.clock_at(split.queries)
        yield f"first {moment}", _day(int(cutoffs.min()))
        yield f"last {moment}", _day(int(cutoffs.max()))
        yield "labels known by", _day(data.view.fold.closes_by(split.name))
    yield "users", f"{len(np.unique(split.queries.user)):,}"
    yield "queries", f"{len(split.queries):,}"
    several = any(len(one.ids) > one.answered.sum() for other in data.splits.values() for one in other.labels)
    for horizon, labels in zip(data.view.fold.horizons, split.labels, strict=True):
        answered = int(labels.answered.sum())
        yield f"  answered within {span_text(horizon)}" if timed else "  answered", f"{answered:,}"
        if several:
            yield f"    {what} in each answer", f"{len(labels.ids) / answered:.1f}" if answered else "-"
    # An event in a short window lies in the longer ones too, and is counted once.
    longest = max(data.view.fold.horizons)
    labels = split.labels[data.view.fold.horizons.index(longest)]
    within = f" in {span_text(longest)}" if timed and len(split.labels) > 1 else ""
    yield f"{one} of unknown {what}{within}", f"{labels.cold - labels.bare:,}"
    if any(every.taken for other in data.splits.values() for every in other.labels):
        yield f"{one} taken before{within}", f"{labels.taken:,}"
    if not data.view.items:
        yield f"{one} without any category{within}", f"{labels.bare:,}"
    yield "packed rows", f"{split.packed.count:,}"
    yield "padding in them", f"{split.padding:.1%}"


def _day(moment: int) -> str:
    """The date of an instant."""
    return date_text(moment)[:10]


def print_plan(console: Console, assemblies: Sequence[Assembly], cells: Sequence[Cell]) -> None:
    """Cells, programs, parameters, rows and steps of the work ahead."""
    trained = sum(cell.kind == "model" for cell in cells)
    print_line(console, f"cells: {len(cells)}, {trained} to train and {len(cells) - trained} fitted or known")
    print_line(console, f"compiled programs: {len(assemblies)}")
    for assembly in assemblies:
        program, settings = assembly.program, assembly.program.learner.training
        mine, parameters = len(assembly.cells), assembly.parameters
        # One program, and so the same arrays, for them all: a cell leaves alone what its own set has no group for.
        shared = " (for the groups of all feature sets)" if len({cell.features for cell in assembly.cells}) > 1 else ""
        print_line(
            console,
            f"  {assembly.name}: {plural(mine, 'cell')}, {parameters:,} parameters each{shared}"
            f"{_memory_text(parameters)}, {_layout_text(program.layout)}",
        )
        looks, batch = len(dispatch_sizes(settings)), f"{plural(program.batch, 'row')} of {settings.row_length}"
        often = "once" if looks == 1 else f"{looks} times"
        print_line(console, f"    {plural(settings.steps, 'step')} on {batch}, the valid split looked at {often}")


def print_estimate(console: Console, parts: Sequence[Part], data_seconds: float, folds: int, closing: float) -> float:
    """Where the time of a run will go, and the sum, which is returned; `parts` and the data are those of one fold.

    `closing`: seconds of tables, page and W&B.
    """
    for part in parts:
        print_line(console, f"  {part.name}: {part.words}")
    compiling = folds * sum(part.compiling for part in parts)
    seconds = folds * (data_seconds + sum(part.seconds for part in parts)) + compiling + closing
    several = f" in {folds} folds like the first" if folds > 1 else ""
    print_line(
        console,
        f"estimate: about {duration(seconds)}{several} on this machine, as busy as it is now; {duration(compiling)} of "
        f"it to compile, less where that is kept, and {duration(closing)} for tables, page and W&B. An early stop "
        f"shortens it.",
    )
    return seconds


def print_waiting(console: Console, records: Iterable[CellRecord]) -> None:
    """Which share of the time of training the devices had to wait for the host's rows, at most."""
    timed = [record.timing for record in records if "waited" in record.timing]
    if timed:
        waited, trained = (sum(timing[name] for timing in timed) for name in ("waited", "train"))
        share = f"the devices waited for rows {100 * waited / trained:.1f} %"
        print_line(console, f"training: {trained:.3g} s over all cells, of which {share}")


def _memory_text(parameters: int) -> str:
    """What parameters, their gradient and both of its moments take in float32, where that is much."""
    gigabytes = parameters * 4 * 4 / 1e9
    return f" (at least {gigabytes:,.0f} GB)" if gigabytes >= 1 else ""


def _layout_text(layout: Layout) -> str:
    devices = plural(layout.lanes, "device")
    share = "" if layout.mode == "cells" or layout.lanes == 1 else ", each batch shared"
    return f"{layout.cells_at_once} at once on {devices}{share}"
