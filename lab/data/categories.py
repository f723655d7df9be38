"""What counts as a category of interest, event by event, fitted on what was known at the valid cutoff.

The rule, in this order unless the target states one of them:

- `given`: the log's own category column;
- `item`: there are few items, so each is its own category;
- `text`: items cluster by what they are called (TF-IDF of words, truncated SVD, k-means);
- `together`: items cluster by who takes them (user-item matrix, truncated SVD, k-means).
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from lab.data.histories import Histories
from lab.data.vocabulary import fit_vocabulary
from lab.errors import InputError

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix

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
        return _by_text(settings.clusters, histories, items)
    return _by_company(settings.clusters, histories, items, known)


def _by_text(clusters: int, histories: Histories, items: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    from sklearn.feature_extraction.text import TfidfVectorizer

    assert histories.item_text is not None
    words = TfidfVectorizer(token_pattern=r"(?u)\b[^\W\d_]{2,}\b", sublinear_tf=True, min_df=2)
    text = [str(t or "") for t in histories.item_text]
    try:
        matrix = words.fit_transform([text[i] for i in items])
    except ValueError:
        raise InputError("target.categories.rule: the items' texts share no words; use rule='together'.") from None
    space, centres, label = _reduce_and_cluster(matrix, clusters)
    cluster = np.full(len(text), -1, np.int32)
    cluster[items] = label
    # An item that appears after the cutoff brings its name along: its words place it.
    rest = np.setdiff1d(np.arange(len(text)), items)
    if len(rest):
        later = words.transform([text[i] for i in rest])
        placed = _nearest(space(later), centres)
        cluster[rest] = np.where(later.getnnz(axis=1) > 0, placed, -1)
    return cluster, _text_names(matrix, label, words.get_feature_names_out(), clusters)


def _by_company(
    clusters: int, histories: Histories, items: np.ndarray, known: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    from scipy.sparse import csr_matrix
    from sklearn.feature_extraction.text import TfidfTransformer

    place = np.full(len(histories.item_names), -1, np.int32)
    place[items] = np.arange(len(items), dtype=np.int32)
    users, column = np.unique(histories.user_of_event[known], return_inverse=True)
    taken = csr_matrix((np.ones(len(column)), (place[histories.item[known]], column)), shape=(len(items), len(users)))
    taken.data[:] = 1.0
    _, _, label = _reduce_and_cluster(TfidfTransformer().fit_transform(taken), clusters)
    cluster = np.full(len(histories.item_names), -1, np.int32)
    cluster[items] = label
    counts = np.asarray(taken.sum(axis=1)).ravel()
    first = [items[label == k][np.argmax(counts[label == k])] for k in range(clusters)]
    return cluster, np.array([f"with {histories.item_names[i]}" for i in first], object)


def _reduce_and_cluster(matrix: "csr_matrix", clusters: int):
    """k-means in the space of the first singular vectors, rows scaled to length one."""
    from sklearn.cluster import KMeans
    from sklearn.decomposition import TruncatedSVD
    from sklearn.preprocessing import normalize
    from threadpoolctl import threadpool_limits

    # One thread: the order of k-means' partial sums, and with it the last bits, depends on how many run.
    with threadpool_limits(1):
        size = min(64, min(matrix.shape) - 1)
        svd = TruncatedSVD(size, algorithm="randomized", random_state=0).fit(matrix)

        def space(rows: "csr_matrix") -> np.ndarray:
            return normalize(svd.transform(rows))

        means = KMeans(clusters, n_init=2, random_state=0).fit(space(matrix))
    return space, means.cluster_centers_, means.labels_.astype(np.int32)


def _nearest(points: np.ndarray, centres: np.ndarray) -> np.ndarray:
    distance = (centres**2).sum(1) - 2 * points @ centres.T
    return distance.argmin(1).astype(np.int32)


def _text_names(matrix: "csr_matrix", label: np.ndarray, words: np.ndarray, clusters: int) -> np.ndarray:
    """The three weightiest words of each cluster, with its number where two would be called alike."""
    names: list[str] = []
    for k in range(clusters):
        weight = np.asarray(matrix[label == k].sum(axis=0)).ravel()
        best = np.argsort(-weight, kind="stable")[:3]
        names.append(" ".join(words[i] for i in best if weight[i] > 0) or "no words")
    seen: dict[str, int] = {}
    return np.array([_distinct(name, seen) for name in names], object)


def _distinct(name: str, seen: dict[str, int]) -> str:
    seen[name] = seen.get(name, 0) + 1
    return name if seen[name] == 1 else f"{name} ({seen[name]})"
