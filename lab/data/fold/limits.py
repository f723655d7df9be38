"""How much of the log may be leaned on: the days of a user's own past, and the users that are learned from."""

from dataclasses import dataclass

import numpy as np

from lab.data.fold.shards import known_users
from lab.data.log.histories import Histories
from lab.data.timeline import microseconds


@dataclass(frozen=True)
class Limits:
    """What is left out of a log on purpose; the default leaves nothing out."""

    history_days: float | None = None
    """Days of a user's past that a query sees; None: all of it."""
    share: float = 1.0
    """Share of the users from whom everything is learned."""
    seed: int = 0
    """Which ones these are."""

    @property
    def history(self) -> int | None:
        """Microseconds."""
        return None if self.history_days is None else microseconds(self.history_days)

    def sample_users(self, histories: Histories, moment: int) -> np.ndarray | None:
        """bool[U]: the users to learn from; None for all.

        A share of those known at `moment`, so that nobody who comes later moves them. Of one seed a smaller
        share is part of every larger one.
        """
        if self.share == 1:
            return None
        known = np.flatnonzero(known_users(histories, moment))
        words = np.random.SeedSequence([self.seed, *b"share"])
        order = np.random.Generator(np.random.PCG64(words)).permutation(len(known))
        drawn = np.zeros(histories.users, bool)
        drawn[known[order[: max(round(self.share * len(known)), 1)]]] = True
        return drawn
