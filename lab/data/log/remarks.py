"""What a run says of the rows of a log beside its size: what was no row, and what may have been meant otherwise."""

from collections.abc import Iterator, Mapping
from typing import Any

from lab.core.words import plural
from lab.data.log.duplicates import repeat_remarks
from lab.data.log.missed_keys import missed_remarks
from lab.data.log.odd_ids import id_remarks


def remarks(facts: Mapping[str, Any]) -> Iterator[str]:
    """All of them, a line each."""
    yield from no_rows(facts)
    yield from cut_times(facts)
    yield from id_remarks(facts)
    yield from missed_remarks(facts)
    yield from repeat_remarks(facts)


def cut_times(facts: Mapping[str, Any]) -> Iterator[str]:
    """Of times that a spreadsheet has rounded."""
    if facts.get("cut_times"):
        yield (
            f"times such as {facts['cut_times']}: a spreadsheet has cut their digits, so that many events share one; "
            "write the log anew with that column as text"
        )


def no_rows(facts: Mapping[str, Any]) -> Iterator[str]:
    """What the files hold beside rows: blank lines, and objects whose list of rows is empty."""
    if facts.get("blank_lines"):
        yield f"{plural(facts['blank_lines'], 'blank line')} left out"
    if facts.get("empty_lists"):
        yield f"{plural(facts['empty_lists'], 'object')} with an empty list of rows left out"
