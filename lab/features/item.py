"""The item group: which item a step touched, hashed where there are too many for a table."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import xxhash
from flax import linen as nn
from jaxtyping import Array, Float, Int

from lab.core.errors import InputError
from lab.core.fingerprint_marks import not_fingerprinted
from lab.core.number_limits import Limits, at_most
from lab.core.setting_types import check_types
from lab.data.fold.queries import FoldView
from lab.data.fold.vocabulary import fit_vocabulary
from lab.data.rows.steps import Steps
from lab.features.base import FeatureGroup, Shape, State
from lab.features.category import Lookup, at_steps, candidate_ids

_HASHES = 2


class HashedLookup(nn.Module):
    """The sum of two rows of one table, chosen by two hashes of the name (hash embeddings, arXiv:1709.03933)."""

    size: int
    shape: Shape

    @nn.compact
    def __call__(self, columns: dict[str, Int[Array, "B T 2"]]) -> Float[Array, "B T D"]:
        ids = columns["id"]
        table = self.param("table", nn.initializers.normal(0.1), (self.size + 1, self.shape.width))
        vectors = table.astype(self.shape.dtype)[ids].sum(-2)
        return vectors * (ids[..., :1] > 0).astype(self.shape.dtype)


@dataclass(frozen=True, kw_only=True)
class Item(FeatureGroup):
    """Which item the step touched."""

    name: ClassVar[str] = "item"
    side: ClassVar = "step"

    table: int = 8192
    """Largest number of known items that get a vector each; beyond it, names are hashed to this many rows. Where items
    are the candidates, each known one has its own in any case."""

    @staticmethod
    @not_fingerprinted
    def number_limits() -> Limits:
        """What each number can be."""
        return {"table": at_most(10_000_000)}

    def __post_init__(self) -> None:
        check_types(self, "groups.item")
        if self.table < 2:
            raise InputError(f"groups.item.table: {self.table} of them tell no items apart; use 2 or more.")

    def fit(self, known: FoldView) -> State:
        if known.items:
            return {"hashed": False, "candidates": known.candidates}
        vocabulary = fit_vocabulary(np.asarray(known.histories.item), known.histories.item_names)
        return {"hashed": len(vocabulary) > self.table, "vocabulary": vocabulary}

    def transform(self, view: FoldView, steps: Steps, state: State) -> dict[str, np.ndarray]:
        if "candidates" in state:
            return {"id": at_steps(candidate_ids(view), steps)}
        items = np.asarray(view.histories.item)
        if not state["hashed"]:
            return {"id": at_steps(state["vocabulary"].encode(items), steps)}
        codes = np.unique(items[steps.event[steps.is_event]])
        rows = np.zeros((len(view.histories.item_names), _HASHES), np.int32)
        rows[codes] = [self._hash(str(view.histories.item_names[code])) for code in codes]
        column = np.zeros((len(steps), _HASHES), np.int32)
        column[steps.is_event] = rows[items[steps.event[steps.is_event]]]
        return {"id": column}

    def _hash(self, name: str) -> list[int]:
        """Rows 1..table; a hash of the name alone, so that an item met later needs no new row."""
        return [1 + xxhash.xxh3_64_intdigest(name.encode(), seed) % self.table for seed in range(_HASHES)]

    def module(self, state: State, shape: Shape) -> nn.Module:
        if state["hashed"]:
            return HashedLookup(self.table, shape)
        return Lookup(state.get("candidates", len(state.get("vocabulary", ()))) + 1, shape)
