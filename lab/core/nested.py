"""Nested settings as one level of names."""

from collections.abc import Iterator, Mapping
from typing import Any


def leaves_with_path(values: Mapping[str, Any], *above: str) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Each value with the names that lead to it; an empty mapping is a value."""
    for name, value in values.items():
        if isinstance(value, Mapping) and value:
            yield from leaves_with_path(value, *above, name)
        else:
            yield (*above, name), value


def flatten(values: Mapping[str, Any]) -> dict[str, Any]:
    """Nested values as one level, names joined with dots; an empty mapping leaves nothing."""
    return {".".join(names): value for names, value in leaves_with_path(values) if not isinstance(value, Mapping)}
