"""What a page says of the log, the cutoffs, the machine and the settings: the pin, as a person would write it."""

from collections.abc import Iterator, Mapping
from typing import Any

from lab.core.progress import duration
from lab.core.words import plural
from lab.data.fold.leave_one_out import leave_one_out
from lab.data.log.removals import removals
from lab.data.timeline import LAST_EVENT, date_text, span_text
from lab.report.contents import Contents
from lab.results.conclusions import span
from lab.results.query_notes import counts

Fact = tuple[str, str]
"""What is told, and what is told of it."""


def log_facts(contents: Contents) -> Iterator[Fact]:
    """Where the log is from, how large it is and what was left out of it."""
    log = contents.facts.get("data")
    if not log:
        return
    yield from ((name, str(log[name])) for name in ("source", "licence", "citation") if log.get(name))
    for file in log.get("files", ()):
        yield "file", f"{file['name']}, {plural(file['bytes'], 'byte')}, sha256 {file['sha256']}"
    sizes = (plural(log[f"{noun}s"], noun) for noun in ("event", "user", "item") if log.get(f"{noun}s") is not None)
    yield "size", ", ".join(sizes)
    yield from _times(contents, log)
    yield from (("cleaning", str(rule)) for rule in removals(log))
    yield "quarantined", plural(log.get("quarantined", 0), "row")
    yield from (("left out", one) for one in log.get("left_out", ()))
    yield "fingerprint of the log", str(log.get("fingerprint"))


def _times(contents: Contents, log: Mapping[str, Any]) -> Iterator[Fact]:
    calendar = log.get("calendar")
    # Without a calendar of their own, cutoffs that count events were kept as the log's own times.
    if log.get("timed", True) and (calendar or not contents.leaves_one_out):
        yield from ((f"{name} event", date_text(log[name])) for name in ("first", "last") if log.get(name) is not None)
    if calendar:
        yield "cut by", "; ".join(leave_one_out(calendar))


def fold_facts(contents: Contents) -> Iterator[Fact]:
    """Where the cutoffs stand, what is ranked, and what was asked for in vain."""
    split = contents.facts.get("split")
    if not split:
        return
    if not contents.leaves_one_out:
        every = split.get("query_every")
        yield "asked", f"every {span_text(every)}" if every else "after each event"
    for fold in split["folds"]:
        start = f"fold {fold['fold']}, " if len(split["folds"]) > 1 else ""
        if not contents.leaves_one_out:
            yield from ((f"{start}{name} cutoff", date_text(fold[f"{name}_cutoff"])) for name in ("valid", "test"))
        yield f"{start}known", f"{fold['candidates']:,} {contents.measures.things}"
        yield from ((f"{start}{name}", value) for name, value in _remarked(contents, fold["fold"]))
    yield "fingerprint of the cutoffs", str(split.get("fingerprint"))


def _remarked(contents: Contents, fold: int) -> Iterator[Fact]:
    for remark in contents.measures.remarks:
        metric = remark.metric
        found = {line.horizon: own[fold] for line in contents.lines if fold in (own := counts(line, metric))}
        for horizon, (none, every) in found.items():
            yield f"{metric}, next {span(horizon)}", f"{none:,} of {plural(every, 'event')} asked for"


def run_facts(contents: Contents) -> Iterator[Fact]:
    """Which code made the results, how long it took and what memory it held."""
    code, run = contents.facts.get("code") or {}, contents.facts.get("run") or {}
    yield from ((name, str(code[name])) for name in ("version", "commit") if code.get(name))
    if code.get("dirty"):
        yield "changed since that commit", "yes"
    if run.get("seconds") is not None:
        yield "the last run took", duration(run["seconds"])
    if run.get("peak_memory_bytes"):
        yield "memory held at most", f"{run['peak_memory_bytes'] / 2**30:.1f} GiB"


def machine_facts(contents: Contents) -> Iterator[Fact]:
    """Versions and hardware."""
    for name, value in _flat(contents.facts.get("machine")):
        yield ("memory", f"{int(value) / 2**30:.1f} GiB") if name == "memory_bytes" else (name, value)


def setting_facts(contents: Contents) -> Iterator[Fact]:
    """Every setting by its name."""
    for name, value in _flat(contents.facts.get("experiment")):
        yield name, "each user's last event" if (name, value) == ("horizons", f"{LAST_EVENT:g}") else value


def _flat(value: object, name: str = "") -> Iterator[Fact]:
    """Nested settings as lines: `training.steps`, `200`; nothing of what is empty."""
    if isinstance(value, Mapping):
        for key, one in value.items():
            yield from _flat(one, f"{name}.{key}" if name else str(key))
    elif isinstance(value, list) and any(isinstance(one, Mapping) for one in value):
        for index, one in enumerate(value):
            yield from _flat(one, f"{name}.{index}")
    elif value not in (None, "", []):
        yield name, ", ".join(map(str, value)) if isinstance(value, list) else str(value)
