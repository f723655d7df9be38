"""Keys of a log that the second tables do not have, so that their columns are missing there."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from lab.core.words import plural
from lab.data.log.log import Log


def missed_keys(log: Log, lookups: Sequence[Mapping[str, str]]) -> list[dict[str, Any]]:
    """What each lookup is (file, on, key), with the rows whose key its table does not have, and how many such keys.

    The keys themselves are not kept: they may be users.
    """
    found = []
    for k, lookup in enumerate(lookups):
        codes = log[f"missed{k}"]
        missed = codes[codes >= 0]
        found.append({**lookup, "rows": len(missed), "keys": len(np.unique(missed)), "of": len(log)})
    return found


def missed_remarks(facts: Mapping[str, Any]) -> Iterator[str]:
    """A remark on each second table that lacks keys of the log."""
    for one in facts.get("lookups") or ():
        if one["rows"]:
            all_rows = "all" if one["rows"] == one["of"] else f"{one['rows']:,}"
            yield (
                f"{one['file']} has no {one['key']!r} for {all_rows} of {plural(one['of'], 'row')} "
                f"({plural(one['keys'], 'value')} of {one['on']!r}): what it would add is missing there"
            )
    users = facts.get("attributes") or {}
    if users.get("missed"):
        yield (
            f"{users['file']} has no row for {users['missed']:,} of {plural(facts['users'], 'user')}: their "
            "attributes are missing"
        )
