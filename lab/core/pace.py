"""How fast work of several kinds goes here, from guesses of its time and from what was timed."""

from collections.abc import Mapping


class Pace:
    """Guesses, corrected by what was timed: a family of work by its own, another one by all that was."""

    def __init__(self, guesses: Mapping[str, float]) -> None:
        """`guesses`: seconds of one unit of each kind of work, the first word of which is its family."""
        self._guesses = dict(guesses)
        self._timed: dict[str, list[float]] = {}

    def time(self, kind: str, units: float, seconds: float) -> None:
        """Count units of a kind as timed."""
        if (guess := self._guesses.get(kind)) and units:
            for name in (_family(kind), ""):
                sums = self._timed.setdefault(name, [0.0, 0.0])
                sums[0] += seconds
                sums[1] += units * guess

    def guess(self, kind: str) -> float | None:
        """Seconds of one unit; None of a kind of which nothing is known."""
        found = self._guesses.get(kind)
        return None if found is None else found * self.factor(kind)

    def factor(self, kind: str) -> float:
        """How much longer work of the kind takes here than was guessed."""
        measured, guessed = self._timed.get(_family(kind)) or self._timed.get("") or (1.0, 1.0)
        return measured / guessed if guessed > 0 and measured > 0 else 1.0


def _family(kind: str) -> str:
    return kind.split()[0] if kind else kind
