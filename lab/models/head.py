"""What a network gives at each query, which its target asks for: scores of all candidates, numbers, or both."""

from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

from jaxtyping import Array, Float


@dataclass(frozen=True)
class Head:
    """What a target asks of the network."""

    scores: Literal["logits", "factors"] | None = "logits"
    """Logits of all candidates, [B, Q, C]; their factors (`Factors`), where there are too many to be held at once, and
    then no feature group may score candidates; None: no scores."""
    numbers: int = 0
    """K: how many numbers of each query, [B, Q, K]; with scores as well the network gives `ScoresAndNumbers`."""

    def __post_init__(self) -> None:
        if self.scores is None and self.numbers < 1:
            raise ValueError("head: asks for neither scores nor numbers")


class Factors(NamedTuple):
    """Logits as the products that give them: hidden @ kernel.T + bias."""

    hidden: Float[Array, "B Q D"]
    """The encoder's output at each query, normalised."""
    kernel: Float[Array, "C D"]
    bias: Float[Array, " C"]
    prior: Float[Array, " C"]
    """Log share of each candidate in the known log."""


class ScoresAndNumbers(NamedTuple):
    """Scores of candidates and numbers, from one encoder."""

    scores: Any
    """Float[B, Q, C], or Factors."""
    numbers: Float[Array, "B Q K"]
