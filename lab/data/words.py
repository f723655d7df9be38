"""Counts and spans as a person would write them."""

from lab.data.timeline import days_text


def counted(count: int, noun: str, nouns: str = "") -> str:
    """`1 user`, `2,000 users`."""
    return f"{count:,} {noun if count == 1 else nouns or f'{noun}s'}"


def span_text(span: int) -> str:
    """A span in microseconds: `1 day`, `0.5 days`."""
    days = days_text(span)
    return f"{days} day{'' if days == '1' else 's'}"
