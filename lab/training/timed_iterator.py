"""How long the devices have nothing to do because the host has nothing for them."""

import time
from collections.abc import Callable, Iterator
from typing import Any


class TimedIterator:
    """Passes on what an iterator gives, and counts the seconds in which nothing else was to do meanwhile."""

    def __init__(self, source: Iterator[Any], idle: Callable[[], bool]) -> None:
        self._source, self._idle = source, idle
        self.seconds = 0.0

    def __iter__(self) -> Iterator[Any]:
        while True:
            begun = time.monotonic()
            one = next(self._source, None)
            # Work that was given before and is not yet done kept the devices busy all the while.
            if self._idle():
                self.seconds += time.monotonic() - begun
            if one is None:
                return
            yield one
