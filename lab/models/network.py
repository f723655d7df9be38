"""The network every model is part of: embedding -> encoder -> head, for queries read off packed rows."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from flax import linen as nn
from jaxtyping import Array, Bool, Float, Int

from lab.core.errors import InputError
from lab.data.rows.batch import Columns, EntryArrays, Rows
from lab.models.head import Factors, Head, ScoresAndNumbers


class QueryContext(NamedTuple):
    """What a candidate-side group may look at."""

    hidden: Float[Array, "B Q D"]
    """The encoder's output at each query."""
    time: Float[Array, "B Q"]
    """Days from the history's first step to the query."""
    calendar: Int[Array, "B Q"]
    """The query's place in the split's calendar."""
    entry: EntryArrays
    alive: Bool[Array, "B Q E"]
    """Which entries each query sees (`Rows.alive`)."""
    columns: dict[str, Any]
    """The group's own columns, aligned with the entries."""
    tables: dict[str, Any]
    """The group's own tables."""
    candidates: int
    prior: Float[Array, " C"]
    """Log share of each candidate in the known log."""
    dropout: Float[Array, ""] | None

    def spread(self, score: Float[Array, "B Q E"]) -> Float[Array, "B Q C"]:
        """Scores of entries as scores of candidates, 0 for those not seen.

        At most one living entry of a query has a given candidate, so nothing is summed but zeros.
        """
        score = jnp.where(self.alive, score, 0.0)

        def one_row(values: Array, candidate: Array) -> Array:
            return jnp.zeros((values.shape[0], self.candidates), values.dtype).at[:, candidate].add(values)

        return jax.vmap(one_row)(score, self.entry.candidate)


class Network(nn.Module):
    """What a target's head asks for at every query of a batch of rows: scores of all C candidates, numbers, or both.

    embedding = sum over step-side groups of on[g] * embed_g(x_g)  (+ one learned vector at ticks)
    logits    = head(encoder(embedding) at the queries) + sum over candidate-side groups of on[g] * score_g
    numbers   = Dense(encoder(embedding) at the queries), begun at what the target says is a first guess
    """

    encoder: nn.Module
    step_groups: dict[str, nn.Module]
    candidate_groups: dict[str, nn.Module]
    order: tuple[str, ...]
    """Which place of `on` belongs to which group."""
    candidates: int
    width: int
    dtype: Any
    head: Head = Head()
    """With factors, and without scores, there are no candidate-side groups."""
    tied: str = ""
    """The step-side group whose vectors of the candidates score them too; empty for vectors of their own."""

    @nn.compact
    def __call__(
        self,
        rows: Rows,
        tables: Columns,
        on: Float[Array, " G"],
        dropout: Float[Array, ""] | None,
    ) -> Float[Array, "B Q C"] | Factors | Float[Array, "B Q K"] | ScoresAndNumbers:
        switch = {name: on[place] for place, name in enumerate(self.order)}
        steps = self._embed(rows, switch)
        hidden = self.encoder(steps, rows.start, rows.time, dropout)
        asked = jnp.take_along_axis(hidden, rows.query.position[..., None], axis=1)
        asked = nn.LayerNorm(dtype=jnp.float32, name="norm")(asked.astype(jnp.float32)).astype(self.dtype)
        if self.head.scores is None:
            return self._numbers(asked, tables["head"]["numbers"])
        scores = self._scores(rows, asked, tables, switch, dropout)
        return (
            ScoresAndNumbers(scores, self._numbers(asked, tables["head"]["numbers"])) if self.head.numbers else scores
        )

    def _scores(
        self,
        rows: Rows,
        asked: Float[Array, "B Q D"],
        tables: Columns,
        switch: dict[str, Array],
        dropout: Float[Array, ""] | None,
    ) -> Float[Array, "B Q C"] | Factors:
        if self.head.scores == "factors":
            return self._factors(asked, tables["head"]["prior"])
        logits = self._logits(asked, tables["head"]["prior"])
        context = self._asking(rows, asked, tables["head"]["prior"], dropout)
        for name in sorted(self.candidate_groups):
            columns = rows.entry_columns.get(name, {})
            view = context._replace(columns=columns, tables=tables.get(name, {}))
            score = _of_shape(self.candidate_groups[name](view), logits.shape, name, "[B, Q, C]")
            logits = logits + switch[name] * score.astype(jnp.float32)
        return logits

    def _embed(self, rows: Rows, switch: dict[str, Array]) -> Float[Array, "B T D"]:
        vector = self.param("tick", nn.initializers.normal(0.1), (self.width,))
        steps = rows.tick[..., None].astype(self.dtype) * vector.astype(self.dtype)
        for name in sorted(self.step_groups):
            embedded = _of_shape(self.step_groups[name](rows.columns[name]), steps.shape, name, "[B, T, D]")
            steps = steps + switch[name].astype(self.dtype) * embedded
        return steps

    def _numbers(self, asked: Float[Array, "B Q D"], first_guess: Float[Array, " K"]) -> Float[Array, "B Q K"]:
        """K numbers a query; without what the network learns they are the first guess."""
        kernel = self.param("numbers_kernel", nn.initializers.normal(0.02), (self.width, self.head.numbers))
        bias = self.param("numbers_bias", lambda _: jnp.asarray(first_guess, jnp.float32))
        return (asked @ kernel.astype(self.dtype)).astype(jnp.float32) + bias

    def _logits(self, asked: Float[Array, "B Q D"], prior: Float[Array, " C"]) -> Float[Array, "B Q C"]:
        """One score for each candidate; the bias starts at the log shares of the known log."""
        kernel = self.param("kernel", nn.initializers.normal(0.02), (self.width, self.candidates))
        bias = self.param("bias", lambda _: jnp.asarray(prior, jnp.float32))
        return (asked @ kernel.astype(self.dtype)).astype(jnp.float32) + bias

    def _factors(self, asked: Float[Array, "B Q D"], prior: Float[Array, " C"]) -> Factors:
        """The head unmultiplied, its bias as above."""
        bias = self.param("bias", lambda _: jnp.asarray(prior, jnp.float32))
        if self.tied:
            kernel = self.step_groups[self.tied].candidates()
        else:
            kernel = self.param("kernel", nn.initializers.normal(0.02), (self.candidates, self.width))
        return Factors(asked, kernel, bias, prior)

    def _asking(
        self, rows: Rows, asked: Float[Array, "B Q D"], prior: Float[Array, " C"], dropout: Float[Array, ""] | None
    ) -> QueryContext:
        time = jnp.take_along_axis(rows.time, rows.query.position, axis=1)
        return QueryContext(
            asked, time, rows.query.calendar, rows.entry, rows.alive, {}, {}, self.candidates, prior, dropout
        )


def _of_shape(given: Any, shape: tuple[int, ...], group: str, letters: str) -> Array:
    """What a group's module gave. Raises InputError, while it is traced, where the shape is another."""
    if getattr(given, "shape", None) != shape:
        said = list(given.shape) if hasattr(given, "shape") else f"a {type(given).__name__}"
        raise InputError(f"feature group {group}: its module gives {said}; {letters} is wanted, here {list(shape)}.")
    return given
