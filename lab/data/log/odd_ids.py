"""Ids that are not what they seem: those that stand for a missing one, are written in two ways, or have lost digits."""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from lab.core.words import plural
from lab.data.log.log import Log
from lab.data.sources.ids import BLANK, DECIMALS, ODDITIES, ROUNDED, SCIENTIFIC
from lab.data.sources.mapping import NAMED

BLANKS = {"", "-", "-inf", "inf", "n/a", "na", "nan", "nil", "none", "null", "undefined", "\\n"}
"""What tools write where there is no id, in lower case."""

REMARKS = {
    BLANK: "{rows} with blanks around the {kind}, which are taken off{both}",
    DECIMALS: "{rows} with {one} such as 12.0, read as 12{both}",
    SCIENTIFIC: (
        "{rows} with {one} such as 1.23457E+11: a spreadsheet has cut its digits, and several {kinds} may have "
        "become one; write the log anew with that column as text"
    ),
    ROUNDED: (
        "{rows} with {one} that is a decimal number of 2^53 or more: such numbers lose their last digits, and "
        "several {kind}s may have become one; read that column as whole numbers or text"
    ),
}
"""What is said of each oddity of ids."""


def count_odd_names(names: np.ndarray, codes: np.ndarray) -> dict[str, int]:
    """How many events each such name has; `codes` are those of all events, -1 for none."""
    found = [code for code, name in enumerate(names) if len(name) <= 9 and str(name).strip().lower() in BLANKS]
    events = np.bincount(codes[codes >= 0], minlength=len(names)) if found else []
    return {str(names[code]): int(events[code]) for code in found}


def odd_ids(log: Log) -> dict[str, dict[str, list[int]]]:
    """Of each column of ids and each oddity (its bit, as text): rows that have it, and ids that also come without."""
    if "odd" not in log:
        return {}
    found: dict[str, dict[str, list[int]]] = {}
    for place, kind in enumerate(NAMED):
        for bit in REMARKS:
            odd = (log["odd"] & (bit << place * ODDITIES)) > 0
            if odd.any():
                both = np.intersect1d(log[kind][odd], log[kind][~odd])
                found.setdefault(kind, {})[str(bit)] = [int(odd.sum()), int((both >= 0).sum())]
    return found


def id_remarks(facts: Mapping[str, Any]) -> Iterator[str]:
    """A remark on each oddity of the users, items and categories of a log."""
    for kind, found in facts["blanks"].items():
        for name, events in found.items():
            yield (
                f"the {kind} {name!r} has {plural(events, 'event')}: if it stands for a missing {_what(kind)}, empty "
                f"it in the log{'' if kind == 'category' else ', and these rows are left out'}"
            )
    for kind, found in (facts.get("odd") or {}).items():
        for bit, (rows, both) in found.items():
            said = f" ({plural(both, kind, _several(kind))} came in both ways)" if both else ""
            yield REMARKS[int(bit)].format(
                rows=plural(rows, "row"), kind=kind, one=_one(kind), kinds=_several(kind), both=said
            )


def _what(kind: str) -> str:
    return "category" if kind == "category" else "id"


def _one(kind: str) -> str:
    return f"an {kind}" if kind == "item" else f"a {kind}"


def _several(kind: str) -> str:
    return "categories" if kind == "category" else f"{kind}s"
