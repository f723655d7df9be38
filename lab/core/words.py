"""Counts as a person would write them."""


def plural(count: int, noun: str, nouns: str = "") -> str:
    """`1 user`, `2,000 users`."""
    return f"{count:,} {noun if count == 1 else nouns or f'{noun}s'}"
