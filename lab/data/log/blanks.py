"""Ids that read as if they stood for a missing one."""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from lab.core.words import counted

BLANKS = {"", "-", "-inf", "inf", "n/a", "na", "nan", "nil", "none", "null", "undefined"}
"""What tools write where there is no id, in lower case."""


def blanks(names: np.ndarray, codes: np.ndarray) -> dict[str, int]:
    """How many events each such name has; `codes` are those of all events, -1 for none."""
    found = [code for code, name in enumerate(names) if len(name) <= 9 and str(name).strip().lower() in BLANKS]
    events = np.bincount(codes[codes >= 0], minlength=len(names)) if found else []
    return {str(names[code]): int(events[code]) for code in found}


def blank_ids(facts: Mapping[str, Any]) -> Iterator[str]:
    """A remark on each such user and item of a log."""
    for kind, found in facts["blanks"].items():
        for name, events in found.items():
            yield (
                f"the {kind} {name!r} has {counted(events, 'event')}: if it stands for a missing id, empty it in the "
                f"log, and these rows are left out"
            )
