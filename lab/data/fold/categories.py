"""What counts as a category of interest, event by event, fitted on what was known at the valid cutoff.

The rule, in this order unless the target states one of them:

- `given`: the log's own category column;
- `item`: there are few items, so each is its own category;
- `text`: items cluster by what they are called (TF-IDF of words, truncated SVD, k-means);
- `together`: items cluster by who takes them (user-item matrix, truncated SVD, k-means).
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from lab.core.errors import InputError
from lab.core.fingerprint_marks import not_fingerprinted
from lab.core.number_limits import Limits, at_most, whole
from lab.core.setting_types import check_types
from lab.data.fold.clusters import cluster_by_text, cluster_by_users
from lab.data.fold.tally import Tally, count_known_events
from lab.data.fold.vocabulary import vocabulary_from_counts
from lab.data.log.histories import Histories

Rule = Literal["auto", "given", "item", "text", "together"]


@dataclass(frozen=True, kw_only=True)
class Categories:
    """How events are given categories."""

    rule: Rule = "auto"
    """given (the log's column), item, text or together (clusters); auto takes the first that applies."""
    few_items: int = 500
    """auto: with at most this many known items and no category column, the item is the category."""
    clusters: int = 100
    """How many clusters text and together make."""

    @staticmethod
    @not_fingerprinted
    def number_limits() -> Limits:
        """What each number can be."""
        return {"few_items": whole(0), "clusters": at_most(100_000)}

    def __post_init__(self) -> None:
        check_types(self, "target.categories")
        if self.clusters < 2:
            raise InputError(f"target.categories.clusters: {self.clusters} leaves nothing to rank; use 2 or more.")
        if self.clusters != Categories.clusters and self.rule in ("given", "item"):
            raise InputError(
                f"target.categories.clusters: {self.clusters} needs target.categories.rule='text', 'together' or "
                f"'auto'; '{self.rule}' makes no clusters."
            )
        if self.few_items != Categories.few_items and self.rule != "auto":
            raise InputError(
                f"target.categories.few_items: {self.few_items} needs target.categories.rule='auto'; '{self.rule}' "
                f"makes no use of it."
            )


@dataclass(frozen=True)
class Grouping:
    """Which candidate an event touches, by its code in one of the columns."""

    column: Literal["item", "category"]
    of_code: np.ndarray
    """int32[codes + 1]: the candidate of each code, -1 for an unknown one; the last serves the code -1."""
    names: np.ndarray
    """str objects, the candidates' names."""
    rule: str
    """How it came about, in words."""
    items: bool = False
    """Whether each candidate is an item."""

    def of(self, histories: Histories) -> np.ndarray:
        """int32[N]: the candidate of every event."""
        codes = histories.item if self.column == "item" else histories.category
        assert codes is not None
        return self.of_code[codes]


def fit_grouping(settings: Categories, histories: Histories, known: Tally, sample: Histories, moment: int) -> Grouping:
    """Fit candidates on the events up to `moment`, of which `known` is the tally.

    Who takes what is learned from `sample`, the histories of some users, or of all.
    """
    rule = _rule(settings, histories, known)
    if rule in ("given", "item"):
        counts, names = _column(histories, known, rule)
        vocabulary = vocabulary_from_counts(counts, names)
        said = f"{rule}: {len(vocabulary)} known by the valid cutoff"
        column = "category" if rule == "given" else "item"
        of_code = np.append(vocabulary.of_code, np.int32(-1))
        return Grouping(column, of_code, vocabulary.names, said, rule == "item")
    cluster, names = _clusters(settings, histories, known, sample, moment, rule)
    return Grouping("item", np.append(cluster, np.int32(-1)), names, f"{rule}: {len(names)} clusters of items")


def _rule(settings: Categories, histories: Histories, known: Tally) -> str:
    if settings.rule == "auto":
        if histories.category is not None:
            return "given"
        if np.count_nonzero(known.items) <= settings.few_items:
            return "item"
        return "together" if histories.item_text is None else "text"
    if settings.rule == "given" and histories.category is None:
        raise InputError("target.categories.rule: 'given' needs a category column and the log has none; use 'auto'.")
    if settings.rule == "text" and histories.item_text is None:
        raise InputError("target.categories.rule: 'text' needs a text column and the log has none; use 'together'.")
    return settings.rule


def _column(histories: Histories, known: Tally, rule: str) -> tuple[np.ndarray, np.ndarray]:
    if rule == "given" and known.categories is not None and histories.category_names is not None:
        return known.categories, histories.category_names
    return known.items, histories.item_names


def _clusters(
    settings: Categories, histories: Histories, known: Tally, sample: Histories, moment: int, rule: str
) -> tuple[np.ndarray, np.ndarray]:
    """int32[I], the cluster of each item (-1 where nothing is known of it), and the clusters' names."""
    if rule == "together" and sample is not histories:
        known = count_known_events(sample, moment)
    # Items in the order of their names, so that codes (which depend on the whole log) cannot matter.
    items = np.flatnonzero(known.items)
    items = items[np.argsort(histories.item_names[items], kind="stable")]
    if len(items) < settings.clusters:
        raise InputError(
            f"target.categories.clusters: {settings.clusters} clusters were asked of {len(items)} known items; "
            f"use fewer, or rule='item'."
        )
    if rule == "text":
        return cluster_by_text(settings.clusters, histories, items)
    return cluster_by_users(settings.clusters, sample, items, np.asarray(sample.time) <= moment)
