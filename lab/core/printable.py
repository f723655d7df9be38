"""Text out of files and names as a terminal may show it."""

import re

_UNSHOWN = re.compile(
    r"[\x00-\x1f\x7f-\x9f"  # what moves the cursor, rings, changes colours, or clears the screen
    r"\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff"  # what is not seen, or turns the direction of what is
    r"\ud800-\udfff]"  # halves of characters, as bytes of a file's name that are no text become
)


def printable(text: str) -> str:
    """The text on one line, with an escape such as \\x1b for each character that would do something or be unseen."""
    return _UNSHOWN.sub(lambda found: found[0].encode("unicode_escape").decode(), text)
