"""How histories are cut where each user's last event is asked, in words: for the run and for the page of a report."""

from collections.abc import Iterator, Mapping
from typing import Any


def leave_one_out(calendar: Mapping[str, Any]) -> Iterator[str]:
    """How histories are cut that way, and what it leaks; `calendar` of the histories' facts, or as the pin has it."""
    what = " or ".join(calendar["behaviours"]) or "event"
    yield f"leave-one-out: each user's last {what} is the test, the one before it the valid split"
    leaked = calendar["leaked"]
    if leaked is None:
        yield "what that leaks cannot be told of a log without times: models may learn from events after their tests"
    else:
        yield (
            f"what that leaks: {leaked['tests']:.1%} of the test events are older than some event that models learn "
            f"from, and {leaked['events']:.1%} of the events that models learn from lie after the median test event; "
            f"cleaning's statistics are of all events"
        )
