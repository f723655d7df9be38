"""JSON files that carry a digest of what they hold, so that no bit of them changes unseen.

The digest finds damage. It keeps nobody from writing another file with a digest of its own.
"""

import hashlib
import json
from collections.abc import Mapping
from typing import Any

DIGEST = "digest"
"""The field that holds it, the first of the file."""


def seal(content: Mapping[str, Any]) -> dict[str, Any]:
    """The content with its digest before it."""
    return {DIGEST: _digest(content), **content}


def read_json(raw: bytes) -> Any:
    """What a JSON text says. Raises ValueError for what is no JSON, and for what nests too deep to be read."""
    try:
        return json.loads(raw, parse_constant=_refuse)
    except RecursionError:
        raise ValueError("it nests too deep") from None


def is_intact(content: Mapping[str, Any]) -> bool:
    """Whether a sealed file holds what was put into it."""
    try:
        return content.get(DIGEST) == _digest({name: one for name, one in content.items() if name != DIGEST})
    except (RecursionError, UnicodeError):
        return False


def _digest(content: Mapping[str, Any]) -> str:
    """sha256 over one text of the content: order counts, layout does not."""
    text = json.dumps(content, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def _refuse(word: str) -> Any:
    raise ValueError(f"{word} is no JSON")
