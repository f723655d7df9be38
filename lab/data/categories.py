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

from lab.data.clusters import cluster_by_company, cluster_by_text
from lab.data.histories import Histories
from lab.data.vocabulary import fit_vocabulary
from lab.errors import InputError

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

    def __post_init__(self) -> None:
        if self.clusters < 2:
            raise InputError(f"target.categories.clusters: {self.clusters} leaves nothing to rank; use 2 or more.")


def assign(settings: Categories, histories: Histories, known: np.ndarray) -> tuple[np.ndarray, np.ndarray, str]:
    """Candidate of every event (int32[N], -1 unknown), the candidates' names and the rule in words.

    `known` is bool[N], the events up to the valid cutoff: the only ones anything is fitted on.
    """
    rule = _rule(settings, histories, known)
    if rule in ("given", "item"):
        codes, names = _column(histories, rule)
        vocabulary = fit_vocabulary(codes[known], names)
        candidate = np.append(vocabulary.of_code, np.int32(-1))[codes]
        return candidate, vocabulary.names, f"{rule}: {len(vocabulary)} known by the valid cutoff"
    cluster, names = _clusters(settings, histories, known, rule)
    return cluster[histories.item], names, f"{rule}: {len(names)} clusters of items"


def _rule(settings: Categories, histories: Histories, known: np.ndarray) -> str:
    if settings.rule == "auto":
        if histories.category is not None:
            return "given"
        if len(np.unique(histories.item[known])) <= settings.few_items:
            return "item"
        return "together" if histories.item_text is None else "text"
    if settings.rule == "given" and histories.category is None:
        raise InputError("target.categories.rule: 'given' needs a category column and the log has none; use 'auto'.")
    if settings.rule == "text" and histories.item_text is None:
        raise InputError("target.categories.rule: 'text' needs a text column and the log has none; use 'together'.")
    return settings.rule


def _column(histories: Histories, rule: str) -> tuple[np.ndarray, np.ndarray]:
    if rule == "given" and histories.category is not None and histories.category_names is not None:
        return np.asarray(histories.category), histories.category_names
    return np.asarray(histories.item), histories.item_names


def _clusters(
    settings: Categories, histories: Histories, known: np.ndarray, rule: str
) -> tuple[np.ndarray, np.ndarray]:
    """int32[I], the cluster of each item (-1 where nothing is known of it), and the clusters' names."""
    # Items in the order of their names, so that codes (which depend on the whole log) cannot matter.
    items = np.unique(histories.item[known])
    items = items[np.argsort(histories.item_names[items], kind="stable")]
    if len(items) < settings.clusters:
        raise InputError(
            f"target.categories.clusters: {settings.clusters} clusters were asked of {len(items)} known items; "
            f"use fewer, or rule='item'."
        )
    if rule == "text":
        return cluster_by_text(settings.clusters, histories, items)
    return cluster_by_company(settings.clusters, histories, items, known)
