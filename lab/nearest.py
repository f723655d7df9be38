"""The name that a mistaken one was most likely meant to be."""

from collections.abc import Iterable
from difflib import get_close_matches


def nearest(wanted: str, names: Iterable[str]) -> str | None:
    """The name most like the wanted one, whatever its case; None where none is close."""
    folded = {name.lower(): name for name in names}
    close = get_close_matches(wanted.lower(), folded, n=1)
    return folded[close[0]] if close else None


def did_you_mean(wanted: str, names: Iterable[str]) -> str:
    """`; did you mean 'x'?` where some name is close, the end of a sentence; else nothing."""
    close = nearest(wanted, names)
    return f"; did you mean {close!r}?" if close else ""
