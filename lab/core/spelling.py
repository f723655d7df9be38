"""The name that a mistaken one was most likely meant to be."""

from collections.abc import Iterable
from difflib import SequenceMatcher, get_close_matches


def nearest(wanted: str, names: Iterable[str]) -> str | None:
    """The name most like the wanted one, whatever its case; None where none is close.

    Of names alike in that, the one that begins as it does: the first letter of a word is seldom mistaken.
    """
    folded, word = {name.lower(): name for name in names}, wanted.lower()

    def likeness(name: str) -> tuple[float, bool]:
        return SequenceMatcher(None, name, word).ratio(), name[:1] == word[:1]

    close = get_close_matches(word, folded, n=len(folded) or 1)
    return folded[max(close, key=likeness)] if close else None


def did_you_mean(wanted: str, names: Iterable[str]) -> str:
    """`; did you mean 'x'?` where some name is close, the end of a sentence; else nothing."""
    close = nearest(wanted, names)
    return f"; did you mean {close!r}?" if close else ""
