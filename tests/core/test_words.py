"""Counts and spans as a person would write them."""

import pytest

from lab.core.words import plural
from lab.data.timeline import DAY, span_text


@pytest.mark.parametrize(
    ("count", "said"), [(0, "0 entries"), (1, "1 entry"), (2, "2 entries"), (2_000, "2,000 entries")]
)
def test_one_is_one_of_a_thing(count: int, said: str) -> None:
    assert plural(count, "entry", "entries") == said


def test_spans_are_days() -> None:
    assert [span_text(round(days * DAY)) for days in (1, 0.5, 30)] == ["1 day", "0.5 days", "30 days"]
