"""The together group: what is touched by those who touch the same, as scores for the candidates.

The matrix of who touched what in the known log, log(1 + events) with users' rows and candidates' columns
brought to like lengths, is cut down to its R leading singular vectors (as in Halko et al. 2011): a linear
auto-encoder of rank R (Baldi and Hornik 1989), the simplest collaborative filter that also has something to
say of what a user has never touched. A user's profile at a query is made of the user's own counts decayed to it.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import jax
import jax.numpy as jnp
import numpy as np
from flax import linen as nn
from jaxtyping import Array, Float

from lab.core.errors import InputError
from lab.core.fingerprint_marks import not_fingerprinted
from lab.core.number_limits import MOST_DAYS, Limits, at_most
from lab.core.setting_types import check_types
from lab.data.fold.queries import FoldView
from lab.data.rows.steps import Steps
from lab.features.base import FeatureGroup, Shape, State
from lab.features.counts import counts_at_queries, decayed_counts
from lab.features.weights import weights

if TYPE_CHECKING:
    from lab.models.network import QueryContext

_SCALES = (0.125, 1.0, 4.0, 16.0, 64.0)
"""Time constants, in shortest horizons."""

_STRENGTH = 0.3
"""What the scores count for to begin with."""

_GENTLE = 0.25
"""Share of the usual pace: the factors know the training labels, so what they say is to be believed slowly."""


class TogetherScore(nn.Module):
    """score(c) = (strength + steer(h_q) + back * touched(c)) * profile_q . factor[c].

    profile = sum over seen c' of v[c'] * strength * factor[c'], v = mix . log(1 + n[c']) brought to length 1.
    """

    days: tuple[float, ...]
    shape: Shape

    @nn.compact
    def __call__(self, context: "QueryContext") -> Float[Array, "B Q C"]:
        factor, strength = context.tables["factor"], context.tables["strength"]
        source = (factor * strength)[context.entry.candidate]
        profile = jnp.einsum("bqe,ber->bqr", self._amounts(context), source)
        score = profile @ factor.T
        steer = nn.Dense(1, kernel_init=nn.initializers.zeros, dtype=self.shape.dtype, name="steer")(context.hidden)
        overall = weights(self, "strength", np.full(1, _STRENGTH), _GENTLE) + steer.astype(jnp.float32)
        back = weights(self, "back", np.zeros(1), _GENTLE)
        touched = jax.vmap(lambda of_row, candidate: of_row[:, candidate])(score, context.entry.candidate)
        return overall * score + context.spread(back * touched)

    def _amounts(self, context: "QueryContext") -> Float[Array, "B Q E"]:
        counts = counts_at_queries(context, context.columns["count"], self.days)[..., 0, :]
        counts = jnp.where(context.alive[..., None], jnp.log1p(counts), 0.0)
        amounts = counts @ weights(self, "mix", np.full(len(self.days), 1.0 / len(self.days)), _GENTLE)
        return amounts / jnp.sqrt(1e-6 + jnp.square(amounts).sum(-1, keepdims=True))


@dataclass(frozen=True, kw_only=True)
class Together(FeatureGroup):
    """What users who touched the same categories touched besides: a collaborative filter of low rank."""

    name: ClassVar[str] = "together"
    side: ClassVar = "candidate"

    rank: int = 32
    """Singular vectors that are kept, R; fewer where the log has fewer categories or users."""
    days: tuple[float, ...] = ()
    """Time constants of the user's counts, in days. Default: 1/8, 1, 4, 16 and 64 times the shortest horizon."""

    @staticmethod
    @not_fingerprinted
    def number_limits() -> Limits:
        """What each number can be."""
        return {"rank": at_most(10_000), "days": at_most(MOST_DAYS)}

    def __post_init__(self) -> None:
        check_types(self, "groups.together")
        if self.rank < 1:
            raise InputError(f"groups.together.rank: {self.rank} keeps nothing; use 1 or more.")
        if self.days and not min(self.days) > 0:
            raise InputError(f"groups.together.days: {self.days} must be positive numbers of days.")

    def fit(self, known: FoldView) -> State:
        factor, strength = factors(known, self.rank)
        return {"factor": factor, "strength": strength, "days": self.days or known.fold.spans(_SCALES)}

    def transform_events(self, view: FoldView, state: State) -> dict[str, np.ndarray]:
        return {"count": decayed_counts(view, state["days"]).sum(1)}

    def tables(self, view: FoldView, steps: Steps, state: State) -> dict[str, np.ndarray]:
        return {"factor": state["factor"], "strength": state["strength"]}

    def module(self, state: State, shape: Shape) -> nn.Module:
        return TogetherScore(state["days"], shape)


def factors(known: FoldView, rank: int) -> tuple[np.ndarray, np.ndarray]:
    """float32[C, R], the right singular vectors scaled by sqrt(C / R), and float32[R], the values over the largest."""
    from scipy.sparse import csr_array, diags_array
    from sklearn.utils.extmath import randomized_svd
    from threadpoolctl import threadpool_limits

    seen = known.candidate >= 0
    # Users with something to tell alone: how many others there are, or will be, must not move a bit.
    users, row = np.unique(known.histories.user_of_event[seen], return_inverse=True)
    places = row, known.candidate[seen]
    touches = csr_array((np.ones(len(row)), places), (len(users), known.candidates))
    touches.sum_duplicates()
    by_candidate = np.bincount(touches.indices, minlength=known.candidates)
    touches.data = np.log1p(touches.data)
    rows = diags_array(1 / np.sqrt(np.maximum(touches.sum(axis=1), 1.0)))
    columns = diags_array(1 / np.sqrt(np.maximum(by_candidate, 1)))
    matrix = rows @ touches @ columns
    # One thread: the order of partial sums, and with it the last bits, depends on how many run.
    with threadpool_limits(1):
        _, values, vectors = randomized_svd(matrix, min(rank, *matrix.shape), random_state=0)
    scale = np.sqrt(known.candidates / len(values))
    return _canonical(vectors.T * scale), (values / values.max()).astype(np.float32)


def _canonical(vectors: np.ndarray) -> np.ndarray:
    """float32: singular vectors with the sign that makes each one's largest entry positive."""
    largest = vectors[np.argmax(np.abs(vectors), axis=0), np.arange(vectors.shape[1])]
    return (vectors * np.where(largest < 0, -1, 1)).astype(np.float32)
