"""What stands between the columns of a text, where nobody says it."""

import re
from pathlib import Path

from lab.data.sources.damage import ReadError

SEPARATORS = ("::", "\t", ",", ";", "|", " ")

_QUOTED = re.compile(r'(?m)(?:(?<=[\t,;| :])|^)"(?:[^"]|"")*"(?=[\t,;| :\r\n]|\Z)')


def sniff_separator(lines: list[str] | tuple[str, ...], file: Path) -> str:
    """The separator that cuts the first lines into the most columns alike."""
    bare = [line for line in _QUOTED.sub('""', "\n".join(lines)).split("\n") if line][:20]

    def columns(sep: str) -> int:
        counts = {line.count(sep) + 1 for line in bare}
        return min(counts) if len(counts) <= 2 else 0

    found = {sep: columns(sep) for sep in SEPARATORS}
    if max(found.values()) < 2:  # rows may have fewer fields than the header, and none has more
        first = {sep: [line.count(sep) + 1 for line in bare] for sep in SEPARATORS}
        found = {sep: counts[0] if counts and max(counts) == counts[0] else 0 for sep, counts in first.items()}
        if max(found[sep] for sep in SEPARATORS[:-1]) > 1:
            del found[" "]  # which may stand between the words of a field as well
    best = max(found, key=lambda sep: found[sep])
    if found[best] < 2:
        raise ReadError(
            f"{file}: no separator cuts its first line into columns ({lines[0][:60]!r})", "state the separator"
        )
    return best
