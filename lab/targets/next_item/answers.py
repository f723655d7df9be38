"""What is kept of the scores of all candidates at each query: there are too many to keep them all."""

from typing import Any, NamedTuple

DEPTH = 20
"""How many of the first candidates are kept of each query."""


class NextAnswers(NamedTuple):
    """What is kept of the scores of all candidates at each query."""

    rank: Any
    """int32[B, Q], candidates ahead of the label or level with it; 0 is best; -1 where there is no label."""
    first: Any
    """int32[B, Q, DEPTH], the best candidates, best first; -1 where no more are left."""
    log_probability: Any
    """float32[B, Q], of the label among all candidates."""
