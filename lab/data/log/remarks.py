"""What a run says of the rows of a log beside its size: what was no row, and what may have been meant otherwise."""

from collections.abc import Iterator, Mapping
from typing import Any

from lab.core.words import counted
from lab.data.log.blanks import blank_ids
from lab.data.log.duplicates import repeated_rows
from lab.data.log.missed_keys import missed_remarks


def remarks(facts: Mapping[str, Any]) -> Iterator[str]:
    """All of them, a line each."""
    yield from no_rows(facts)
    yield from blank_ids(facts)
    yield from missed_remarks(facts)
    yield from repeated_rows(facts)


def no_rows(facts: Mapping[str, Any]) -> Iterator[str]:
    """What the files hold beside rows: blank lines, and objects whose list of rows is empty."""
    if facts.get("blank_lines"):
        yield f"{counted(facts['blank_lines'], 'blank line')} left out"
    if facts.get("empty_lists"):
        yield f"{counted(facts['empty_lists'], 'object')} with an empty list of rows left out"
