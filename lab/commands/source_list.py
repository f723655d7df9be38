"""`python -m lab.data --list`: the logs that are known by name, and how to come by each."""

import inspect
import textwrap
from collections.abc import Iterator

from lab.core.escape import printable
from lab.data.sources.public import OpenLog, PublicLog
from lab.experiment.registry import shipped

WIDTH = 80
LABEL = 16


def source_names() -> dict[str, type]:
    """The sources that ship with the lab, by what a command line calls them: `synthetic-shop`."""
    return {name.replace("_", "-").replace(" ", "-"): source for name, source in sorted(shipped("source").items())}


def source_list() -> Iterator[str]:
    """What each source is, its licence, and whether its files are at its default path; 80 columns wide."""
    for name, source in source_names().items():
        doc = inspect.getdoc(source) or ""
        first = doc.split("\n\n")[0].replace("\n", " ")
        yield from _wrapped(name, first)
        for line in _facts(source):
            yield from _wrapped("", line)


def _facts(source: type) -> Iterator[str]:
    if not issubclass(source, PublicLog):
        return
    log = source()
    yield f"licence: {log.licence}"
    if log.is_complete():
        yield f"there: {log.path}"
    else:
        yield f"not in {log.path}; {'--download fetches it; see' if issubclass(source, OpenLog) else 'get it from'}"
        yield str(log.homepage)


def _wrapped(label: str, text: str) -> Iterator[str]:
    lines = textwrap.wrap(printable(text), WIDTH - LABEL, break_on_hyphens=False, break_long_words=False)
    yield from (f"{label if k == 0 else '':<{LABEL}}{line}" for k, line in enumerate(lines))
