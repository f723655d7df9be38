"""When cells in the middle of their training are kept."""

import time

CHECKPOINT_SECONDS = 15.0
"""Seconds of training between two checkpoints, by default."""

SHARE = 0.01
"""Share of the time that checkpoints take at most: where writing one takes long, they are fewer."""


class CheckpointSchedule:
    """A checkpoint every so many seconds; with `every` 0, at each look at the valid split, whatever it costs."""

    def __init__(self, every: float) -> None:
        self._every, self._last, self._cost = every, time.monotonic(), 0.0

    def due(self) -> bool:
        passed = time.monotonic() - self._last
        return not self._every or passed >= max(self._every, self._cost / SHARE)

    def record(self, seconds: float) -> None:
        """One has been kept, and it took so long."""
        self._last, self._cost = time.monotonic(), seconds
